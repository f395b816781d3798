"""A policy server that costs nothing to start."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from octoverse.embodiment import Embodiment
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.episode import ActionChunk, Frame, Observation
from octoverse.servers.zeromq import Server

HORIZON = 3


class Still:
    """Answers with zeros at once, or as `answer` says."""

    model, statistics = "still-1", "none"
    frames, spacing = 1, None
    camera_sizes: Mapping[str, Mapping[str, tuple[int, int]]] = {}

    def __init__(self, bodies: Mapping[str, Embodiment]) -> None:
        self.bodies = bodies
        self.horizons = {name: dict.fromkeys(one.action, HORIZON) for name, one in bodies.items()}
        self.answer: Callable[[], None] = lambda: None
        self.seen: list[Observation] = []

    def prepare(self, body: str, frame: Frame) -> Frame:
        return frame

    def act(
        self, observations: Sequence[Observation], memories: Sequence[dict[str, Any]]
    ) -> list[ActionChunk]:
        self.seen.extend(observations)
        self.answer()
        return [
            ActionChunk(
                embodiment=one.embodiment,
                action={
                    name: np.zeros((HORIZON, group.size), np.float32)
                    for name, group in self.bodies[one.embodiment].action.items()
                },
                observed_at_ns=one.observed_at_ns,
            )
            for one in observations
        ]


@pytest.fixture
def still() -> Iterator[Callable[..., tuple[Still, str]]]:
    """Starts servers of a still policy; gives the policy and the address."""
    servers: list[Server] = []

    def start(bodies: Mapping[str, Embodiment] | None = None) -> tuple[Still, str]:
        policy = Still(bodies or {"tabletop_arm": TABLETOP_ARM})
        server = Server(policy, address="tcp://127.0.0.1:0")
        servers.append(server)
        return policy, server.start().address

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def held() -> Iterator[threading.Event]:
    """An event that is set when the test ends, for policies that wait for it."""
    event = threading.Event()
    yield event
    event.set()
