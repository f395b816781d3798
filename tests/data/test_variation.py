from typing import Any

import numpy as np
import pytest

from octoverse.data.variation import Variation
from octoverse.errors import BadConfig


def test_every_setting_draws_the_same_count_of_numbers() -> None:
    streams = [np.random.default_rng(3) for _ in range(3)]
    for variation, rng in zip(
        [
            Variation(),
            Variation(goal="uniform", goal_only=0.5, rephrase=1.0),
            Variation(goal="last"),
        ],
        streams,
        strict=True,
    ):
        variation.draw(rng, 3, 10)
    assert len({rng.random() for rng in streams}) == 1


def test_goals_lie_ahead_and_are_drawn_evenly() -> None:
    rng = np.random.default_rng(0)
    goals = [Variation(goal="uniform").draw(rng, 5, 10).goal for _ in range(4000)]
    counts = np.bincount([goal for goal in goals if goal is not None], minlength=10)
    assert not counts[:6].any() and counts[6:].min() > 900


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"goal_only": 1.5}, "goal_only is a chance, expected 0 to 1, got 1.5"),
        ({"rephrase": -0.1}, "rephrase is a chance, expected 0 to 1, got -0.1"),
        ({"goal_only": 0.6, "words_only": 0.6}, r"goal_only \+ words_only is a chance, .* got 1.2"),
        ({"dropout": {"tool": 2.0}}, "dropout of 'tool' is a chance, expected 0 to 1, got 2.0"),
    ],
)
def test_bad_chances_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(BadConfig, match=words):
        Variation(**settings)
