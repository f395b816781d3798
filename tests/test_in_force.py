from types import ModuleType
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from octoverse.batch import training_batch
from octoverse.data.windows import StackedWindows
from octoverse.errors import BadConfig, UnknownName
from octoverse.in_force import scaled_as, use_statistics
from octoverse.normalize import BodyStatistics, Statistics
from octoverse.policy import Policy

ARM, CPU = "tabletop_arm", torch.device("cpu")


def stretched(found: BodyStatistics, by: float) -> BodyStatistics:
    def each(one: Statistics) -> Statistics:
        parts = ("mean", "std", "low", "high", "q01", "q99")
        changed = {part: tuple(by * value for value in getattr(one, part)) for part in parts}
        return msgspec.structs.replace(one, **changed)

    return BodyStatistics(
        observation={name: each(one) for name, one in found.observation.items()},
        action={name: each(one) for name, one in found.action.items()},
    )


@pytest.fixture(params=["regression", "bins", "flow"])
def apart(small: ModuleType, request: pytest.FixtureRequest) -> Policy:
    """Its arm has two data sets, of which b's numbers are three times as large."""
    torch.manual_seed(0)
    statistics = {name: small.statistics(body) for name, body in small.BODIES.items()}
    plain = statistics[ARM]
    sets = {
        name: msgspec.structs.replace(stretched(plain, by), of=name)
        for name, by in (("a/train", 1.0), ("b/train", 3.0))
    }
    statistics[ARM] = msgspec.structs.replace(stretched(plain, 2.0), apart=sets)
    return Policy(small.config(request.param), small.BODIES, statistics).eval()


def batch(small: ModuleType, sources: list[int], places: list[int] | None) -> Any:
    windows = [small.window(ARM, number) for number in range(len(sources))]
    stacked = StackedWindows.from_windows(windows)
    object.__setattr__(stacked, "source", np.array(sources))
    return training_batch(small.BODIES[ARM], stacked, CPU, places)


def test_every_sample_is_scaled_by_its_own_data_set(small: ModuleType, apart: Policy) -> None:
    use, mixed = apart.config.bodies[ARM].readouts[0], batch(small, [5, 7], [-1] * 5 + [0, -1, 1])
    assert torch.isfinite(apart.loss({ARM: mixed}).total)
    actions = torch.cat([mixed.action[group] for group in use.groups], -1)
    together = apart.codecs[use.key].encode(actions, apart._references(ARM, mixed)[use.key])
    states = apart._scaled(ARM, mixed)["tool"].values
    for row, name in enumerate(("a/train", "b/train")):
        with scaled_as(apart, ARM, name):
            alone = batch(small, [0, 0], None)
            code = apart.codecs[use.key].encode(actions, apart._references(ARM, alone)[use.key])
            assert torch.equal(code[row], together[row])
            assert not torch.equal(code[1 - row], together[1 - row])
            assert torch.equal(apart._scaled(ARM, alone)["tool"].values[row], states[row])


def test_several_answers_to_a_sample_are_scaled_as_it_is(small: ModuleType, apart: Policy) -> None:
    use = apart.config.bodies[ARM].readouts[0]
    reference = apart._references(ARM, batch(small, [0, 1], [0, 1]))[use.key]
    assert torch.allclose(reference.scale.scale[1, :, :4], 3 * reference.scale.scale[0, :, :4])
    repeated = reference.repeat(2).scale.scale
    assert repeated.shape == (4, 1, 5) and torch.equal(repeated[0], repeated[1])


def test_acting_is_refused_until_one_is_named(small: ModuleType, apart: Policy) -> None:
    seen = [small.window(ARM, 0).observation]
    words = r"its own statistics \(a/train, b/train\), and it is not said whose are in force. Name"
    with pytest.raises(BadConfig, match=words):
        apart.act(seen)
    apart.act([small.window("road_car", 0).observation])
    use_statistics(apart, "b/train")
    (chunk,) = apart.act(seen)
    assert np.isfinite(chunk.action["arm"]).all()
    assert apart.body_statistics[ARM].of == "b/train"
    assert f"{ARM} b/train {apart.body_statistics[ARM].hash}" in apart.statistics


def test_what_is_named_must_be_one_of_each_body(apart: Policy) -> None:
    with pytest.raises(UnknownName, match=r"named 'b'. .*Known: a/train, b/train"):
        use_statistics(apart, "b")
    words = r"'tabletop_arm' is scaled by .*\(a/train, b/train\): expected one of .* got none"
    with pytest.raises(BadConfig, match=words):
        use_statistics(apart)
    with pytest.raises(BadConfig, match="got a/train, b/train"):
        use_statistics(apart, "a/train", "b/train")


def test_a_body_whose_data_are_merged_needs_no_name(small: ModuleType) -> None:
    policy = small.policy()
    use_statistics(policy)
    with scaled_as(policy, ARM, "whatever"):
        policy.act([small.window(ARM, 0).observation])


def test_for_a_while_another_split_is_scaled_alike(small: ModuleType, apart: Policy) -> None:
    before = apart.body_statistics[ARM]
    with scaled_as(apart, ARM, "b/val"):
        assert apart.body_statistics[ARM].of == "b/train"
    assert apart.body_statistics[ARM] is before
    with pytest.raises(BadConfig, match="Whose statistics scale 'c/val' cannot be told: 'tableto"):
        with scaled_as(apart, ARM, "c/val"):
            pass
