import threading
import time
from typing import Any

import pytest

from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.episode import Observation
from octoverse.servers.batcher import Batcher, Waiting
from octoverse.servers.robots import Robot
from octoverse.session import Session

OBSERVATION = Observation(embodiment="tabletop_arm", streams={}, valid={})


def robot() -> Robot:
    return Robot(session=Session(TABLETOP_ARM), client="")


def waiting(whose: Robot, *, received: float = 0.0, deadline: float | None = None) -> Waiting:
    now = time.monotonic()
    return Waiting(
        robot=whose,
        observation=OBSERVATION,
        memory={},
        number=1,
        send=lambda header, body: None,
        received=now + received,
        ready=now,
        deadline=None if deadline is None else now + deadline,
    )


def take(batcher: Batcher) -> list[Waiting]:
    taken = batcher.take()
    assert taken is not None
    assert not taken[1]
    return taken[0]


def test_a_batch_takes_what_has_come_up_to_its_size() -> None:
    batcher = Batcher(max_batch=3)
    asked = [waiting(robot()) for _ in range(5)]
    for request in asked:
        assert batcher.put(request)
    assert take(batcher) == asked[:3]
    assert take(batcher) == asked[3:]


def test_one_robot_alone_never_waits() -> None:
    batcher, alone = Batcher(max_wait_ms=1000), robot()
    for _ in range(3):
        batcher.put(waiting(alone))
        began = time.monotonic()
        batcher.computed(take(batcher), 0.5)
        assert time.monotonic() - began < 0.2


def test_the_earliest_deadline_goes_first() -> None:
    batcher = Batcher(max_batch=2)
    soon, none, later = (
        waiting(robot(), deadline=0.5),
        waiting(robot()),
        waiting(robot(), deadline=0.8),
    )
    for request in (none, later, soon):
        batcher.put(request)
    assert take(batcher) == [soon, later]


def test_who_has_no_deadline_does_not_starve() -> None:
    batcher = Batcher(max_batch=1)
    old, urgent = waiting(robot(), received=-1.0), waiting(robot(), deadline=0.5)
    batcher.put(urgent)
    batcher.put(old)
    assert take(batcher) == [old]


def test_a_batch_holds_one_request_of_each_robot() -> None:
    batcher, eager, other = Batcher(max_batch=4), robot(), robot()
    first, second, third = waiting(eager), waiting(eager), waiting(other)
    for request in (first, second, third):
        batcher.put(request)
    assert take(batcher) == [first, third]
    assert take(batcher) == [second]


def test_what_has_missed_its_deadline_is_given_back_stale() -> None:
    batcher = Batcher()
    late, fine = waiting(robot(), deadline=-0.001), waiting(robot(), deadline=5.0)
    batcher.put(late)
    batcher.put(fine)
    assert batcher.take() == ([], [late])
    assert batcher.take() == ([fine], [])


def test_a_full_line_takes_no_more() -> None:
    batcher = Batcher(max_queue=2)
    assert batcher.put(waiting(robot()))
    assert batcher.put(waiting(robot()))
    assert not batcher.put(waiting(robot()))
    assert len(batcher) == 2


def test_the_hint_to_come_again_grows_with_the_line() -> None:
    batcher = Batcher(max_batch=2)
    batcher.computed([], 0.1)
    alone = batcher.retry_after_ms
    for _ in range(4):
        batcher.put(waiting(robot()))
    assert alone == pytest.approx(100)
    assert batcher.retry_after_ms == pytest.approx(300)


def test_robots_in_lock_step_are_computed_together() -> None:
    """Each comes back 3 ms after its answer; a greedy batcher would split them in two halves."""
    batcher, robots = Batcher(max_batch=8, max_wait_ms=20), [robot() for _ in range(4)]
    stop = threading.Event()

    def come_back(who: Robot, after: float) -> None:
        time.sleep(after)
        if not stop.is_set():
            batcher.put(waiting(who))

    for who in robots[:2]:
        batcher.put(waiting(who))
    sizes = []
    for _ in range(12):
        batch = take(batcher)
        sizes.append(len(batch))
        if len(sizes) == 1:  # the others come while the first two are computed
            for who in robots[2:]:
                batcher.put(waiting(who))
        time.sleep(0.05)
        batcher.computed(batch, 0.05)
        for i, request in enumerate(batch):
            threading.Thread(target=come_back, args=(request.robot, 0.003 + 0.0005 * i)).start()
    stop.set()
    assert sizes[0] == 2
    assert sizes[-4:] == [4, 4, 4, 4]


def test_who_does_not_come_back_is_not_waited_for_again() -> None:
    batcher, here, gone = Batcher(max_wait_ms=200), robot(), robot()
    for _ in range(2):
        batcher.put(waiting(here))
        batcher.put(waiting(gone))
        batcher.computed(take(batcher), 1.0)
    time.sleep(0.01)
    batcher.put(waiting(here))
    began = time.monotonic()
    assert len(take(batcher)) == 1
    assert time.monotonic() - began < 0.15


def test_what_waits_of_a_robot_can_be_taken_out() -> None:
    batcher, one, other = Batcher(), robot(), robot()
    mine, theirs = waiting(one), waiting(other)
    batcher.put(mine)
    batcher.put(theirs)
    assert batcher.drop(one, forget=True) == [mine]
    assert take(batcher) == [theirs]


def test_closing_gives_back_what_waits_and_wakes_the_taker() -> None:
    batcher: Batcher = Batcher()
    taken: list[Any] = []
    thread = threading.Thread(target=lambda: taken.append(batcher.take()))
    thread.start()
    assert batcher.close() == []
    thread.join(5)
    assert taken == [None]
    assert not batcher.put(waiting(robot()))
    other, left = Batcher(), waiting(robot())
    other.put(left)
    assert other.close() == [left]


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="max_batch and max_queue must be at least 1, got 0 and 5"):
        Batcher(max_batch=0, max_queue=5)
    with pytest.raises(ValueError, match="max_wait_ms must be at least 0, got -1"):
        Batcher(max_wait_ms=-1)
