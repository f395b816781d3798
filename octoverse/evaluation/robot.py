"""One robot in a process of its own: plays the episodes that it is given, against a server."""

import signal
import sys
import time
import traceback
from collections import deque
from collections.abc import Iterable
from functools import cache
from multiprocessing.connection import Connection
from typing import Any, Literal

import msgspec
import numpy as np

from octoverse.acting import RobotPolicy
from octoverse.embodiment import Embodiment
from octoverse.errors import OctoverseError
from octoverse.evaluation.baselines import baseline
from octoverse.evaluation.film import Camera, Film, FilmConfig
from octoverse.evaluation.rollout import Moment, Rollout, play
from octoverse.servers.client import Client
from octoverse.servers.conversation import RoundTrip
from octoverse.simulation.world import EnvironmentSpec

_TELL_EVERY_S = 0.2
_TIMEOUT_S = 20.0
"""Patience with the server: a busy machine is slow, a dead server is not."""

Driver = Literal["policy", "expert", "random"]


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One episode to play."""

    environment: EnvironmentSpec
    seed: int
    driver: Driver = "policy"
    execute: int | None = None
    """Control steps between two chunks; the body's default if None."""
    film: FilmConfig | None = None


class Live(msgspec.Struct, frozen=True, kw_only=True):
    """What a robot is doing right now."""

    robot: int
    job: Job
    instruction: str
    step: int
    hz: float
    """Control steps in a second of the wall clock, lately."""
    latency_ms: float
    """Median of the last chunks; 0 before the first."""


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a job."""

    robot: int
    job: Job
    rollout: Rollout
    timing_ms: dict[str, float] = {}
    """Where the time of an answer went, averaged over the episode."""
    film: Film | None = None


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """Why a robot cannot go on, in words."""

    robot: int
    job: Job
    words: str


def work(connection: Connection, number: int, address: str) -> None:
    """Play the jobs that come through a connection, until None comes or nobody listens."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when it is over
    robot = _Robot(connection, number, address)
    try:
        while (job := connection.recv()) is not None:
            try:
                connection.send(robot.play(job))
            except OctoverseError as error:
                connection.send(Failed(robot=number, job=job, words=str(error)))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        sys.exit(1)  # the parent is gone
    except Exception:
        traceback.print_exc()
        sys.exit(1)
    finally:
        robot.close()


class _Robot:
    def __init__(self, connection: Connection, number: int, address: str) -> None:
        self._connection, self._number, self._address = connection, number, address
        self._clients: dict[str, Client] = {}
        self._steps: deque[float] = deque(maxlen=20)
        self._latencies: deque[float] = deque(maxlen=50)
        self._told = 0.0

    def play(self, job: Job) -> Done:
        world = _world(job.environment, job.driver == "policy" or job.film is not None)
        camera = None
        if job.film is not None:
            camera = Camera(job.film, world.unwrapped, job.environment.body)

        trips: list[RoundTrip] = []
        driver = self._driver(job, world)

        def watch(moment: Moment) -> None:
            if camera is not None:
                camera.watch(moment)
            if moment.latency_ms is not None and isinstance(driver, Client) and driver.last_timing:
                trips.append(driver.last_timing)
            self._tell(job, moment)

        rollout = play(job.environment, world, driver, job.seed, execute=job.execute, watch=watch)
        film = None if camera is None else camera.film()
        return Done(
            robot=self._number, job=job, rollout=rollout, timing_ms=_split(trips), film=film
        )

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    def _driver(self, job: Job, world: Any) -> RobotPolicy:
        body = job.environment.body
        return self._client(body) if job.driver == "policy" else baseline(job.driver, body, world)

    def _client(self, body: Embodiment) -> Client:
        if body.name not in self._clients:
            self._clients[body.name] = Client(
                self._address, body, timeout=_TIMEOUT_S, name=f"robot {self._number}"
            )
        return self._clients[body.name]

    def _tell(self, job: Job, moment: Moment) -> None:
        now = time.monotonic()
        self._steps.append(now)
        if moment.latency_ms is not None:
            self._latencies.append(moment.latency_ms)
        if now - self._told < _TELL_EVERY_S:
            return
        self._told = now
        took = self._steps[-1] - self._steps[0]
        self._connection.send(
            Live(
                robot=self._number,
                job=job,
                instruction=str(moment.frame.get("instruction", "")),
                step=moment.step,
                hz=(len(self._steps) - 1) / took if took else 0.0,
                latency_ms=float(np.median(self._latencies)) if self._latencies else 0.0,
            )
        )


def _split(trips: list[RoundTrip]) -> dict[str, float]:
    """What the parts of an answer took on average [ms]."""
    if not trips:
        return {}
    return {
        "the policy computes": _mean(trip.server.inference_ms for trip in trips),
        "waiting for its batch": _mean(trip.server.queued_ms for trip in trips),
        "images are resized": _mean(trip.server.prepared_ms for trip in trips),
        "robot, wire and socket": _mean(trip.total_ms - trip.server.total_ms for trip in trips),
    }


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


@cache
def _world(spec: EnvironmentSpec, cameras: bool) -> Any:
    """The worlds of this process; without cameras where nobody looks through them."""
    return spec.make(disable_env_checker=True, **({} if cameras else {"cameras": False}))
