import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from octoverse import wire
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.episode import Calibration
from octoverse.errors import BadMessage

SESSION = "0123456789abcdef" * 2
SPEC = wire.ArraySpec(name="tool", dtype="float32", shape=(5,), offset=0, size=20)
TIMING = wire.Timing(prepared_ms=1.0, queued_ms=2.0, inference_ms=3.0, total_ms=6.0, batch=4)
CALIBRATION = Calibration(intrinsics=(1.0,) * 9, extrinsics=(0.0,) * 16)
REQUESTS = [
    wire.Hello(
        protocol=1,
        embodiment=TABLETOP_ARM,
        client="arm 1",
        request=3,
        calibration={"table": CALIBRATION},
    ),
    wire.Observe(
        session=SESSION,
        request=7,
        observed_at_ns=2**62,
        deadline_ms=12.5,
        seed=2**63 - 1,
        arrays=(SPEC,),
        words={"instruction": "lift the red cube"},
    ),
    wire.Reset(session=SESSION, request=1),
    wire.Ping(request=9),
    wire.Bye(session=SESSION),
]
REPLIES = [
    wire.Welcome(
        request=3,
        session=SESSION,
        protocol=1,
        model="demo-1f3a",
        statistics="per body",
        action=TABLETOP_ARM.action,
        horizons={"arm": 8, "gripper": 8},
        control_hz=10.0,
        frames=2,
        spacing=0.1,
        camera_sizes={"table": (64, 64)},
        limits=wire.Limits(),
    ),
    wire.Act(request=7, step=2, observed_at_ns=5, timing=TIMING, arrays=(SPEC,), text="done"),
    wire.Pong(request=9, model="demo", uptime_s=1.0, sessions=2, queue=0, load=0.5),
    wire.Fault(code="stale", message="too late", request=7, retry_after_ms=3.0),
]


@pytest.mark.parametrize("message", REQUESTS, ids=lambda m: type(m).__name__)
def test_a_request_arrives_as_it_was_sent(message: wire.Request) -> None:
    assert wire.read_request(wire.encode(message)) == message


@pytest.mark.parametrize("message", REPLIES, ids=lambda m: type(m).__name__)
def test_a_reply_arrives_as_it_was_sent(message: wire.Reply) -> None:
    assert wire.read_reply(wire.encode(message)) == message


@given(
    observed_at_ns=st.integers(0, 2**63 - 1),
    step=st.integers(0, 2**63 - 1),
    seed=st.integers(0, 2**63 - 1),
    words=st.dictionaries(st.text(min_size=1, max_size=64), st.text(max_size=4096), max_size=4),
)
def test_any_observation_arrives_as_it_was_sent(
    observed_at_ns: int, step: int, seed: int, words: dict[str, str]
) -> None:
    message = wire.Observe(
        session=SESSION,
        request=1,
        observed_at_ns=observed_at_ns,
        step=step,
        seed=seed,
        words=words,
    )
    assert wire.read_request(wire.encode(message)) == message


@given(st.binary(max_size=200))
def test_random_bytes_are_refused_as_such(header: bytes) -> None:
    with pytest.raises(BadMessage, match=r"expected a (flat )?message"):
        wire.read_request(header)
    with pytest.raises(BadMessage, match=r"expected a (flat )?message"):
        wire.read_reply(header)


@pytest.mark.parametrize("message", REQUESTS, ids=lambda m: type(m).__name__)
def test_every_truncated_request_is_refused(message: wire.Request) -> None:
    header = wire.encode(message)
    for length in range(len(header)):
        with pytest.raises(BadMessage):
            wire.read_request(header[:length])


@given(place=st.integers(0, 10_000), byte=st.integers(0, 255), which=st.sampled_from(REQUESTS))
def test_a_flipped_byte_is_read_or_refused(place: int, byte: int, which: wire.Request) -> None:
    header = bytearray(wire.encode(which))
    header[place % len(header)] = byte
    try:
        assert isinstance(wire.read_request(bytes(header)), wire.Request)
    except BadMessage as error:
        assert str(error)


def test_deep_nesting_is_refused_in_words() -> None:
    ping = msgspec.msgpack.encode({"type": "ping", "extra": 0})
    with pytest.raises(BadMessage, match="expected a flat message, got one nested too deeply"):
        wire.read_request(ping[:-1] + b"\x91" * 50_000 + b"\x00")


def test_a_header_that_is_too_long_is_not_decoded() -> None:
    with pytest.raises(BadMessage, match="header: expected at most 65536 bytes, got 65537"):
        wire.read_request(bytes(65_537))


def test_fields_that_nobody_knows_are_ignored() -> None:
    header = msgspec.msgpack.encode({"type": "ping", "request": 4, "colour": ["red", {"a": 1}]})
    assert wire.read_request(header) == wire.Ping(request=4)


def test_an_unknown_type_is_refused_with_its_request() -> None:
    header = msgspec.msgpack.encode({"type": "dance", "request": 4})
    with pytest.raises(BadMessage, match=r"message of protocol 1, .*'dance'") as caught:
        wire.read_request(header)
    assert caught.value.request == 4
    assert caught.value.code == "bad_message"


@pytest.mark.parametrize("readable", [True, False])
def test_another_protocol_is_refused_in_words(readable: bool) -> None:
    hello = msgspec.to_builtins(wire.Hello(protocol=2, embodiment=TABLETOP_ARM, request=5))
    if not readable:
        hello["embodiment"] = "a uniform resource locator, from protocol 2 on"
    with pytest.raises(BadMessage, match="protocol: expected version 1, got 2") as caught:
        wire.read_request(msgspec.msgpack.encode(hello))
    assert (caught.value.code, caught.value.request) == ("protocol", 5)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("arrays", [msgspec.to_builtins(SPEC)] * 33, "length <= 32"),
        ("arrays", [{**msgspec.to_builtins(SPEC), "name": "n" * 65}], "length <= 64"),
        ("arrays", [{**msgspec.to_builtins(SPEC), "shape": [1] * 5}], "length <= 4"),
        ("arrays", [{**msgspec.to_builtins(SPEC), "shape": [-1]}], ">= 0"),
        ("arrays", [{**msgspec.to_builtins(SPEC), "offset": -8}], ">= 0"),
        ("arrays", [{**msgspec.to_builtins(SPEC), "dtype": "object"}], "Invalid enum value"),
        ("arrays", [{**msgspec.to_builtins(SPEC), "encoding": "pickle"}], "Invalid enum value"),
        ("words", {"instruction": "w" * 4097}, "length <= 4096"),
        ("session", "short", "length >= 32"),
        ("deadline_ms", 0.0, "> 0"),
        ("deadline_ms", math.nan, "> 0"),
        ("uplink_ms", math.inf, "<= 1"),  # an endless deadline less that would be no number
        ("uplink_ms", math.nan, ">= 0"),
        ("observed_at_ns", 2**64 - 1, "9223372036854775807"),
    ],
)
def test_what_breaks_a_limit_is_refused(field: str, value: object, words: str) -> None:
    observe = msgspec.to_builtins(wire.Observe(session=SESSION, request=1, observed_at_ns=0))
    with pytest.raises(BadMessage, match=words):
        wire.read_request(msgspec.msgpack.encode({**observe, field: value}))
