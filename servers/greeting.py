"""Let a robot in: whether it and the policy mean the same, and what it is to expect."""

from octoverse import wire
from octoverse.acting import ActingPolicy, open_session
from octoverse.embodiment import Camera, Embodiment, GoalImage, differences
from octoverse.errors import OctoverseError, UnknownName
from octoverse.servers.robots import Robot, Robots
from octoverse.wire import FaultCode, Limits


class Refused(Exception):
    """A robot is not let in; its words are the client's."""

    def __init__(self, code: FaultCode, message: str, remedy: str = "") -> None:
        self.code: FaultCode = code
        self.message, self.remedy = message, remedy
        super().__init__(message)


def greet(
    hello: wire.Hello, policy: ActingPolicy, robots: Robots, limits: Limits, peer: str, now: float
) -> Robot:
    """Find the session that is to go on, or open a new one.

    Args:
        hello: Who comes.
        policy: What it wants to ask.
        robots: Where it is taken in.
        limits: What is refused.
        peer: Public key of its client, "" without one.
        now: Monotonic time [s].

    Raises:
        Refused: if it is refused, with the code and the words for the client.
    """
    body = hello.embodiment
    if body.name not in policy.bodies:
        unknown = UnknownName(f"body of {policy.model}", body.name, policy.bodies)
        raise Refused("unknown_body", str(unknown))
    # First of all: nothing is made of numbers that may be anything.
    found = differences(policy.bodies[body.name], body) or _sizes(body, limits)
    if found:
        raise Refused(
            "spec_mismatch",
            f"'{body.name}' as the server knows it (here) and as the robot sends it (there) "
            f"differ: {'; '.join(found)}.",
            "Give the robot the spec that the policy was trained with, or train anew.",
        )
    try:
        if hello.resume and (robot := robots.find(hello.resume, peer, now)):
            if robot.session.body == body:
                if hello.calibration != robot.session.calibration:
                    robot.session.calibrate(hello.calibration)
                return robot
        session = open_session(
            policy, body, memory_bytes=limits.memory_bytes, calibration=hello.calibration
        )
    except OctoverseError as error:
        raise Refused("spec_mismatch", str(error)) from error
    robot = Robot(session=session, client=hello.client, peer=peer)
    if not robots.add(robot):
        raise Refused(
            "too_many_sessions",
            f"sessions: expected at most {limits.sessions}, all of them in use.",
            "Close clients that are done, or raise the server's limit.",
        )
    return robot


def welcome(
    robot: Robot, policy: ActingPolicy, limits: Limits, request: int, resumed: bool
) -> wire.Welcome:
    """Say to a robot that was let in what to expect."""
    body = robot.session.body
    return wire.Welcome(
        request=request,
        session=robot.id,
        protocol=wire.PROTOCOL,
        model=policy.model,
        statistics=policy.statistics,
        action=dict(policy.bodies[body.name].action),
        horizons=dict(policy.horizons[body.name]),
        control_hz=body.control_hz,
        resumed=resumed,
        frames=robot.session.frames,
        spacing=robot.session.spacing,
        camera_sizes=dict(policy.camera_sizes.get(body.name, {})),
        limits=limits,
    )


def _sizes(body: Embodiment, limits: Limits) -> list[str]:
    """Say what is wrong with the sizes of a robot's images, which may otherwise differ."""
    images = [s for s in body.observation.values() if isinstance(s, Camera | GoalImage)]
    total = sum(3 * image.height * image.width for image in images)
    if total <= limits.image_bytes:
        return []
    return [f"observation: at most {limits.image_bytes} bytes of images here, {total} there"]
