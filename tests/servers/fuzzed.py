"""What is fuzzed without a socket, and what is seen of it."""

import queue
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import psutil

from octoverse import wire
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.episode import ActionChunk, Observation
from octoverse.packing import pack
from octoverse.servers.service import Service
from octoverse.wire import Limits
from tests.servers.conftest import Servo
from tests.servers.survivors import FRAME

LIMITS = Limits(message_bytes=10**6, image_bytes=10**6, rate=1e9)


def kind_of(reply: wire.Reply) -> str:
    """What an answer is called in the counts."""
    return reply.code if isinstance(reply, wire.Fault) else type(reply).__name__.lower()


GOOD = 2**50
"""Number of a good client's requests."""


class Forgetful(Servo):
    """Notes nothing of what it is asked, which goes on for long."""

    def act(
        self, observations: Sequence[Observation], memories: Sequence[dict[str, Any]]
    ) -> list[ActionChunk]:
        self.batches.clear()
        return super().act(observations, memories)


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
        self.service = Service(Forgetful(), limits=LIMITS)
        self.counts: Counter[str] = Counter()
        self.welcomes: list[str] = []
        self.answered: list[int] = []
        """Numbers of questions that were."""
        self._good: queue.SimpleQueue[wire.Reply] = queue.SimpleQueue()
        self._lock = threading.Lock()

    def reply(self, message: wire.Reply, arrays: Mapping[str, np.ndarray]) -> None:
        with self._lock:
            self.counts[kind_of(message)] += 1
            self.answered.append(message.request or 0)
        if message.request == GOOD:
            self._good.put(message)
        elif isinstance(message, wire.Welcome):
            self.welcomes.append(message.session)

    def act(self) -> None:
        """A good client comes, and gets its actions."""
        hello = wire.Hello(protocol=wire.PROTOCOL, embodiment=TABLETOP_ARM, request=GOOD)
        self.service.receive(wire.encode(hello), memoryview(b""), self.reply)
        welcome = self._good.get(timeout=60)
        assert isinstance(welcome, wire.Welcome), welcome
        words = {"instruction": FRAME["instruction"]}
        observe = wire.Observe(session=welcome.session, request=GOOD, observed_at_ns=1, words=words)
        header, body = pack(observe, {k: v for k, v in FRAME.items() if k not in words})
        self.service.receive(header, body.data, self.reply)
        answer = self._good.get(timeout=60)
        assert isinstance(answer, wire.Act), answer


def settle(service: Service) -> None:
    """Wait until a service has worked off all that it was given."""
    give_up = time.monotonic() + 60
    while any(robot.busy or robot.turn.line for robot in service.robots):
        assert time.monotonic() < give_up
        time.sleep(0.0005)
