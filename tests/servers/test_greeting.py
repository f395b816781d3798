import msgspec
import pytest

from octoverse import wire
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.episode import Calibration
from octoverse.servers.greeting import Refused, greet, welcome
from octoverse.servers.robots import Robot, Robots
from octoverse.wire import Limits

LENS = Calibration(intrinsics=(1.0,) * 9, extrinsics=(2.0,) * 16)
HELLO = wire.Hello(protocol=1, embodiment=TABLETOP_ARM, client="arm 1")


def let_in(servo: type, robots: Robots, hello: wire.Hello, peer: str = "") -> Robot:
    return greet(hello, servo(), robots, Limits(sessions=1), peer, 0.0)


def test_a_new_robot_starts_clean_and_is_told_what_to_expect(servo: type) -> None:
    robots = Robots(Limits())
    robot = greet(HELLO, servo(), robots, Limits(), "key", 0.0)
    assert list(robots) == [robot]
    assert (robot.client, robot.peer) == ("arm 1", "key")
    said = welcome(robot, servo(), Limits(), request=4, resumed=False)
    assert (said.request, said.session, said.frames, said.spacing) == (4, robot.id, 3, 0.1)
    assert said.camera_sizes == {"table": (24, 32), "wrist": (24, 32)}


def test_who_comes_back_gets_its_session_with_its_new_calibration(servo: type) -> None:
    robots = Robots(Limits())
    robot = let_in(servo, robots, HELLO)
    back = msgspec.structs.replace(HELLO, resume=robot.id, calibration={"table": LENS})
    assert let_in(servo, robots, back) is robot
    assert robot.session.calibration == {"table": LENS}


def test_another_spec_does_not_get_the_session(servo: type) -> None:
    robots = Robots(Limits())
    robot = let_in(servo, robots, HELLO)
    table = msgspec.structs.replace(TABLETOP_ARM.observation["table"], height=48)
    body = msgspec.structs.replace(
        TABLETOP_ARM, observation={**TABLETOP_ARM.observation, "table": table}
    )
    other = msgspec.structs.replace(HELLO, embodiment=body, resume=robot.id)
    assert greet(other, servo(), robots, Limits(), "", 0.0) is not robot


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"name": "stranger"}, "unknown_body", "No body of servo-1 named 'stranger'"),
        ({"control_hz": 99.0}, "spec_mismatch", "control_hz"),
        ({"control_hz": 1e-320}, "spec_mismatch", "control_hz"),  # an endless time between frames
    ],
)
def test_who_does_not_fit_is_refused(
    servo: type, changes: dict[str, object], code: str, words: str
) -> None:
    body = msgspec.structs.replace(TABLETOP_ARM, **changes)
    with pytest.raises(Refused, match=words) as caught:
        let_in(servo, Robots(Limits()), msgspec.structs.replace(HELLO, embodiment=body))
    assert caught.value.code == code


@pytest.mark.parametrize("comes_back", [False, True])
def test_a_calibration_that_cannot_be_is_refused(servo: type, comes_back: bool) -> None:
    robots = Robots(Limits())
    robot = let_in(servo, robots, HELLO)
    hello = msgspec.structs.replace(
        HELLO, calibration={"stranger": LENS}, resume=robot.id if comes_back else None
    )
    with pytest.raises(Refused, match="No camera of 'tabletop_arm' named 'stranger'") as caught:
        let_in(servo, robots, hello)
    assert caught.value.code == "spec_mismatch"


def test_a_full_table_is_said(servo: type) -> None:
    robots = Robots(Limits(sessions=1))
    let_in(servo, robots, HELLO).observed = True
    with pytest.raises(Refused, match="expected at most 1, all of them in use") as caught:
        let_in(servo, robots, HELLO)
    assert caught.value.code == "too_many_sessions"
