"""Say to a server what no client says: python -m tests.servers.fuzz WAY COUNT [SEED]

WAY is `service` (headers and bodies), `socket` (the same over ZeroMQ, to a server in a process of
its own), `openpi` or `groot` (those clients' messages). It prints the answers that came, and what
the server's memory was after each tenth.
"""

import math
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import numpy as np
import psutil
import zmq

from octoverse import wire
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.errors import OctoverseError
from octoverse.packing import pack
from octoverse.servers import numpy_msgpack
from octoverse.servers.groot import GrootFrontend, GrootSettings
from octoverse.servers.service import Service
from octoverse.wire import Limits
from tests.servers.conftest import Servo
from tests.servers.survivors import FRAME, Survivors, noted
from tests.servers.tampering import Robots, Tamperer

LIMITS = Limits(message_bytes=10**6, image_bytes=10**6, rate=1e9)
BETWEEN = 100
"""Messages after which it is seen whether the server still answers."""
GROOT = {
    "frontend": "groot",
    "body": "tabletop_arm",
    "address": "127.0.0.1:0",
    "observation": {"table": "video.table", "wrist": "video.wrist", "tool": "state.tool"}
    | {"instruction": "task"},
    "action": {"arm": "arm", "gripper": "gripper"},
}


def kind_of(reply: wire.Reply) -> str:
    """What an answer is called in the counts."""
    return reply.code if isinstance(reply, wire.Fault) else type(reply).__name__.lower()


class Memory:
    """What a process has in memory after each tenth of the messages [MB]."""

    def __init__(self, process: psutil.Process, count: int) -> None:
        self._process, self._every = process, max(1, count // 10)
        self.megabytes: list[int] = []

    def look(self, sent: int) -> None:
        if sent % self._every == 0:
            self.megabytes.append(round(self._process.memory_info().rss / 1e6))


class Receiver:
    """A service without a socket, and the answers that it gives."""

    def __init__(self) -> None:
        self.service = Service(Servo(), limits=LIMITS)
        self.counts: Counter[str] = Counter()
        self.welcomes: list[str] = []
        self.acted = threading.Event()
        self._lock = threading.Lock()

    def reply(self, message: wire.Reply, arrays: Mapping[str, np.ndarray]) -> None:
        with self._lock:
            self.counts[kind_of(message)] += 1
        if isinstance(message, wire.Welcome):
            self.welcomes.append(message.session)
        self.acted.set()

    def act(self) -> None:
        """A good client comes, and gets its actions."""
        acts = self.counts["act"]
        hello = wire.Hello(protocol=wire.PROTOCOL, embodiment=TABLETOP_ARM)
        self.service.receive(wire.encode(hello), memoryview(b""), self.reply)
        words = {"instruction": FRAME["instruction"]}
        observe = wire.Observe(session=self.welcomes[-1], request=1, observed_at_ns=1, words=words)
        header, body = pack(observe, {k: v for k, v in FRAME.items() if k not in words})
        self.acted.clear()
        self.service.receive(header, body.data, self.reply)
        assert self.acted.wait(60)
        assert self.counts["act"] == acts + 1, self.counts


def through_service(count: int, seed: int, memory: Memory) -> Counter[str]:
    """Give so many messages to a service, and then good ones."""
    robots, receiver = Robots(seed), Receiver()
    receiver.service.start()
    try:
        for sent in range(1, count + 1):
            header, body = robots.message()
            receiver.service.receive(header, memoryview(body), receiver.reply)
            robots.sessions += receiver.welcomes
            receiver.welcomes.clear()
            if sent % BETWEEN == 0:
                settle(receiver.service)
            memory.look(sent)
        settle(receiver.service)
        for farewell in robots.farewells():
            receiver.service.receive(farewell, memoryview(b""), receiver.reply)
        receiver.act()
    finally:
        receiver.service.stop()
    return receiver.counts


def settle(service: Service) -> None:
    """Wait until a service has worked off all that it was given."""
    give_up = time.monotonic() + 60
    while any(robot.busy or robot.turn.line for robot in service.robots):
        assert time.monotonic() < give_up
        time.sleep(0.0005)


def through_socket(
    count: int, seed: int, socket: "zmq.Socket[bytes]", memory: Memory
) -> Counter[str]:
    """Send so many messages to a server; every now and then it has to answer a good one."""
    robots, counts = Robots(seed), Counter[str]()
    pick = Tamperer(seed).random
    for sent in range(1, count + 1):
        frames = list(robots.message())
        if pick.random() < 0.02:
            frames = frames * pick.choice((2, 20)) if pick.random() < 0.5 else frames[:1]
        socket.send_multipart(frames)
        if sent % BETWEEN == 0 or sent == count:
            ping = wire.Ping(request=2**40 + sent)
            socket.send_multipart([wire.encode(ping), b""])
            while True:
                reply = wire.read_reply(socket.recv_multipart()[0])
                counts[kind_of(reply)] += 1
                if isinstance(reply, wire.Welcome):
                    robots.sessions.append(reply.session)
                if isinstance(reply, wire.Pong) and reply.request == ping.request:
                    break
        memory.look(sent)
    for farewell in robots.farewells():
        socket.send_multipart([farewell, b""])
    return counts


def through_openpi(count: int, seed: int, memory: Memory) -> Counter[str]:
    """Read so many messages of openpi's clients; only what is said in words may be raised."""
    tamperer, counts = Tamperer(seed), Counter[str]()
    sound = {
        "observation/image": FRAME["table"][:8, :8],
        "observation/state": FRAME["tool"],
        "nested": {"deep": [1, 2.5, None, "words"]},
        "prompt": FRAME["instruction"],
    }
    whole = numpy_msgpack.write_openpi(sound)
    tree = msgspec.msgpack.decode(whole, strict=False)
    for sent in range(1, count + 1):
        message = tampered(tamperer, tree, whole)
        try:
            numpy_msgpack.read(message)
            counts["read"] += 1
        except OctoverseError as error:
            counts[str(error).partition(":")[0]] += 1
        memory.look(sent)
    return counts


def through_groot(count: int, seed: int, memory: Memory) -> Counter[str]:
    """Hand so many messages of GR00T's clients to a frontend, and then a good one."""
    tamperer, counts, receiver = Tamperer(seed), Counter[str](), Receiver()
    frontend = GrootFrontend(receiver.service, msgspec.convert(GROOT, GrootSettings))
    nested = {
        "video": {"table": FRAME["table"][None, None], "wrist": FRAME["wrist"][None, None]},
        "state": {"tool": FRAME["tool"][None, None]},
        "language": {"task": [[FRAME["instruction"]]]},
    }
    sound = {"endpoint": "get_action", "data": {"observation": nested, "options": None}}
    whole = numpy_msgpack.write_groot(sound)
    tree = msgspec.msgpack.decode(whole)
    answered = threading.Event()

    def answer(told: Any) -> None:
        words = told["error"] if isinstance(told, dict) and "error" in told else "answered"
        counts[words.partition(":")[0][:40]] += 1
        answered.set()

    receiver.service.start()
    try:
        for sent in range(1, count + 1):
            message = memoryview(tampered(tamperer, tree, whole))
            route = bytes([tamperer.random.randrange(200)])
            try:
                frontend._handle(route, message, answer)
            except OctoverseError as error:
                answer({"error": str(error)})
            if sent % 10 == 0:
                settle(receiver.service)
            memory.look(sent)
        settle(receiver.service)
        frontend._expire(math.inf)  # they all have gone
        answered.clear()
        before = counts["answered"]
        frontend._handle(b"good", memoryview(whole), answer)
        assert answered.wait(60) and counts["answered"] == before + 1, counts
    finally:
        receiver.service.stop()
    return counts


def tampered(tamperer: Tamperer, tree: Any, whole: bytes) -> bytes:
    """A message with a change or two in what it says or in its bytes."""
    pick = tamperer.random
    if pick.random() < 0.4:
        return tamperer.data(whole)
    for _ in range(pick.choice((1, 1, 2, 4))):
        tree = tamperer.tree(tree)
    return msgspec.msgpack.encode(tree)


IN_THIS_PROCESS: dict[str, Callable[[int, int, Memory], Counter[str]]] = {
    "service": through_service,
    "openpi": through_openpi,
    "groot": through_groot,
}


def main(way: str, count: int, seed: int) -> None:
    """Run it long, and tell."""
    began = time.monotonic()
    with Survivors() as survivors, noted() as faults:
        if way == "socket":
            server = survivors.process()
            memory = Memory(server.memory, count)
            socket = survivors.dealer(server.address)
            counts = through_socket(count, seed, socket, memory)
            faults += server.figures()["troubles"]
        else:
            memory = Memory(psutil.Process(), count)
            counts = IN_THIS_PROCESS[way](count, seed, memory)
    print(f"{count} messages by {way}, seed {seed}, in {time.monotonic() - began:.0f} s")
    print(f"answers: {dict(counts.most_common())}")
    print(f"memory [MB]: {memory.megabytes}")
    print(f"the server's own faults: {len(faults)}", *faults[:3], sep="\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) if sys.argv[3:] else 0)
