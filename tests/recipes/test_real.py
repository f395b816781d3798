from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from octoverse import registry
from octoverse.data.source import body_of
from octoverse.embodiment import PathGroup
from octoverse.errors import BadData
from octoverse.policy import Policy
from octoverse.recipes import real
from octoverse.training.alone import alone
from octoverse.training.config import Recipe
from octoverse.training.heldout import held_out_report
from octoverse.training.loop import train, window_spec

RealData = Callable[[str], Path]
SECONDS = {"dobot_cr5": 2.0, "unitree_g1": 2.0, "fourier_gr1": 2.0, "passenger_car": 6.4}


@pytest.fixture
def recipe(real_data: RealData) -> Recipe:
    for name in (*real.WEIGHTS, *real.WHOLE):
        folder = real_data(name)
    return real.real(folder.parent)


def test_a_policy_of_all_bodies_is_built_and_reads_what_the_recordings_have(
    small: ModuleType,
) -> None:
    config = real.policy_config()
    bodies = {name: registry.load("embodiment", name) for name in config.bodies}
    policy = Policy(config, bodies, {name: small.statistics(b) for name, b in bodies.items()})
    assert window_spec(policy, "widowx").streams == ("primary", "tool", "instruction")
    assert window_spec(policy, "unitree_g1").streams == ("head", "arms", "hands", "instruction")
    assert window_spec(policy, "passenger_car").streams == (
        "front", "ego_history", "speed", "command", "instruction",
    )  # fmt: skip
    for name, seconds in SECONDS.items():
        for group, rows in policy.horizons[name].items():
            spec = bodies[name].action[group]
            hz = spec.hz if isinstance(spec, PathGroup) else bodies[name].control_hz
            assert rows / hz == seconds
    assert registry.load("recipe", "real") is real.real


def test_it_trains_on_every_body_and_holds_out_of_every_data_set_but_one(recipe: Recipe) -> None:
    trained = {entry.source.embodiment for entry in recipe.sources}
    assert trained == set(recipe.policy.bodies)
    assert {entry.source.embodiment for entry in recipe.held_out} == trained
    [kitti] = recipe.seen
    assert kitti in recipe.sources and len(recipe.held_out) == len(recipe.sources) - 1


def test_a_body_alone_sees_exactly_its_samples_of_the_mixed_batch(recipe: Recipe) -> None:
    assert sum(real.WEIGHTS.values()) + sum(real.WHOLE.values()) == recipe.training.batch_size
    for body in recipe.policy.bodies:
        weights = [e.weight for e in recipe.sources if e.source.embodiment == body]
        assert alone(recipe, body).training.batch_size == sum(weights)


def test_nothing_held_out_is_trained_on(recipe: Recipe) -> None:
    for training, kept in zip(recipe.sources, recipe.held_out, strict=False):
        one, other = training.source, kept.source
        assert one.embodiment == other.embodiment and one.fingerprint() != other.fingerprint()
        episodes = [one.episode(i) for i in range(len(one))]
        held = [other.episode(i) for i in range(len(other))]
        if "bridge" in one.name or len(episodes) > 1:  # whole episodes
            assert not {e.key for e in episodes} & {e.key for e in held}
            continue
        [before], [after] = episodes, held
        body = body_of(one)
        chunk = max(
            spec.steps / spec.hz
            if isinstance(spec, PathGroup)
            else recipe.policy.bodies[body.name].horizon / body.control_hz
            for spec in body.action.values()
        )
        if "tub" in one.name:  # its times begin anew in each split; keys number the records
            last, first = int(before.key.split("-")[1]), int(after.key.split("-")[0])
            gap = (first - last - 1) / body.control_hz
        else:
            gap = (after.times_ns[0] - before.times_ns[-1]) / 1e9 - 1 / body.control_hz
        assert gap > chunk - 1e-3, one.name


BARS = (
    ("bridge_dataset/val", "training mean", 0.8),
    ("donkeycar-tub/val", "training mean", 0.2),
    ("dobot-cr5/val", "training mean", 2.0),
    ("dobot-cr5/val", "last action", 2.0),
    ("unitree-g1-inspire/val", "training mean", 2.0),
    ("unitree-g1-inspire/val", "last action", 2.0),
    ("comma2k19-example/val", "training mean", 6.4),
    ("comma2k19-example/val", "constant velocity", 3.0),
)


def test_the_errors_on_the_recipe_s_page_beat_the_simple_predictions_that_they_must() -> None:
    page = (Path(__file__).parents[2] / "docs/real.md").read_text()
    cells = [line.strip("| ").split(" | ") for line in page.splitlines() if "/val |" in line]
    told = {(c[1], c[4]): (float(c[3].removesuffix(" s")), float(c[5]), float(c[7])) for c in cells}
    for data, against, seconds in BARS:
        ahead, simple, policy = told[data, against]
        assert ahead == seconds and policy < simple, (data, against)


def test_a_data_set_that_is_absent_is_named_with_where_it_was_expected(tmp_path: Path) -> None:
    words = "trains on 'bridge-octo-debug': expected it in .*bridge_dataset/1.0.0, found nothing"
    with pytest.raises(BadData, match=words):
        real.real(tmp_path)


@pytest.mark.slow
def test_it_trains_on_all_at_once_and_is_measured_on_all(recipe: Recipe, tmp_path: Path) -> None:
    settings = replace(recipe.training, steps=8, batch_size=128, warmup_steps=2, save_every=8)
    bodies = {entry.source.embodiment: body_of(entry.source) for entry in recipe.sources}
    policy = train(replace(recipe, training=settings), bodies, tmp_path, quiet=True)
    report = held_out_report(policy, recipe.held_out, tmp_path, seen=recipe.seen)
    assert {one.body for one in report.comparisons} == set(recipe.policy.bodies)
    assert np.isfinite([(one.policy, one.simple) for one in report.comparisons]).all()
    assert report.of("unitree_g1", "last action").seconds == 2.0
    assert report.of("passenger_car", "constant velocity").seconds == 3.0
