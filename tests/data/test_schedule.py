from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from octoverse.data.schedule import Draw, Schedule


def schedule(*sizes: list[int], **settings: Any) -> Schedule:
    settings = {"weights": [1.0] * len(sizes), "per_episode": [None] * len(sizes), **settings}
    return Schedule([np.array(each) for each in sizes], batch_size=4, **settings)


def places(draws: list[Draw]) -> list[tuple[int, int, int]]:
    return [(draw.source, draw.episode, draw.step) for draw in draws]


def test_every_step_comes_once_an_epoch_and_epochs_differ() -> None:
    planned = schedule([5, 9, 6])
    epochs = [[p for _ in range(5) for p in places(planned.next())] for _ in range(3)]
    for epoch in epochs:
        assert sorted(epoch) == [(0, e, s) for e, n in enumerate([5, 9, 6]) for s in range(n)]
    assert epochs[0] != epochs[1] != epochs[2]
    assert planned.steps == 20


def test_long_episodes_give_their_share_and_other_steps_in_each_epoch() -> None:
    planned = schedule([100, 3, 5], per_episode=[4])
    assert planned.steps == 4 + 3 + 4
    epochs = [[p for _ in range(11) for p in places(planned.next())] for _ in range(8)]
    flat = [place for epoch in epochs for place in epoch]
    each = [flat[i : i + 11] for i in range(0, 88, 11)]
    for epoch in each:
        assert len(set(epoch)) == 11
        assert [sum(1 for p in epoch if p[1] == e) for e in range(3)] == [4, 3, 4]
    assert len({p for p in flat if p[1] == 0}) > 20


@given(
    st.lists(st.lists(st.integers(1, 30), min_size=1, max_size=4), min_size=1, max_size=4),
    st.integers(0, 2**31),
    st.integers(1, 4),
)
def test_ranks_share_every_epoch_and_agree_on_what_comes_next(
    sizes: list[list[int]], seed: int, world: int
) -> None:
    sizes = [each for each in sizes if sum(each) >= world] or [[world]]
    ranks = [schedule(*sizes, seed=seed, rank=rank, world=world) for rank in range(world)]
    seen: list[set[tuple[int, int, int]]] = [set() for _ in sizes]
    for _ in range(5):
        steps = [places(rank.next()) for rank in ranks]
        assert len({tuple(p[0] for p in step) for step in steps}) == 1
        for step in steps:
            for place in step:
                if ranks[0].drawn[place[0]] <= sum(sizes[place[0]]) // world:
                    assert place not in seen[place[0]]
                seen[place[0]].add(place)
                assert place[2] < sizes[place[0]][place[1]]


def test_weights_decide_how_often_a_source_is_drawn() -> None:
    planned = schedule([50], [70], weights=[3.0, 1.0])
    drawn = [sum(d.source == 0 for d in planned.next()) for _ in range(400)]
    assert set(drawn) == {3}
    planned = Schedule(
        [np.array([50]), np.array([70])], [3.0, 1.0], [None, None], batch_size=6, seed=1
    )
    drawn = [sum(d.source == 0 for d in planned.next()) for _ in range(400)]
    assert set(drawn) == {4, 5} and np.mean(drawn) == pytest.approx(4.5, abs=0.1)
    assert planned.at_most(0) >= 5 and planned.at_most(1) >= 2


def test_a_step_in_the_middle_is_planned_without_those_before() -> None:
    whole, later = schedule([9, 4], [8]), schedule([9, 4], [8])
    for _ in range(7):
        whole.next()
    later.step, later.drawn = whole.step, list(whole.drawn)
    assert [whole.next() for _ in range(9)] == [later.next() for _ in range(9)]


def test_samples_have_seeds_of_their_own() -> None:
    planned = schedule([50], [70])
    seeds = [draw.seed for _ in range(50) for draw in planned.next()]
    assert len(set(seeds)) == len(seeds)


def test_an_order_of_many_steps_takes_no_memory() -> None:
    planned = schedule([2**40], [10])
    assert all(d.step < 2**40 for _ in range(3) for d in planned.next())
