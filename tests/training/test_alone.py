from dataclasses import replace
from types import ModuleType

import pytest

from octoverse.data.weighted import Weighted
from octoverse.errors import UnknownName
from octoverse.training.alone import alone, only


def test_one_body_keeps_its_own_modules_data_and_settings(small: ModuleType) -> None:
    recipe = small.recipe(steps=7)
    found = alone(recipe, "road_car")
    assert found.name == "small-road_car"
    assert set(found.policy.bodies) == {"road_car"} and set(found.policy.readouts) == {"path"}
    assert set(found.policy.tokenizers) == {"language", "image", "ego_history", "state/speed"}
    assert found.policy.trunk == recipe.policy.trunk
    assert [e.source.embodiment for e in (*found.sources, *found.held_out)] == ["road_car"] * 2
    assert replace(found.training, batch_size=6) == recipe.training


def test_it_sees_as_many_samples_as_it_has_in_a_mixed_batch(small: ModuleType) -> None:
    recipe = small.recipe(batch_size=64)
    arm, car = recipe.sources
    more = Weighted(source=car.source, weight=2.0)
    mixed = replace(recipe, sources=[arm, car, more])
    assert alone(mixed, "road_car").training.batch_size == 48
    assert alone(mixed, "tabletop_arm").training.batch_size == 16


def test_an_unknown_body_is_told_with_those_that_there_are(small: ModuleType) -> None:
    with pytest.raises(UnknownName, match=r"No body of this policy named 'plane'.*tabletop_arm"):
        only(small.config(), "plane")
