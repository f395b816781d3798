"""Whom the batcher lets wait, in time of the test's own: nothing here depends on the machine."""

import heapq
import itertools
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.episode import Observation
from octoverse.servers.batcher import Batcher, Clock, Waiting
from octoverse.servers.robots import Robot
from octoverse.session import Session

OBSERVATION = Observation(embodiment="tabletop_arm", streams={}, valid={})
TAKES_S = 0.02


class GivenTime(Clock):
    """Stands still."""

    time = 0.0

    def now(self) -> float:
        return self.time


def asked(robot: Robot, at: float, deadline: float, number: int = 0) -> Waiting:
    """A request that comes now, with so many seconds left."""
    return Waiting(
        robot=robot,
        observation=OBSERVATION,
        memory={},
        number=number,
        reply=lambda message, arrays: None,
        received=at,
        ready=at,
        deadline=at + deadline,
    )


@dataclass(eq=False)
class Asker:
    """Asks, so many times at once, and again a while after each answer or refusal."""

    pauses: Iterator[float]
    """Seconds from an answer to the next request."""
    deadline: float = math.inf
    """Of each request, from when it asks [s]."""
    at_once: int = 1
    robot: Robot = field(default_factory=lambda: Robot(session=Session(TABLETOP_ARM), client=""))


def play(batcher: Batcher, clock: GivenTime, askers: list[Asker], batches: int) -> list[Counter]:
    """Compute so many batches.

    Returns:
        How many requests of each were computed, went stale and were refused.
    """
    by_robot = {asker.robot: asker for asker in askers}
    computed, stale, refused = (Counter[Asker]() for _ in range(3))
    coming: list[tuple[float, int, Asker]] = []
    count = itertools.count()

    def come_back(asker: Asker) -> None:
        heapq.heappush(coming, (clock.time + next(asker.pauses), next(count), asker))

    def let_in() -> None:
        while coming and coming[0][0] <= clock.time:
            at, _, asker = heapq.heappop(coming)
            request = asked(asker.robot, at, asker.deadline)
            if (loser := batcher.put(request)) is not None:
                refused[by_robot[loser.robot]] += 1
                come_back(by_robot[loser.robot])

    for asker in askers:
        for _ in range(asker.at_once):
            come_back(asker)
    while batches:
        let_in()
        if not len(batcher):
            clock.time = coming[0][0]
            continue
        taken = batcher.take()
        assert taken is not None
        batch, late = taken
        clock.time += TAKES_S if batch else 0.0
        let_in()
        if batch:
            batches -= 1
            batcher.computed(batch, TAKES_S)
        for requests, counts in ((batch, computed), (late, stale)):
            for request in requests:
                counts[by_robot[request.robot]] += 1
                come_back(by_robot[request.robot])
    return [computed, stale, refused]


def uneven(rng: np.random.Generator, mean: float) -> Iterator[float]:
    while True:
        yield float(rng.exponential(mean))


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**32 - 1),
    max_batch=st.sampled_from([1, 3, 8, 16]),
    mean=st.sampled_from([0.0, 0.005, 0.05]),
)
def test_no_robot_of_64_that_want_the_same_gets_less_than_half_its_share(
    seed: int, max_batch: int, mean: float
) -> None:
    rng, clock = np.random.default_rng(seed), GivenTime()
    batcher = Batcher(max_batch=max_batch, max_wait_ms=0, clock=clock)
    round_s = TAKES_S * 64 / max_batch
    askers = [
        Asker(uneven(rng, mean), deadline=rng.choice([3 * round_s, 10 * round_s, math.inf]))
        for _ in range(64)
    ]
    batches = 40 * 64 // max_batch
    computed, _, _ = play(batcher, clock, askers, batches)
    share = sum(computed.values()) / 64
    assert share >= 20
    assert min(computed[asker] for asker in askers) >= share / 2


@pytest.mark.parametrize("max_queue", [24, 256])
@pytest.mark.parametrize("max_batch", [1, 2, 5, 16])
@pytest.mark.parametrize("haste", [0.05, math.inf])
def test_a_flood_takes_nobodys_share(max_batch: int, max_queue: int, haste: float) -> None:
    clock, rng = GivenTime(), np.random.default_rng(0)
    batcher = Batcher(max_batch=max_batch, max_wait_ms=0, max_queue=max_queue, clock=clock)
    flood = Asker(itertools.repeat(0.001), deadline=haste, at_once=300)
    modest = [Asker(uneven(rng, 0.002), at_once=2) for _ in range(8)]
    batches = 200
    computed, _, refused = play(batcher, clock, [flood, *modest], batches)
    due = batches * min(1.0, max_batch / 9)
    for asker in modest:
        assert computed[asker] >= 0.9 * due
        assert refused[asker] == 0
    assert refused[flood] > 0


def test_a_robot_that_was_idle_has_saved_nothing_up() -> None:
    clock = GivenTime()
    batcher = Batcher(max_batch=1, max_wait_ms=0, clock=clock)
    busy = Asker(itertools.repeat(0.0))
    idle = Asker(itertools.chain([1000 * TAKES_S], itertools.repeat(0.0)), at_once=1)
    computed, _, _ = play(batcher, clock, [busy, idle], 1000 + 100)
    assert computed[idle] == pytest.approx(50, abs=2)


def test_room_that_nobody_wanted_is_no_debt() -> None:
    clock = GivenTime()
    batcher = Batcher(max_batch=1, max_wait_ms=0, clock=clock)
    busy = Asker(itertools.repeat(0.0), at_once=2)
    late = Asker(itertools.chain([1000 * TAKES_S], itertools.repeat(0.0)), deadline=0.5)
    computed, _, _ = play(batcher, clock, [busy, late], 1000 + 100)
    assert computed[busy] >= 1000 + 48


def test_ever_new_robots_in_haste_do_not_keep_an_old_one_waiting() -> None:
    clock = GivenTime()
    batcher = Batcher(max_batch=1, max_wait_ms=0, clock=clock)
    old = Asker(itertools.repeat(math.inf))

    def ask(robot: Robot, deadline: float) -> Waiting:
        request = asked(robot, clock.time, deadline)
        assert batcher.put(request) is None
        return request

    first = ask(old.robot, 3600.0)
    for _ in range(1000):
        ask(Robot(session=Session(TABLETOP_ARM), client=""), 0.03)
        taken = batcher.take()
        assert taken is not None
        if first in taken[0]:
            break
        clock.time += 0.01
    assert clock.time == pytest.approx(0.97, abs=0.02)


@given(
    moves=st.lists(
        st.one_of(
            st.tuples(st.just("put"), st.integers(0, 4), st.sampled_from([0.01, 0.05, math.inf])),
            st.tuples(st.just("take"), st.sampled_from([0.001, 0.03])),
            st.tuples(st.just("drop"), st.integers(0, 4)),
            st.tuples(st.just("clear")),
        ),
        max_size=60,
    ),
    max_batch=st.integers(1, 4),
    max_queue=st.integers(1, 8),
)
def test_every_request_comes_out_once_and_a_robot_s_in_order(
    moves: list[tuple[Any, ...]], max_batch: int, max_queue: int
) -> None:
    clock, robots = GivenTime(), [Robot(session=Session(TABLETOP_ARM), client="") for _ in range(5)]
    batcher = Batcher(max_batch=max_batch, max_wait_ms=0, max_queue=max_queue, clock=clock)
    put, out, computed = list[Waiting](), list[Waiting](), list[Waiting]()
    for move, *details in moves:
        if move == "put":
            request = asked(robots[details[0]], clock.time, details[1], len(put))
            put.append(request)
            if (loser := batcher.put(request)) is not None:
                out.append(loser)
        elif move == "take" and len(batcher):
            taken = batcher.take()
            assert taken is not None
            batch, late = taken
            assert len({request.robot for request in batch}) == len(batch) <= max_batch
            assert all(request.deadline >= clock.time for request in batch)
            computed += batch
            out += [*batch, *late]
            clock.time += details[0]
            if batch:
                batcher.computed(batch, details[0])
        elif move == "drop":
            out += batcher.drop(robots[details[0]])
        elif move == "clear":
            out += batcher.clear()
        assert len(batcher) == len(put) - len(out) <= max_queue
    batcher.close()
    while (taken := batcher.take()) is not None:
        out += [*taken[0], *taken[1]]
        computed += taken[0]
    assert sorted(request.number for request in out) == [*range(len(put))]
    for robot in robots:
        mine = [request.number for request in computed if request.robot is robot]
        assert mine == sorted(mine)
