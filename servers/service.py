"""What a policy server does with a message, whatever the transport."""

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from octoverse import wire
from octoverse.acting import ActingPolicy, check_present
from octoverse.errors import BadMessage, OctoverseError
from octoverse.packing import views
from octoverse.servers.batcher import Batcher, Waiting
from octoverse.servers.engine import FAILED, Engine
from octoverse.servers.faults import STOPS, Faults, Reply, deliver
from octoverse.servers.greeting import Refused, greet, welcome
from octoverse.servers.preparer import Arrays, Preparer, frame_of
from octoverse.servers.reload import check_meaning, refit
from octoverse.servers.robots import Robot, Robots
from octoverse.servers.snapshot import snapshot
from octoverse.servers.status import ServerStatus
from octoverse.wire import Limits

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Received:
    message: wire.Observe | wire.Reset
    arrays: Arrays
    reply: Reply
    at: float


class Service:
    """Answers messages with a policy.

    Args:
        policy: What computes.
        max_batch: Requests computed together, at most.
        max_wait_ms: How long a batch is held back for robots about to come back, at most.
        limits: What is refused.
        prepare_threads: How many frames are decoded and resized at once.
        watchdog_s: How long a batch may be at work before it is given up.
    """

    def __init__(
        self,
        policy: ActingPolicy,
        *,
        max_batch: int = 16,
        max_wait_ms: float = 5.0,
        limits: Limits | None = None,
        prepare_threads: int = 2,
        watchdog_s: float = 30.0,
    ) -> None:
        self.limits = limits or Limits()
        self.robots = Robots(self.limits)
        self._batcher = Batcher(
            max_batch=max_batch, max_wait_ms=max_wait_ms, max_queue=self.limits.queue
        )
        self._faults = Faults()
        self._engine = Engine(policy, self._batcher, self._faults, watchdog_s)
        self._preparer = Preparer(self._prepare, self.limits, prepare_threads)
        self._began = time.monotonic()
        self.reload_failures = 0
        """Policies that were to be put in force and could not."""
        self._outdated: frozenset[str] = frozenset()
        """Sessions that the last reload has ended."""
        self._door = threading.Lock()
        """Nobody is let in while the policy is swapped."""
        self._until = math.inf
        """When it will have stopped [s]."""

    @property
    def policy(self) -> ActingPolicy:
        """The one in force."""
        return self._engine.policy

    def start(self) -> None:
        """Begin to compute."""
        self._engine.start()

    def lend(self, thread: threading.Thread, abandoned: Callable[[], None]) -> None:
        """Let the thread that calls `receive` compute on the spot; see Engine.lend."""
        self._engine.lend(thread, abandoned)

    def stop(self, within_s: float = 5.0) -> None:
        """Answer what has come, for so long at most, and tell all robots that it is over."""
        if self._until < math.inf:
            return
        self._until = time.monotonic() + within_s
        self._preparer.close(within_s)
        self._engine.stop(max(0.0, self._until - time.monotonic()))
        for robot in self.robots:
            if robot.reply is not None:
                deliver(robot.reply, wire.Closing(reason=STOPS))

    def reload(self, policy: ActingPolicy) -> None:
        """Put another policy in force, between two batches; servers/reload.py tries it first.

        Raises:
            SpecMismatch: if it does not mean the same by the bodies of the robots that are here.
        """
        with self._door:
            check_meaning(self.robots, policy)
            outdated = refit(self.robots, self.policy, policy, self._engine.model + 1)
            self._outdated = frozenset(robot.id for robot in outdated)
            for robot in outdated:
                self.robots.remove(robot.id)
            self._engine.swap(policy)
        for robot in outdated:
            for request in self._batcher.drop(robot):
                self._faults.outdated(request.reply, request.number, robot)

    def receive(self, header: bytes, body: memoryview, reply: Reply, peer: str = "") -> None:
        """Take one message of the wire; never waits for the policy or for an image.

        Args:
            header: Its first frame.
            body: Its second, which must not change any more.
            reply: Takes the answer.
            peer: Public key of the client, "" without one.
        """
        try:
            message = wire.read_request(header)
            arrays: Arrays = {}
            if type(message) is wire.Observe:
                try:
                    arrays = views(message.arrays, body, self.limits.image_bytes)
                except BadMessage as error:
                    error.request = message.request
                    raise
        except BadMessage as error:
            self._faults.send(reply, error.code, str(error), error.request)
            return
        self.handle(message, arrays, reply, peer, len(body))

    def handle(
        self,
        message: wire.Request,
        arrays: Arrays,
        reply: Reply,
        peer: str = "",
        size: int = 0,
    ) -> None:
        """Take one message that has been read, as `receive` does.

        Args:
            message: What is said; its own `arrays` do not count.
            arrays: What comes with it, by name.
            reply: Takes the answer.
            peer: Public key of the client, "" without one.
            size: What it takes up until it is prepared [bytes].
        """
        now = time.monotonic()
        if self._until < math.inf and not isinstance(message, wire.Ping | wire.Bye):
            self._faults.stopping(reply, message.request)
            return
        match message:
            case wire.Observe() | wire.Reset():
                robot = self.robots.find(message.session, peer, now)
                if robot is None:
                    if message.session in self._outdated:
                        self._faults.outdated(reply, message.request)
                    else:
                        self._faults.no_session(reply, message.request, message.session)
                    return
                robot.reply = reply
                if wait_s := robot.ahead(now, self.limits.rate):
                    why = f"more than {self.limits.rate:g} messages a second of this robot"
                    self._faults.overloaded(reply, message.request, why, robot, wait_s)
                elif not self._preparer.put(robot, _Received(message, arrays, reply, now), size):
                    why = "too many frames of this robot"
                    self._faults.overloaded(reply, message.request, why, robot, robot.unread_s)
            case wire.Ping():
                reply(self._pong(message.request), {})
            case wire.Hello():
                self._greet(message, reply, peer, now)
            case wire.Bye():
                if (robot := self.robots.find(message.session, peer, now)) is not None:
                    self.robots.remove(robot.id)
                    self._batcher.drop(robot)
                    logger.info("goodbye", extra={"robot": robot.name})

    def refuse(
        self, reply: Reply, message: str, code: wire.FaultCode = "bad_message", remedy: str = ""
    ) -> None:
        """Answer what is not even a message, or not taken from this peer."""
        self._faults.send(reply, code, message, None, remedy=remedy)

    def expire(self) -> None:
        """Forget robots that have been silent for too long."""
        for robot in self.robots.expire(time.monotonic()):
            logger.info("forgotten", extra={"robot": robot.name, "silent_s": self.limits.session_s})
            self._batcher.drop(robot)

    def status(self) -> ServerStatus:
        """Look at the live figures."""
        trouble = STOPS if self._until < math.inf else ""
        return snapshot(
            self._engine, self._faults, self.robots, self._began, trouble, self.reload_failures
        )

    def pictures(self, number: int) -> Mapping[str, np.ndarray]:
        """Newest images of the robot of this number, by camera; none if there is no such robot."""
        for robot in self.robots:
            if robot.number == number:
                return robot.session.pictures()
        return {}

    def _greet(self, hello: wire.Hello, reply: Reply, peer: str, now: float) -> None:
        try:
            with self._door:
                policy = self.policy
                robot = greet(hello, policy, self.robots, self.limits, peer, now)
                robot.model = self._engine.model
        except Refused as error:
            self._faults.send(reply, error.code, error.message, hello.request, remedy=error.remedy)
            return
        resumed = robot.id == hello.resume
        robot.reply = reply
        about = {"robot": robot.name, "body": robot.session.body.name, "peer": peer or None}
        logger.info("welcome back" if resumed else "welcome", extra=about)
        reply(welcome(robot, policy, self.limits, hello.request, resumed), {})

    def _prepare(self, robot: Robot, item: _Received) -> None:
        message, reply = item.message, item.reply
        if time.monotonic() > self._until:
            self._faults.stopping(reply, message.request)
            return
        try:
            if isinstance(message, wire.Reset):
                robot.session.calibrate(message.calibration)
                robot.session.reset()
                for request in self._batcher.drop(robot):
                    self._faults.send(
                        request.reply,
                        "stale",
                        "The robot was reset.",
                        request.number,
                        robot=robot,
                    )
                return
            frame = frame_of(message, item.arrays, robot.session.body)
            seen = dict[str, int]()
            for one in message.arrays:
                if one.at_ns is not None:
                    seen[one.name] = one.at_ns
            robot.session.observe(frame, message.observed_at_ns, seen)
            robot.observed = True
            robot.instruction = "; ".join(message.words.values())
            if message.act:
                self._ask(robot, message, item, bool(seen))
        except Exception as error:
            code: wire.FaultCode = "bad_observation"
            words = str(error)
            if isinstance(error, BadMessage):
                code = error.code
            elif not isinstance(error, OctoverseError):
                logger.exception("a frame could not be prepared", extra={"robot": robot.name})
                code, words = "policy_failed", FAILED
            self._faults.send(reply, code, words, message.request, robot=robot)

    def _ask(self, robot: Robot, message: wire.Observe, item: _Received, seen_apart: bool) -> None:
        robot.asked(item.at)
        session, prefix = robot.session, dict[str, np.ndarray]()
        if message.chunk_ns is not None:
            rows = message.executed_steps, message.frozen_steps
            prefix = session.prefix(message.chunk_ns, *rows)
        observation = session.observation(message.seed, message.step, prefix)
        if seen_apart:
            check_present(session.body, observation)
        waiting = Waiting(
            observation=observation,
            memory=session.memory,
            number=message.request,
            robot=robot,
            reply=item.reply,
            received=item.at,
            ready=time.monotonic(),
            deadline=math.inf
            if message.deadline_ms is None
            else item.at + (message.deadline_ms - message.uplink_ms) / 1000,
        )
        if (refused := self._engine.ask(waiting)) is not None:
            if self._until < math.inf:
                self._faults.stopping(refused.reply, refused.number)
                return
            why, wait_s = "too many requests wait", self._batcher.retry_after(refused.robot)
            self._faults.overloaded(refused.reply, refused.number, why, refused.robot, wait_s)

    def _pong(self, request: int) -> wire.Pong:
        return wire.Pong(
            request=request,
            model=self.policy.model,
            uptime_s=time.monotonic() - self._began,
            sessions=len(self.robots),
            queue=len(self._batcher),
            load=self._engine.tally.load,
            at_ns=time.monotonic_ns(),
            bodies=tuple(self.policy.bodies),
        )
