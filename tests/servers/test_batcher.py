"""The time is the test's own: a batcher waits by moving it on, so no load changes an outcome."""

import heapq
import math
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.episode import Observation
from octoverse.servers.batcher import Batcher, Clock, Waiting
from octoverse.servers.robots import Robot
from octoverse.session import Session

OBSERVATION = Observation(embodiment="tabletop_arm", streams={}, valid={})


class GivenTime(Clock):
    """Moves on only where someone waits, and does then what is planned."""

    def __init__(self) -> None:
        self.time = 0.0
        self._plan: list[tuple[float, int, Callable[[], object]]] = []
        self._planned = 0

    def now(self) -> float:
        return self.time

    def plan(self, after: float, action: Callable[[], object]) -> None:
        self._planned += 1
        heapq.heappush(self._plan, (self.time + after, self._planned, action))

    def go_on(self, seconds: float) -> None:
        until = self.time + seconds
        while self._plan and self._plan[0][0] <= until:
            self._next()
        self.time = until

    def wait(self, changed: threading.Condition, seconds: float | None = None) -> None:
        if self._plan and (seconds is None or self._plan[0][0] <= self.time + seconds):
            self._next()
        else:
            assert seconds is not None, "waits for ever"
            self.time += seconds

    def _next(self) -> None:
        self.time, _, action = heapq.heappop(self._plan)
        action()


class ToldClock(Clock):
    """The real time; tells that someone begins to wait, still holding the lock."""

    def __init__(self) -> None:
        self.waits = threading.Event()

    def wait(self, changed: threading.Condition, seconds: float | None = None) -> None:
        self.waits.set()
        super().wait(changed, seconds)


def robot() -> Robot:
    return Robot(session=Session(TABLETOP_ARM), client="")


def waiting(
    whose: Robot, *, now: float = 0.0, received: float = 0.0, deadline: float | None = None
) -> Waiting:
    return Waiting(
        robot=whose,
        observation=OBSERVATION,
        memory={},
        number=1,
        reply=lambda message, arrays: None,
        received=now + received,
        ready=now,
        deadline=math.inf if deadline is None else now + deadline,
    )


def come(batcher: Batcher, clock: GivenTime, who: Robot) -> None:
    batcher.put(waiting(who, now=clock.time))


def take(batcher: Batcher) -> list[Waiting]:
    taken = batcher.take()
    assert taken is not None
    assert not taken[1]
    return taken[0]


def test_a_batch_takes_what_has_come_up_to_its_size() -> None:
    batcher = Batcher(max_batch=3, clock=GivenTime())
    asked = [waiting(robot()) for _ in range(5)]
    for request in asked:
        assert batcher.put(request) is None
    assert take(batcher) == asked[:3]
    assert take(batcher) == asked[3:]


def test_one_robot_alone_never_waits() -> None:
    clock, alone = GivenTime(), robot()
    batcher = Batcher(max_wait_ms=1000, clock=clock)
    for began in (0.0, 0.5, 1.0):
        batcher.put(waiting(alone, now=clock.time))
        batch = take(batcher)
        assert clock.time == began
        clock.go_on(0.5)
        batcher.computed(batch, 0.5)


def test_the_earliest_deadline_goes_first() -> None:
    batcher = Batcher(max_batch=2, clock=GivenTime())
    soon, none, later = (
        waiting(robot(), deadline=0.5),
        waiting(robot()),
        waiting(robot(), deadline=0.8),
    )
    for request in (none, later, soon):
        batcher.put(request)
    assert take(batcher) == [soon, later]


def test_who_has_no_deadline_does_not_starve() -> None:
    batcher = Batcher(max_batch=1, clock=GivenTime())
    old, urgent = waiting(robot(), received=-1.0), waiting(robot(), deadline=0.5)
    batcher.put(urgent)
    batcher.put(old)
    assert take(batcher) == [old]


def test_a_batch_holds_one_request_of_each_robot() -> None:
    batcher, eager, other = Batcher(max_batch=4, clock=GivenTime()), robot(), robot()
    first, second, third = waiting(eager), waiting(eager), waiting(other)
    for request in (first, second, third):
        batcher.put(request)
    assert take(batcher) == [first, third]
    assert take(batcher) == [second]


def test_what_has_missed_its_deadline_is_given_back_stale() -> None:
    batcher = Batcher(clock=GivenTime())
    late, fine = waiting(robot(), deadline=-0.001), waiting(robot(), deadline=5.0)
    batcher.put(late)
    batcher.put(fine)
    assert batcher.take() == ([], [late])
    assert batcher.take() == ([fine], [])


def test_what_would_miss_its_deadline_is_given_back_before_it_is_computed() -> None:
    batcher = Batcher(clock=GivenTime())
    for _ in range(20):
        batcher.computed([], 0.1)
    near, far = waiting(robot(), deadline=0.09), waiting(robot(), deadline=0.11)
    batcher.put(near)
    batcher.put(far)
    assert batcher.take() == ([], [near])
    assert batcher.take() == ([far], [])


def test_one_slow_batch_does_not_make_all_others_late() -> None:
    batcher = Batcher(clock=GivenTime())
    batcher.computed([], 60.0)
    outcomes: list[str] = []
    while not outcomes or outcomes[-1] == "late":
        request = waiting(robot(), deadline=0.1)
        batcher.put(request)
        outcomes.append("late" if batcher.take() == ([], [request]) else "computed")
    assert 2 < len(outcomes) < 12


def test_who_has_most_in_a_full_line_loses_its_newest() -> None:
    batcher, greedy, modest = Batcher(max_batch=9, max_queue=3, clock=GivenTime()), robot(), robot()
    asked = [waiting(greedy) for _ in range(4)]
    assert [batcher.put(request) for request in asked] == [None, None, None, asked[3]]
    mine, more = waiting(modest), waiting(modest)
    assert batcher.put(mine) is asked[2]
    assert batcher.put(more) is more
    assert len(batcher) == 3
    assert [take(batcher), take(batcher)] == [[asked[0], mine], [asked[1]]]
    assert len(batcher) == 0


def test_who_was_just_answered_makes_room_in_a_line_of_one_each() -> None:
    batcher, served = Batcher(max_batch=1, max_queue=2, clock=GivenTime()), robot()
    batcher.put(waiting(served))
    take(batcher)
    again, other, new = waiting(served), waiting(robot()), waiting(robot())
    for request in (other, again):
        batcher.put(request)
    assert batcher.put(new) is again
    assert batcher.put(again) is again
    assert [take(batcher), take(batcher)] == [[other], [new]]


def test_the_hint_to_come_again_grows_with_the_line() -> None:
    batcher = Batcher(max_batch=2, clock=GivenTime())
    batcher.computed([], 0.1)
    eager = robot()
    assert batcher.retry_after(eager) == pytest.approx(0.1)
    for _ in range(4):
        batcher.put(waiting(robot()))
    assert batcher.retry_after(eager) == pytest.approx(0.3)
    for _ in range(5):
        batcher.put(waiting(eager))
    assert batcher.retry_after(eager) == pytest.approx(0.6)


def sizes_in_lock_step(max_wait_ms: float, batches: int) -> list[int]:
    """Each of four robots comes back 3 ms or little more after its answer.

    Two are there when the policy is free for the first time, two come while it computes.
    """
    clock, robots = GivenTime(), [robot() for _ in range(4)]
    batcher = Batcher(max_batch=8, max_wait_ms=max_wait_ms, clock=clock)

    for who in robots[:2]:
        come(batcher, clock, who)
    for who in robots[2:]:
        clock.plan(0.01, partial(come, batcher, clock, who))
    sizes = []
    for _ in range(batches):
        batch = take(batcher)
        sizes.append(len(batch))
        clock.go_on(0.05)
        batcher.computed(batch, 0.05)
        for i, request in enumerate(batch):
            clock.plan(0.003 + 0.0005 * i, partial(come, batcher, clock, request.robot))
    return sizes


def test_robots_in_lock_step_are_computed_together() -> None:
    sizes = sizes_in_lock_step(max_wait_ms=20, batches=12)
    assert sizes[0] == 2
    assert sizes[-4:] == [4, 4, 4, 4]


def test_robots_in_lock_step_fall_apart_where_nothing_is_held_back() -> None:
    assert sizes_in_lock_step(max_wait_ms=0, batches=12) == [2] * 12


TAKES_S = 0.4


def accustom(batcher: Batcher, clock: GivenTime, returns: dict[Robot, float]) -> None:
    """Compute all together twice, each coming back so many seconds after its answer."""
    for _ in range(2):
        for who, after in returns.items():
            clock.plan(after, partial(come, batcher, clock, who))
        clock.go_on(max(returns.values()))
        batch = take(batcher)
        assert len(batch) == len(returns)
        clock.go_on(TAKES_S)
        batcher.computed(batch, TAKES_S)


def held(batcher: Batcher, clock: GivenTime, *asked: Waiting) -> float:
    """How long a batch of these is held back while no other comes [s]."""
    for request in asked:
        batcher.put(request)
    began = clock.time
    assert take(batcher) == list(asked)
    return clock.time - began


@pytest.mark.parametrize(
    ("max_wait_ms", "usual", "deadline", "expected"),
    [
        pytest.param(100, 0.05, None, 0.1, id="at most max_wait_ms"),
        pytest.param(500, 0.05, None, TAKES_S / 2, id="at most half of what a batch takes"),
        pytest.param(100, 0.05, TAKES_S + 0.06, 0.06, id="at most until the deadline allows"),
        pytest.param(100, 0.05, TAKES_S - 0.01, 0.0, id="not where the deadline is near"),
        pytest.param(100, 0.15, None, 0.0, id="not for one that usually comes later"),
    ],
)
def test_a_batch_is_held_back_for_a_robot_that_usually_comes_soon(
    max_wait_ms: float, usual: float, deadline: float | None, expected: float
) -> None:
    clock, here, absent = GivenTime(), robot(), robot()
    batcher = Batcher(max_wait_ms=max_wait_ms, clock=clock)
    accustom(batcher, clock, {here: 0.0, absent: usual})
    asked = waiting(here, now=clock.time, deadline=deadline)
    assert held(batcher, clock, asked) == pytest.approx(expected)


def test_a_robot_that_stays_away_is_not_waited_for_again() -> None:
    clock, here, gone = GivenTime(), robot(), robot()
    batcher = Batcher(max_wait_ms=100, clock=clock)
    accustom(batcher, clock, {here: 0.0, gone: 0.0})
    for expected in (0.1, 0.0):
        asked = waiting(here, now=clock.time)
        assert held(batcher, clock, asked) == pytest.approx(expected)
        clock.go_on(TAKES_S)
        batcher.computed([asked], TAKES_S)


def test_a_full_batch_is_held_back_for_nobody() -> None:
    clock, here, absent = GivenTime(), robot(), robot()
    batcher = Batcher(max_batch=2, max_wait_ms=100, clock=clock)
    accustom(batcher, clock, {here: 0.0, absent: 0.05})
    assert held(batcher, clock, *(waiting(who, now=clock.time) for who in (here, robot()))) == 0


def test_a_robot_whose_next_request_waits_already_is_not_expected() -> None:
    clock, eager = GivenTime(), robot()
    batcher = Batcher(max_wait_ms=100, clock=clock)
    accustom(batcher, clock, {eager: 0.05})
    asked = [waiting(eager, now=clock.time) for _ in range(2)]
    for request in asked:
        batcher.put(request)
    assert take(batcher) == asked[:1]
    clock.go_on(TAKES_S)
    batcher.computed(asked[:1], TAKES_S)
    began = clock.time
    assert take(batcher) == asked[1:]
    assert clock.time == began


def test_what_waits_of_a_robot_can_be_taken_out() -> None:
    batcher, one, other = Batcher(clock=GivenTime()), robot(), robot()
    mine, theirs = waiting(one), waiting(other)
    batcher.put(mine)
    batcher.put(theirs)
    assert batcher.drop(one) == [mine]
    assert take(batcher) == [theirs]


def test_closing_refuses_what_comes_and_gives_out_what_waits() -> None:
    clock, absent, asked = GivenTime(), robot(), waiting(robot())
    batcher = Batcher(max_wait_ms=100, clock=clock)
    accustom(batcher, clock, {asked.robot: 0.0, absent: 0.05})
    batcher.put(asked)
    batcher.close()
    new, began = waiting(robot()), clock.time
    assert batcher.put(new) is new
    assert take(batcher) == [asked]
    assert clock.time == began, "held back for robots that may not come"
    assert batcher.take() is None


def test_closing_wakes_the_taker() -> None:
    clock = ToldClock()
    batcher, taken = Batcher(clock=clock), list[Any]()
    thread = threading.Thread(target=lambda: taken.append(batcher.take()))
    thread.start()
    assert clock.waits.wait(60)
    batcher.close()
    thread.join(60)
    assert taken == [None]


def test_clearing_gives_all_that_wait_in_order() -> None:
    batcher, eager = Batcher(clock=GivenTime()), robot()
    asked = [waiting(eager), waiting(eager), waiting(robot())]
    for request in asked:
        batcher.put(request)
    assert batcher.clear() == asked
    assert len(batcher) == 0
    batcher.put(asked[0])
    assert take(batcher) == asked[:1]


def test_a_request_wakes_the_taker() -> None:
    clock, request = ToldClock(), waiting(robot())
    batcher, taken = Batcher(clock=clock), list[Any]()
    thread = threading.Thread(target=lambda: taken.append(batcher.take()))
    thread.start()
    assert clock.waits.wait(60)
    batcher.put(request)
    thread.join(60)
    assert taken == [([request], [])]


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="max_batch and max_queue must be at least 1, got 0 and 5"):
        Batcher(max_batch=0, max_queue=5)
    with pytest.raises(ValueError, match="max_wait_ms must be at least 0, got -1"):
        Batcher(max_wait_ms=-1)
