"""Sound messages of robots, and what becomes of them when somebody tampers with them."""

import random
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np

from octoverse import wire
from octoverse.embodiments.road_car import ROAD_CAR
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.episode import Calibration
from octoverse.packing import Jpeg, Packed, pack
from octoverse.synthetic import random_frame

STRANGE: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 4, 7, 8, 255, 2**31, 2**62, 2**63 - 1, 2**63, 2**64 - 1),
    *(-(2**63), 0.5, -0.0, 1e308, 1e-320, float("nan"), float("inf"), float("-inf")),
    *("", "x", "x" * 65, "x" * 5000, "\0", "é" * 40, "../../etc/passwd", "__class__", "table"),
    *(b"", bytes(16), b"\xff" * 300, [], {}, [0] * 5, [[]], [2**40] * 4, {"": ""}, {"x": {"x": 1}}),
    *("uint8", "int64", "float32", "bool", "object", "float64", "raw", "jpeg", "O", "<f8", "hello"),
    *(msgspec.Raw(b"\x91" * 50 + b"\xc0"), msgspec.Raw(b"\x81\xa1x" * 3000 + b"\xc0")),
    *(msgspec.Raw(b"\xdd\xff\xff\xff\xff"), msgspec.Raw(b"\xdf\xff\xff\xff\xff")),
    *(msgspec.Raw(b"\xc6\xff\xff\xff\xff"), msgspec.Raw(b"\xc7\x08\x01" + bytes(8))),
    *(msgspec.Raw(b"\x82\xa1x\x01\xa1x\x02"), msgspec.Raw(b"\xc1"), msgspec.Raw(b"\xa2\xff\xfe")),
)
_LOOK = Calibration(
    intrinsics=(90.0, 0.0, 48.0, 0.0, 90.0, 48.0, 0.0, 0.0, 1.0),
    extrinsics=(1.0, 0.0, 0.0, 0.5, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.3, 0.0, 0.0, 0.0, 1.0),
)
Message = tuple[dict[str, Any], bytes]


class Tamperer:
    """Changes things at random, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def tree(self, value: Any) -> Any:
        """Change one place of maps and lists within each other."""
        pick = self.random
        if isinstance(value, dict) and value:
            key = pick.choice(list(value))
            match pick.randrange(12):
                case 0:
                    return {k: v for k, v in value.items() if k != key}
                case 1:
                    return {**value, "stranger": self.leaf(None)}
                case 2:
                    return {("stranger" if k == key else k): v for k, v in value.items()}
                case 3:
                    return {**value, key: self.leaf(value[key])}
                case _:
                    return {**value, key: self.tree(value[key])}
        if isinstance(value, list | tuple) and value:
            at = pick.randrange(len(value))
            match pick.randrange(8):
                case 0:
                    return [*value[:at], *value[at + 1 :]]
                case 1:
                    return [*value[:at], *[value[at]] * pick.choice((2, 40)), *value[at + 1 :]]
                case 2:
                    return pick.sample(list(value), len(value))
                case _:
                    return [*value[:at], self.tree(value[at]), *value[at + 1 :]]
        return self.leaf(value)

    def leaf(self, value: Any) -> Any:
        """Change one value: by a little, or for something else altogether."""
        pick = self.random
        if isinstance(value, int | float) and abs(value) < 2**62 and pick.random() < 0.5:
            return value + pick.choice((-8, -1, 1, 8))
        return pick.choice(STRANGE)

    def data(self, data: bytes) -> bytes:
        """Change some bytes: flip, cut, leave out, put in, repeat."""
        pick, at, end = self.random, *sorted(self.random.choices(range(len(data) + 1), k=2))
        match pick.randrange(6):
            case 0:
                return data[:at]
            case 1:
                return data[:at] + data[min(end, at + 9) :]
            case 2:
                return data[:at] + pick.randbytes(pick.randrange(1, 9)) + data[at:]
            case 3:
                return data[:end] + data[at : at + 200] + data[end:]
            case _:
                spoilt = bytearray(data)
                for _ in range(pick.choice((1, 1, 2, 8)) if data else 0):
                    spoilt[pick.randrange(len(spoilt))] = pick.randrange(256)
                return bytes(spoilt)


class Robots:
    """Robots that say at random what robots say, soundly or not.

    `sessions` are those of welcomes that came back, `asked` the sound questions that have not been
    answered yet, by their numbers: take out those that are.
    """

    def __init__(self, seed: int) -> None:
        self.sessions = ["0" * 32]
        self.asked: dict[int, str] = {}
        self._left: set[str] = set()
        self._tamperer = Tamperer(seed)
        self._random = self._tamperer.random
        self._at_ns = 0
        self._greetings = [self._greeting(body) for body in (TABLETOP_ARM, ROAD_CAR)]
        self._seen = [_seen(body, jpeg) for body in (TABLETOP_ARM, ROAD_CAR) for jpeg in (0, 1)]

    def message(self) -> tuple[bytes, bytes]:
        """The frames of the next message."""
        pick, tamperer = self._random, self._tamperer
        fields, body = self._sound()
        if fields["type"] == "bye":
            self._left.add(fields["session"])
        kinds = pick.choices(("sound", "tree", "header", "body", "noise"), (25, 45, 15, 12, 3))
        if kinds == ["sound"] and fields.get("act"):
            self.asked[fields["request"]] = fields["session"]
        if kinds == ["tree"]:
            for _ in range(pick.choice((1, 1, 2, 4))):
                fields = tamperer.tree(fields)
        header = msgspec.msgpack.encode(fields)
        if kinds == ["header"]:
            header = tamperer.data(header)
        elif kinds == ["body"]:
            body = tamperer.data(body)
        elif kinds == ["noise"]:
            header, body = pick.randbytes(pick.randrange(80)), pick.randbytes(pick.randrange(80))
        return header, body

    @property
    def waits(self) -> bool:
        """Whether one who has not left still waits for an answer."""
        return any(session not in self._left for session in list(self.asked.values()))

    def farewells(self) -> Iterator[bytes]:
        """What they say when they leave: who just falls silent keeps its place for a while."""
        return (wire.encode(wire.Bye(session=session)) for session in self.sessions)

    def _sound(self) -> Message:
        del self.sessions[:-2000]  # of the others the server knows nothing any more
        pick, session = self._random, self._random.choice(self.sessions[-8:])
        [kind] = pick.choices(("observe", "hello", "reset", "ping", "bye"), (70, 8, 12, 7, 1))
        request = pick.randrange(1, 2**32)
        match kind:
            case "observe":
                fields, body = pick.choice(self._seen)
                self._at_ns += pick.randrange(10**9)
                told = {"session": session, "request": request, "observed_at_ns": self._at_ns}
                return {**fields, **told, "act": pick.random() < 0.7}, body
            case "hello":
                resume = pick.choice((None, session))
                return {**pick.choice(self._greetings), "request": request, "resume": resume}, b""
            case "ping":
                return {"type": kind, "request": request}, b""
            case _:
                return {"type": kind, "request": request, "session": session}, b""

    def _greeting(self, body: Any) -> dict[str, Any]:
        cameras = {"table", "front"} & body.observation.keys()
        hello = wire.Hello(
            protocol=wire.PROTOCOL,
            embodiment=body,
            client="fuzz",
            calibration=dict.fromkeys(cameras, _LOOK),
        )
        return dict(msgspec.msgpack.decode(wire.encode(hello)))


def _seen(body: Any, jpeg: int) -> Message:
    frame = random_frame(body, np.random.default_rng(0))
    words = {name: value for name, value in frame.items() if isinstance(value, str)}
    arrays: dict[str, Any] = {
        name: Jpeg.encode(np.repeat(value[:1], len(value), 0), 50)
        if jpeg and value.dtype == np.uint8
        else value
        for name, value in frame.items()
        if name not in words
    }
    packed: Packed = arrays
    message = wire.Observe(
        session="0" * 32,
        request=1,
        observed_at_ns=1,
        words=words,
        deadline_ms=60_000.0,
        chunk_ns=1,
        frozen_steps=2,
    )
    times = {next(iter(arrays)): 1}
    header, data = pack(message, packed, times if jpeg else None)
    return dict(msgspec.msgpack.decode(header)), data.tobytes()
