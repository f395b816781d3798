"""Servers that something is done to, and that answer a good client after it."""

import json
import logging
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np
import psutil
import zmq

from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.servers.client import Client
from octoverse.servers.keys import ClientKeys
from octoverse.servers.zeromq import Server
from octoverse.synthetic import random_frame

ROOT = Path(__file__).parents[2]
FRAME = random_frame(TABLETOP_ARM, np.random.default_rng(0))
PATIENCE_S = 60.0


def is_well(address: str, **settings: Any) -> bool:
    """Whether a good client, which has only just come, gets its actions."""
    with Client(address, TABLETOP_ARM, timeout=PATIENCE_S, **settings) as client:
        return client.act(FRAME).action["arm"].shape == (6, 4)


class _Notes(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.troubles: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.troubles.append(logging.Formatter().format(record))


@contextmanager
def noted() -> Iterator[list[str]]:
    """Gather what a server logs as its own fault; what it only warns of is its peers'."""
    notes, logger = _Notes(), logging.getLogger("octoverse.servers")
    logger.addHandler(notes)
    try:
        yield notes.troubles
    finally:
        logger.removeHandler(notes)


class Process:
    """A server in a process of its own; see served.py."""

    def __init__(self, address: str, *more: str) -> None:
        command = [sys.executable, "-m", "tests.servers.served", address, *more]
        self._process = subprocess.Popen(
            command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.memory = psutil.Process(self._process.pid)
        self.address = self.hear()
        assert self.address, "it ended too early"

    def hear(self) -> str:
        """The next line that it prints."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def figures(self) -> dict[str, Any]:
        """What it says of itself."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        found: dict[str, Any] = json.loads(self.hear())
        return found

    @property
    def megabytes(self) -> float:
        """What it has in memory."""
        return float(self.memory.memory_info().rss) / 1e6

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """End it as a machine does that runs out of memory: it has no time for anything."""
        self._process.kill()
        self._process.communicate()


class Survivors:
    """Starts servers; each that still runs in the end has to be well."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._processes: list[Process] = []
        self._servers: list[tuple[Server, ClientKeys | None]] = []

    def process(self, address: str = "tcp://127.0.0.1:0", *more: str) -> Process:
        """Start one in a process of its own."""
        self._processes.append(Process(address, *more))
        self._stack.callback(self._processes[-1].kill)
        return self._processes[-1]

    def server(self, policy: Any, keys: ClientKeys | None = None, **settings: Any) -> Server:
        """Start one in this process; `keys` are those of a good client."""
        server = Server(policy, **{"address": "tcp://127.0.0.1:0", **settings})
        self._servers.append((self._stack.enter_context(server), keys))
        return server

    def dealer(
        self, address: str, keys: ClientKeys | None = None, **options: int
    ) -> "zmq.Socket[bytes]":
        """A socket that says what it likes."""
        context = self._stack.enter_context(zmq.Context())
        socket: zmq.Socket[bytes] = self._stack.enter_context(context.socket(zmq.DEALER))
        told = {"LINGER": 0, "RCVTIMEO": round(1000 * PATIENCE_S), **options}
        for name, value in told.items():
            socket.setsockopt(getattr(zmq, name), value)
        if keys is not None:
            keys.secure(socket)
        socket.connect(address)
        return socket

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        with self._stack:
            if kind is None:
                for process in self._processes:
                    assert not process.runs or is_well(process.address)
                for server, keys in self._servers:
                    assert is_well(server.address, keys=keys)


def free_address() -> str:
    """An address that nobody has, to come back to."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{probe.getsockname()[1]}"
