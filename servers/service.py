"""What a policy server does with a message, whatever the transport."""

import logging
import time
from dataclasses import dataclass
from typing import Any

from octoverse import wire
from octoverse.acting import ActingPolicy, open_session
from octoverse.embodiment import Camera, Embodiment, GoalImage, differences, stream_shape
from octoverse.errors import BadMessage, OctoverseError, SpecMismatch
from octoverse.packing import Jpeg, views
from octoverse.servers.batcher import Batcher, Waiting
from octoverse.servers.engine import FAILED, Engine
from octoverse.servers.faults import Faults, Send
from octoverse.servers.preparer import Preparer
from octoverse.servers.robots import Robot, Robots
from octoverse.servers.status import RobotStatus, ServerStatus
from octoverse.wire import Limits

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Received:
    message: wire.Observe | wire.Reset
    body: memoryview
    send: Send
    at: float


class Service:
    """Answers messages with a policy.

    Args:
        policy: What computes.
        max_batch: Requests computed together, at most.
        max_wait_ms: How long a batch is held back for robots about to come back, at most.
        limits: What is refused.
        prepare_threads: How many frames are decoded and resized at once.
    """

    def __init__(
        self,
        policy: ActingPolicy,
        *,
        max_batch: int = 16,
        max_wait_ms: float = 5.0,
        limits: Limits | None = None,
        prepare_threads: int = 2,
    ) -> None:
        self.policy, self.limits = policy, limits or Limits()
        self.robots = Robots(self.limits)
        self._batcher = Batcher(
            max_batch=max_batch, max_wait_ms=max_wait_ms, max_queue=self.limits.queue
        )
        self._faults = Faults()
        self._engine = Engine(policy, self._batcher, self._faults)
        self._preparer = Preparer(self._prepare, self.limits, prepare_threads)
        self._began = time.monotonic()

    def start(self) -> None:
        """Begin to compute."""
        self._engine.start()

    def stop(self) -> None:
        """Finish the batch at work, and answer those that wait that it is over."""
        self._engine.stop()
        self._preparer.close()

    def receive(self, header: bytes, body: memoryview, send: Send) -> None:
        """Take one message; never waits for the policy or for an image."""
        now = time.monotonic()
        try:
            message = wire.read_request(header)
        except BadMessage as error:
            self._faults.send(send, error.code, str(error), error.request)
            return
        match message:
            case wire.Ping():
                send(wire.encode(self._pong(message.request)), None)
            case wire.Hello():
                self._greet(message, send)
            case wire.Bye():
                if robot := self.robots.remove(message.session):
                    self._batcher.drop(robot, forget=True)
            case wire.Observe() | wire.Reset():
                robot = self.robots.find(message.session, now)
                if robot is None:
                    self._faults.send(
                        send,
                        "no_session",
                        f"session {message.session[:8]}: expected one in use, got one that this "
                        "server does not know.",
                        message.request,
                        remedy="Say Hello again; the window starts anew.",
                    )
                elif not self._preparer.put(robot, _Received(message, body, send, now), len(body)):
                    self._refuse_overload(send, message.request, "too many frames of this robot")

    def refuse(self, send: Send, message: str) -> None:
        """Answer what is not even a message."""
        self._faults.send(send, "bad_message", message, None)

    def expire(self) -> None:
        """Forget robots that have been silent for too long."""
        for robot in self.robots.expire(time.monotonic()):
            logger.info("forgot %s, silent for %g s", robot.name, self.limits.session_s)
            self._batcher.drop(robot, forget=True)

    def status(self) -> ServerStatus:
        """Look at the live figures."""
        now = time.monotonic()
        return ServerStatus(
            model=self.policy.model,
            uptime_s=now - self._began,
            robots=tuple(_robot_status(robot, now) for robot in self.robots),
            queue=len(self._batcher),
            answered=self._engine.answered,
            batches=self._engine.batches,
            mean_batch=self._engine.answered / max(self._engine.batches, 1),
            inference_ms=1000 * self._batcher.inference,
            load=self._engine.load,
            faults=self._faults.counts,
        )

    def _greet(self, hello: wire.Hello, send: Send) -> None:
        body = hello.embodiment
        try:
            session = open_session(
                self.policy,
                body,
                memory_bytes=self.limits.memory_bytes,
                calibration=hello.calibration,
            )
        except OctoverseError as error:
            self._faults.send(send, "unknown_body", str(error), hello.request)
            return
        found = differences(self.policy.bodies[body.name], body) or _sizes(body, self.limits)
        if found:
            self._faults.send(
                send,
                "spec_mismatch",
                f"'{body.name}' as the server knows it (here) and as the robot sends it (there) "
                f"differ: {'; '.join(found)}.",
                hello.request,
                remedy="Give the robot the spec that the policy was trained with, or train anew.",
            )
            return
        robot = Robot(session=session, client=hello.client)
        if not self.robots.add(robot):
            self._faults.send(
                send,
                "too_many_sessions",
                f"sessions: expected at most {self.limits.sessions}, all of them in use.",
                hello.request,
                remedy="Close clients that are done, or raise the server's limit.",
            )
            return
        logger.info("%s: welcome", robot.name)
        welcome = wire.Welcome(
            request=hello.request,
            session=robot.id,
            protocol=wire.PROTOCOL,
            model=self.policy.model,
            statistics=self.policy.statistics,
            action=dict(self.policy.bodies[body.name].action),
            horizons=dict(self.policy.horizons[body.name]),
            control_hz=body.control_hz,
            frames=session.frames,
            spacing=session.spacing,
            camera_sizes=dict(self.policy.camera_sizes.get(body.name, {})),
            limits=self.limits,
        )
        send(wire.encode(welcome), None)

    def _prepare(self, robot: Robot, item: _Received) -> None:
        message, send = item.message, item.send
        try:
            if isinstance(message, wire.Reset):
                robot.session.calibrate(message.calibration)
                robot.session.reset()
                for request in self._batcher.drop(robot):
                    self._faults.send(request.send, "stale", "The robot was reset.", request.number)
                return
            frame = _frame(message, item.body, robot.session.body, self.limits)
            robot.session.observe(frame, message.observed_at_ns)
            robot.instruction = "; ".join(message.words.values())
            if message.act:
                self._ask(robot, message, item)
        except BadMessage as error:
            self._faults.send(send, error.code, str(error), message.request)
        except OctoverseError as error:
            self._faults.send(send, "bad_observation", str(error), message.request)
        except Exception:
            logger.exception("%s: a frame could not be prepared", robot.name)
            self._faults.send(send, "policy_failed", FAILED, message.request)

    def _ask(self, robot: Robot, message: wire.Observe, item: _Received) -> None:
        robot.asked(item.at)
        deadline = None if message.deadline_ms is None else item.at + message.deadline_ms / 1000
        waiting = Waiting(
            observation=robot.session.observation(message.seed, message.step),
            memory=robot.session.memory,
            number=message.request,
            robot=robot,
            send=item.send,
            received=item.at,
            ready=time.monotonic(),
            deadline=deadline,
        )
        if not self._batcher.put(waiting):
            self._refuse_overload(item.send, message.request, "too many requests wait")

    def _refuse_overload(self, send: Send, request: int, why: str) -> None:
        retry_ms = self._batcher.retry_after_ms
        self._faults.send(
            send,
            "overloaded",
            f"The server is overloaded: {why}.",
            request,
            remedy=f"Ask again in {retry_ms:.0f} ms, or less often.",
            retry_after_ms=retry_ms,
        )

    def _pong(self, request: int) -> wire.Pong:
        return wire.Pong(
            request=request,
            model=self.policy.model,
            uptime_s=time.monotonic() - self._began,
            sessions=len(self.robots),
            queue=len(self._batcher),
            load=self._engine.load,
        )


def _robot_status(robot: Robot, now: float) -> RobotStatus:
    return RobotStatus(
        session=robot.id,
        body=robot.session.body.name,
        client=robot.client,
        instruction=robot.instruction,
        requests=robot.requests,
        hz=robot.hz,
        latency_ms=robot.latency_ms,
        silent_s=now - robot.heard,
    )


def _sizes(body: Embodiment, limits: Limits) -> list[str]:
    """Say what is wrong with the sizes of a robot's images, which may otherwise differ."""
    images = [s for s in body.observation.values() if isinstance(s, Camera | GoalImage)]
    total = sum(3 * image.height * image.width for image in images)
    if total <= limits.image_bytes:
        return []
    return [f"observation: at most {limits.image_bytes} bytes of images here, {total} there"]


def _frame(
    message: wire.Observe, packed: memoryview, body: Embodiment, limits: Limits
) -> dict[str, Any]:
    """Look at what a robot sent; images are decoded once their shape is known to be right."""
    frame: dict[str, Any] = dict(message.words)
    for name, array in views(message.arrays, packed, limits.image_bytes).items():
        if name in frame:
            raise BadMessage(f"'{name}': expected words or an array, got both.")
        if isinstance(array, Jpeg) and name in body.observation:
            shape = stream_shape(body.observation[name])
            if array.shape != shape:
                raise SpecMismatch(
                    f"{body.name}.{name}: expected shape {shape}, got {array.shape}."
                )
            frame[name] = array.decode()
        else:
            frame[name] = array
    return frame
