import threading
import time
from collections import defaultdict
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.servers.preparer import Preparer
from octoverse.servers.robots import Robot
from octoverse.session import Session
from octoverse.wire import Limits

Until = Callable[[Callable[[], bool]], None]


def robot() -> Robot:
    return Robot(session=Session(TABLETOP_ARM), client="")


@pytest.mark.parametrize("seconds", [0.0, 0.001])
def test_each_robot_s_messages_are_worked_off_in_order_and_one_at_a_time(
    seconds: float, until: Until
) -> None:
    done: dict[Robot, list[int]] = defaultdict(list)
    inside: dict[Robot, int] = defaultdict(int)
    most = [0]

    def work(whose: Robot, message: Any) -> None:
        inside[whose] += 1
        most[0] = max(most[0], inside[whose])
        time.sleep(seconds)
        done[whose].append(message)
        inside[whose] -= 1

    preparer, robots = Preparer(work, Limits(), threads=3), [robot() for _ in range(4)]
    for i in range(40):
        for one in robots:
            assert preparer.put(one, i, 1)
    until(lambda: all(len(done[one]) == 40 for one in robots))
    preparer.close()
    assert all(done[one] == list(range(40)) for one in robots)
    assert most[0] == 1


def test_slow_work_is_handed_over_and_quick_work_is_done_on_the_spot(
    monkeypatch: pytest.MonkeyPatch, until: Until
) -> None:
    where: list[threading.Thread] = []
    now, takes = [0.0], [0.0]
    clock = SimpleNamespace(monotonic=lambda: now[0])
    monkeypatch.setattr("octoverse.servers.preparer.time", clock)

    def work(whose: Robot, message: Any) -> None:
        now[0] += takes[0]
        where.append(threading.current_thread())

    preparer, one, here = Preparer(work, Limits()), robot(), threading.current_thread()

    def put(seconds: float) -> bool:
        takes[0], before = seconds, len(where)
        preparer.put(one, "message", 1)
        until(lambda: len(where) > before and not one.busy)
        return where[-1] is here

    assert not put(0.0)  # how long it takes is not known yet
    assert put(0.0)
    assert put(0.0004)
    assert put(0.0006)  # a surprise
    assert put(0.0006)  # and no accident
    assert not put(0.0006)
    assert not put(0.0)
    assert put(0.0)
    preparer.close()


def test_what_has_no_room_is_refused(until: Until) -> None:
    blocked = threading.Event()

    def work(whose: Robot, message: Any) -> None:
        blocked.wait(60)

    preparer = Preparer(work, Limits(message_bytes=10))
    one = robot()
    assert preparer.put(one, "at work", 8)
    until(lambda: not one.inbox)
    assert preparer.put(one, "waits", 8)
    assert not preparer.put(one, "too much", 8)
    blocked.set()
    preparer.close()


def test_closing_works_off_what_has_come() -> None:
    entered, go_on = threading.Event(), threading.Event()
    done: dict[Robot, list[int]] = {robot(): [] for _ in range(3)}

    def work(whose: Robot, message: Any) -> None:
        entered.set()
        go_on.wait(60)
        done[whose].append(message)

    preparer = Preparer(work, Limits())
    for number in range(30):
        for whose in done:
            preparer.put(whose, number, 1)
    assert entered.wait(60)
    closing = threading.Thread(target=preparer.close, args=(60.0,))
    closing.start()
    go_on.set()
    closing.join(60)
    assert not closing.is_alive()
    assert all(numbers == [*range(30)] for numbers in done.values())
    assert not any(thread.is_alive() for thread in preparer._threads)


def test_closing_does_not_wait_for_ever() -> None:
    entered, go_on = threading.Event(), threading.Event()

    def work(whose: Robot, message: Any) -> None:
        entered.set()
        go_on.wait(60)

    preparer = Preparer(work, Limits())
    preparer.put(robot(), "hangs", 1)
    assert entered.wait(60)
    preparer.close(within_s=0.001)
    assert not go_on.is_set()
    go_on.set()
    preparer.close(60)
