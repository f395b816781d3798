from typing import Any

import pytest

from octoverse.training.config import TrainingConfig


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"steps": 0}, "and keep must be at least 1, got 0, 64, 500, 20 and 2"),
        ({"keep": 0}, "and keep must be at least 1, got 10000, 64, 500, 20 and 0"),
        ({"warmup_steps": 11, "steps": 10}, r"warmup_steps must be at most steps \(10\), got 11"),
        ({"mean_of": 1.0}, r"mean_of must be in \[0, 1\), got 1.0"),
        ({"mean_of": -0.1}, r"mean_of must be in \[0, 1\), got -0.1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        TrainingConfig(**settings)
