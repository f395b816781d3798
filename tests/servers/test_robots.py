import time

import msgspec

from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.servers.robots import Robot, Robots
from octoverse.session import Session
from octoverse.wire import Limits

LIMITS = Limits(sessions=2, session_s=60.0, message_bytes=100)


def robot(heard: float = 0.0) -> Robot:
    return Robot(session=Session(TABLETOP_ARM), client="arm", heard=heard)


def test_every_session_has_128_random_bits() -> None:
    ids = {robot().id for _ in range(100)}
    assert len(ids) == 100
    assert all(len(bytes.fromhex(one)) == 16 for one in ids)


def test_a_robot_that_is_heard_of_stays() -> None:
    robots, one = Robots(LIMITS), robot()
    robots.add(one)
    assert robots.find(one.id, "", now=50.0) is one
    assert robots.expire(now=100.0) == []
    assert robots.expire(now=110.1) == [one]
    assert robots.find(one.id, "", now=111.0) is None


def test_the_longest_silent_makes_room_but_nobody_at_work_does() -> None:
    robots, silent, active = Robots(LIMITS), robot(0.0), robot(95.0)
    assert robots.add(silent)
    assert robots.add(active)
    assert robots.add(robot(100.0))
    assert next(iter(robots)) is active
    assert not robots.add(robot(101.0))
    assert len(robots) == 2


def test_the_inbox_is_bounded_in_bytes_and_in_number() -> None:
    one = robot()
    assert one.accept("first, of any size", 1000, LIMITS)
    assert not one.accept("second", 1, LIMITS)
    assert one.take() == "first, of any size"
    roomy = msgspec.structs.replace(LIMITS, message_bytes=10**9)
    taken = [one.accept(i, 1, roomy) for i in range(70)]
    assert taken.count(True) == 64
    assert one.take() == 0


def test_figures_follow_what_happens() -> None:
    one, now = robot(), time.monotonic()
    for i in range(50):
        one.asked(now + i * 0.1)
        one.answered(20.0)
    assert one.requests == 50
    assert abs(one.hz - 10) < 0.1
    assert one.latency_ms == 20.0
