import time

import msgspec
import pytest

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
    for one in robots:
        one.observed = True
    new = robot(100.0)
    assert robots.add(new)
    assert [*robots] == [active, new]
    new.observed = True
    assert not robots.add(robot(101.0))
    assert len(robots) == 2


def test_who_never_delivered_a_frame_makes_room_first() -> None:
    robots, silent, idle = Robots(LIMITS), robot(0.0), robot(99.9)
    silent.observed = True
    robots.add(silent)
    robots.add(idle)
    new = robot(100.0)
    assert robots.add(new)
    assert [*robots] == [silent, new]


def test_a_robot_may_send_at_its_rate_with_a_second_in_one_burst() -> None:
    one = robot()
    assert [one.ahead(7.0, rate=4.0) for _ in range(6)] == [0.0] * 5 + [0.25]
    assert one.ahead(7.2, rate=4.0) == pytest.approx(0.05)
    assert one.ahead(7.25, rate=4.0) == 0.0
    assert one.ahead(7.25, rate=4.0) == 0.25
    taken = [one.ahead(100 + i / 4, rate=4.0) for i in range(100)]
    assert taken == [0.0] * 100


def test_what_is_unread_tells_how_long_it_will_take() -> None:
    one = robot()
    one.accept("first", 1, LIMITS)
    one.accept("second", 1, LIMITS)
    assert one.unread_s == pytest.approx(0.02)
    one.prepared_s = 0.5
    assert one.unread_s == 1.0


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
