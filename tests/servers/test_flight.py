"""A pilot, a client and a server together; control steps are counted, answers come when they do."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from octoverse.embodiment import Embodiment, Gripper, JointPosition, SafeStop, State
from octoverse.episode import ActionChunk, Frame, Observation
from octoverse.servers.client import Client
from octoverse.servers.pilot import Pilot
from octoverse.servers.player import ChunkPlayer

STEP, ROWS, PACE = 100_000_000, 12, 0.05
JOINT: dict[str, Any] = {"names": ("j",), "units": ("rad",), "low": (-90.0,), "high": (90.0,)}
BODY = Embodiment(
    name="joint",
    control_hz=10.0,
    observation={"joints": State(**JOINT)},
    action={"joints": JointPosition(**JOINT), "grip": Gripper()},
    safe_stop=SafeStop(kind="hold"),
)
Until = Callable[[Callable[[], bool]], None]


class Turning:
    """Turns a joint on and on, beginning with what it is told; hangs while a file is there."""

    model, statistics = "turning-1", "none"
    frames, spacing = 2, None
    bodies: Mapping[str, Embodiment] = {"joint": BODY}
    horizons: Mapping[str, Mapping[str, int]] = {"joint": {"joints": ROWS, "grip": ROWS}}
    camera_sizes: Mapping[str, Mapping[str, tuple[int, int]]] = {"joint": {}}

    def __init__(self, hang: str = "") -> None:
        self.hang = hang
        self.seen: list[Observation] = []
        self.said: list[np.ndarray] = []

    def prepare(self, body: str, frame: Frame) -> Frame:
        return frame

    def act(
        self, observations: Sequence[Observation], memories: Sequence[dict[str, Any]]
    ) -> list[ActionChunk]:
        if self.hang and os.path.exists(self.hang):
            print("hanging", flush=True)
            time.sleep(600)
        return [self._one(seen) for seen in observations]

    def _one(self, seen: Observation) -> ActionChunk:
        told = seen.prefix.get("joints", seen.streams["joints"][-1:])
        on = told[-1:] + PACE * np.arange(1, ROWS + 1, dtype=np.float32)[:, None]
        rows = np.concatenate([told, on])[-ROWS - len(told) :][:ROWS].astype(np.float32)
        self.seen.append(seen)
        self.said.append(rows)
        grip = np.ones((ROWS, 1), np.float32)
        return ActionChunk(
            embodiment="joint",
            action={"joints": rows, "grip": grip},
            observed_at_ns=seen.observed_at_ns,
        )


class Joint:
    """Steps a pilot, and is where it was sent."""

    def __init__(self, pilot: Pilot) -> None:
        self.pilot, self.now, self.at = pilot, 0, np.zeros(1, np.float32)
        self.sent: list[float] = []

    def step(self) -> None:
        action = self.pilot.step({"joints": self.at}, self.now * STEP)
        self.at = self.at if action is None else action["joints"]
        self.now += 1
        self.sent.append(float(self.at.item()))


def test_the_policy_is_told_what_the_robot_executes_while_it_thinks(
    serve: Callable[..., Any], until: Until
) -> None:
    policy = Turning()
    with (
        Client(serve(policy).address, BODY) as client,
        Pilot(client, ChunkPlayer(BODY, execute=4, overlap="blend")) as pilot,
    ):
        joint = Joint(pilot)
        for _ in range(30):
            joint.step()
            until(lambda: not pilot._asking or bool(pilot._outcomes))
    # The first answer was played from the second step on, the second asked for after four rows;
    # from then on an answer is known to take a step, and the rows of that step are promised.
    assert not policy.seen[0].prefix
    assert not policy.seen[1].prefix
    for asked in (2, 3, 4, 5):
        prefix, before = policy.seen[asked].prefix, policy.said[asked - 1]
        assert prefix["joints"].tolist() == before[4:5].tolist()
        assert policy.said[asked][0] == before[4]
        assert bool(policy.seen[asked].valid["joints"].all())  # frames between were shown
    assert np.abs(np.diff(joint.sent)).max() < 1.5 * PACE
    assert joint.sent[-1] > 20 * PACE


SERVER = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("flight", sys.argv[1])
flight = importlib.util.module_from_spec(spec); spec.loader.exec_module(flight)
from octoverse.servers.zeromq import Server
server = Server(flight.Turning(sys.argv[3]), address=sys.argv[2])
print("ready", flush=True)
server.run()
"""


@pytest.fixture
def start() -> Iterator[Callable[[str, Path], "subprocess.Popen[str]"]]:
    """Starts servers in processes of their own, and ends them with the test."""
    with ExitStack() as stack:

        def begin(address: str, hang: Path) -> "subprocess.Popen[str]":
            program = [sys.executable, "-c", SERVER, __file__, address, str(hang)]
            process = stack.enter_context(
                subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
            )
            stack.callback(process.kill)
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            return process

        yield begin


@pytest.mark.parametrize("timeout", [0.5, 60.0])
def test_a_server_killed_in_the_middle_of_a_batch_stops_the_robot_safely_and_then_it_goes_on(
    start: Callable[..., "subprocess.Popen[str]"], tmp_path: Path, until: Until, timeout: float
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    hang = tmp_path / "hang"
    process = start(address, hang)
    player = ChunkPlayer(BODY, execute=4, overlap="blend")
    with Client(address, BODY, timeout=60.0) as client, Pilot(client, player) as pilot:
        client.timeout = timeout  # of a robot that is told, and of one that waits
        joint = Joint(pilot)

        def playing() -> bool:
            joint.step()
            return pilot.trouble is None and not player.stopped and player.playing(0) is not None

        until(playing)
        until(lambda: playing() and joint.sent[-1] > 0.5)
        hang.touch()
        until(lambda: playing() and pilot._asking)
        assert process.stdout is not None
        assert process.stdout.readline() == "hanging\n"
        process.kill()
        process.wait()
        hang.unlink()
        for _ in range(2 * ROWS):
            joint.step()
        assert player.stopped
        held = joint.sent[-1]
        assert joint.sent[-ROWS:] == [held] * ROWS
        start(address, hang)
        until(lambda: playing() and joint.sent[-1] > held + 0.5)
    assert np.abs(np.diff(joint.sent)).max() < 1.5 * PACE
    assert np.diff(joint.sent).min() > -1e-6
