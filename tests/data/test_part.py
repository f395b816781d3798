from types import ModuleType

import numpy as np
import pytest

from octoverse.data.part import hold_out
from octoverse.data.source import Source


def test_the_last_episodes_are_held_out(small: ModuleType) -> None:
    whole = small.Made(sizes=(3, 4, 5, 6, 7, 8, 9, 10, 11, 12))
    train, held = hold_out(whole, 0.2)
    assert held is not None and isinstance(train, Source) and isinstance(held, Source)
    assert train.lengths().tolist() == [3, 4, 5, 6, 7, 8, 9, 10]
    assert held.lengths().tolist() == [11, 12] and len(held) == 2
    assert [train.episode(i).key for i in range(8)] == [str(i) for i in range(8)]
    assert [held.episode(i).key for i in range(2)] == ["8", "9"]
    assert (train.name, held.name) == ("made/train", "made/held out")
    assert train.embodiment == held.embodiment == "tabletop_arm"
    prints = {train.fingerprint(), held.fingerprint(), whole.fingerprint()}
    assert len(prints) == 3
    with pytest.raises(IndexError, match="'made/held out' has episodes 0 to 1, got 2"):
        held.episode(2)


def test_at_least_one_episode_is_held_out_where_there_are_enough(small: ModuleType) -> None:
    train, held = hold_out(small.Made(sizes=(3,) * 5), 0.01)
    assert held is not None and (len(train), len(held)) == (4, 1)


def test_nothing_is_held_out_of_few_episodes_or_where_that_is_not_wanted(small: ModuleType) -> None:
    few, many = small.Made(sizes=(3,) * 4), small.Made(sizes=(3,) * 9)
    assert hold_out(few, 0.5) == (few, None)
    assert hold_out(many, 0.0) == (many, None)
    assert np.array_equal(hold_out(few, 0.5)[0].lengths(), few.lengths())
