from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from octoverse import registry
from octoverse.data.source import body_of
from octoverse.embodiments.rc_car import RC_CAR
from octoverse.embodiments.widowx import WIDOWX
from octoverse.policy import Policy
from octoverse.recipes import real
from octoverse.training.config import Recipe
from octoverse.training.heldout import held_out_report
from octoverse.training.loop import train, window_spec

RealData = Callable[[str], Path]


@pytest.fixture
def recipe(real_data: RealData) -> Recipe:
    real_data("donkeycar-tub")
    return real.real(real_data("bridge-octo-debug").parent)


def test_a_policy_of_arm_and_car_is_built_and_reads_what_the_recordings_have(
    small: ModuleType,
) -> None:
    bodies = {"widowx": WIDOWX, "rc_car": RC_CAR}
    statistics = {name: small.statistics(body) for name, body in bodies.items()}
    policy = Policy(real.policy_config(), bodies, statistics)
    assert window_spec(policy, "widowx").streams == ("primary", "tool", "instruction")
    assert window_spec(policy, "rc_car").streams == ("front", "instruction")
    assert policy.horizons["rc_car"] == {"pedals": 4}
    assert registry.load("recipe", "real") is real.real


def test_nothing_held_out_is_trained_on(recipe: Recipe) -> None:
    pairs = zip(recipe.sources, recipe.held_out, strict=True)
    for training, kept in ((a.source, b.source) for a, b in pairs):
        assert training.embodiment == kept.embodiment
        assert training.fingerprint() != kept.fingerprint()
        assert len(training) and len(kept)
        one, other = training.episode(0), kept.episode(0)
        assert (one.source, one.key) != (other.source, other.key)
        name = "primary" if kept.embodiment == "widowx" else "front"
        shown = {
            bytes(np.asarray(picture).tobytes())
            for index in range(len(training))
            for picture in training.episode(index).observation[name]
        }
        assert not any(
            bytes(np.asarray(picture).tobytes()) in shown for picture in other.observation[name]
        )


@pytest.mark.slow
def test_it_trains_on_both_at_once_and_is_measured_on_both(recipe: Recipe, tmp_path: Path) -> None:
    from dataclasses import replace

    settings = replace(recipe.training, steps=6, batch_size=16, warmup_steps=2, save_every=6)
    bodies = {entry.source.embodiment: body_of(entry.source) for entry in recipe.sources}
    policy = train(replace(recipe, training=settings), bodies, tmp_path, quiet=True)
    report = held_out_report(policy, recipe.held_out, tmp_path)
    assert set(report.bodies) == {"widowx", "rc_car"}
    assert np.isfinite([*report.bodies["widowx"], *report.bodies["rc_car"]]).all()
