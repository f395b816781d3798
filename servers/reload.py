"""Put another policy in force while robots are served, after it has been tried.

A policy is loaded and tried in a thread of its own while the old one goes on. It is taken between
two batches, if it means the same by the bodies of the robots that are here. What is remembered of
robots is dropped; a robot whose window the new policy wants otherwise says Hello again. If
anything fails, the old policy stays in force and the log says why.
"""

import logging
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

import numpy as np

from octoverse.acting import ActingPolicy, check_chunk, open_session
from octoverse.embodiment import differences
from octoverse.errors import OctoverseError, SpecMismatch
from octoverse.servers.robots import Robot
from octoverse.synthetic import random_frame

if TYPE_CHECKING:
    from octoverse.servers.service import Service

logger = logging.getLogger(__name__)


class Reloader:
    """Loads policies for a service, when it is asked to and when there is a newer one.

    Args:
        service: What serves them.
        load: Gives a policy, ready to act.
        newest: Says which policy `load` would give now, by anything that compares; None to reload
            only when asked. What it raises is logged, and it is asked again.
        seen: What `newest` said of the policy in force.
        every_s: How often `newest` is asked.
    """

    def __init__(
        self,
        service: "Service",
        load: Callable[[], ActingPolicy],
        *,
        newest: Callable[[], Any] | None = None,
        seen: Any = None,
        every_s: float = 5.0,
    ) -> None:
        self._service, self._load, self._newest = service, load, newest
        self._seen, self._every_s = seen, every_s if newest else None
        self._lost = ""
        self._asked: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="reload", daemon=True)

    def ask(self) -> None:
        """Reload soon; a signal handler may call this."""
        self._asked.put(True)

    def reload(self) -> bool:
        """Load a policy, try it and put it in force; all errors are logged and counted.

        Returns:
            Whether it is in force.
        """
        began = time.monotonic()
        try:
            policy = self._load()
            trial(policy)
            self._service.reload(policy)
        except Exception as error:
            self._service.reload_failures += 1
            about = {"model": self._service.policy.model, "why": str(error)}
            unforeseen = not isinstance(error, OctoverseError)
            logger.error("not reloaded; the old goes on", extra=about, exc_info=unforeseen)
            return False
        took = time.monotonic() - began
        logger.info("reloaded", extra={"model": policy.model, "took_s": round(took, 3)})
        return True

    def __enter__(self) -> "Reloader":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Do not begin to reload any more; what is being loaded is left alone."""
        self._asked.put(False)

    def _run(self) -> None:
        while True:
            try:
                if not self._asked.get(timeout=self._every_s):
                    return
            except queue.Empty:
                if not self._is_newer():
                    continue
            self.reload()

    def _is_newer(self) -> bool:
        """Whether there is a policy that has not been tried yet."""
        assert self._newest is not None
        try:
            found = self._newest()
        except Exception as error:
            if str(error) != self._lost:
                logger.warning("cannot look for a newer model", extra={"why": str(error)})
            self._lost = str(error)
            return False
        newer = bool(found != self._seen)
        self._seen, self._lost = found, ""
        return newer


@contextmanager
def on_hangup(ask: Callable[[], None]) -> Iterator[None]:
    """Ask for a reload on SIGHUP, but end where the terminal has gone; for the main thread."""
    terminal = _terminal()

    def hear(number: int, frame: FrameType | None) -> None:
        if terminal and not _terminal():
            signal.raise_signal(signal.SIGTERM)
        else:
            ask()

    before = signal.signal(signal.SIGHUP, hear)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


def _terminal() -> bool:
    """Whether this process has one that can be reached."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR))
    except OSError:
        return False
    return True


def trial(policy: ActingPolicy) -> None:
    """Let a policy act once on a made-up frame of each of its bodies, all in one batch.

    Raises:
        SpecMismatch: if an answer is not a chunk of that body.
        Exception: whatever the policy raises.
    """
    rng = np.random.default_rng(0)
    sessions = [open_session(policy, body) for body in policy.bodies.values()]
    for session in sessions:
        session.observe(random_frame(session.body, rng), 0)
    chunks = policy.act([s.observation() for s in sessions], [s.memory for s in sessions])
    if len(chunks) != len(sessions):
        raise SpecMismatch(f"chunks: expected {len(sessions)} of them, got {len(chunks)}.")
    for session, chunk in zip(sessions, chunks, strict=True):
        check_chunk(session.body, policy.horizons[session.body.name], chunk, 0)


def check_meaning(robots: Iterable[Robot], policy: ActingPolicy) -> None:
    """Raise SpecMismatch unless a policy knows the bodies of robots, and means the same by them."""
    for body in {robot.session.body.name: robot.session.body for robot in robots}.values():
        if body.name not in policy.bodies:
            raise SpecMismatch(
                f"{policy.model}: expected the body '{body.name}', of which robots are here, got "
                f"{', '.join(policy.bodies)}. Serve it at another address, or stop those robots."
            )
        if found := differences(policy.bodies[body.name], body):
            raise SpecMismatch(
                f"'{body.name}' as {policy.model} knows it (here) and as robots use it (there) "
                f"differ: {'; '.join(found)}. Serve it at another address, or stop those robots."
            )


def refit(robots: Iterable[Robot], old: ActingPolicy, new: ActingPolicy, model: int) -> list[Robot]:
    """Let robots that were served by an old policy go on with a new one, where their windows fit.

    Args:
        robots: Those with a session.
        old: The policy in force until now.
        new: The one that follows.
        model: Its number.

    Returns:
        The robots that must say Hello again.
    """
    outdated = []
    for robot in robots:
        body = robot.session.body
        same = old.horizons[body.name] == new.horizons[body.name]
        if same and robot.session.follow(open_session(new, body)):
            robot.model = model
        else:
            outdated.append(robot)
    return outdated
