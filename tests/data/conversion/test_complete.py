from pathlib import Path
from typing import Any

import numpy as np

from octoverse import registry
from octoverse.data.conversion.complete import completed
from octoverse.data.conversion.plan import make_plan


def test_what_is_not_real_becomes_zero_black_or_empty(made_data: Any, tmp_path: Path) -> None:
    source, body = made_data.MadeDrives(), registry.load("embodiment", "passenger_car")
    plan = make_plan(source, tmp_path / "looked.json")
    found = completed(source.episode(0), plan, body)
    assert tuple(found.observation) == plan.observation
    assert not found.observation["cross_left"][1].any()
    assert found.observation["cross_left"][1].shape == (24, 32, 3)
    assert not found.observation_valid["cross_left"].any()
    assert found.observation["speed"][0] == 0 and found.observation["speed"][1] > 0
    assert not found.action["path"][:, 63].any() and np.isfinite(found.action["path"]).all()
    assert found.action_valid["path"].shape == (5, 64)
    assert np.asarray(found.observation["command"]).dtype == np.int64


def test_images_stay_lazy(made_data: Any, tmp_path: Path) -> None:
    source, body = made_data.MadeDrives(), registry.load("embodiment", "passenger_car")
    plan = make_plan(source, tmp_path / "looked.json")
    given, found = source.episode(1), completed(source.episode(1), plan, body)
    assert found.observation["front"][2] == given.observation["front"][2]
    assert list(found.observation_valid["cross_left"]) == [True] * 4
