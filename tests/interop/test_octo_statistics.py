from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from octoverse import registry
from octoverse.embodiment import Embodiment
from octoverse.errors import BadData
from octoverse.interop.octo_folder import OctoFolder
from octoverse.interop.octo_statistics import body_statistics, check_scaling, choose, numbers

ONE: dict[str, Any] = {
    "mean": [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
    "std": [0.01, 1e-6, 0.0, 0.1, 0.1, 0.1, 0.5],
    "min": [-0.4, -1.0, 0.0, -1.0, -1.0, -1.0, 0.0],
    "max": [0.4, 1.0, 0.4, 1.0, 1.0, 1.0, 1.0],
    "mask": [True] * 6 + [False],
}


def folder(statistics: dict[str, Any]) -> OctoFolder:
    return OctoFolder(
        path=Path("octo"), step=1, config={}, statistics=statistics, shapes={}, parameters={}
    )


def widowx() -> Embodiment:
    body: Embodiment = registry.load("embodiment", "widowx")
    return body


def test_actions_are_scaled_as_octo_scaled_them() -> None:
    chosen = {"action": ONE, "num_transitions": 7}
    found = body_statistics("bridge", chosen, widowx().action)
    arm, gripper = found.action["arm"], found.action["gripper"]
    assert (found.of, arm.count, arm.units) == ("bridge", 7, ("m", "m", "m", "rad", "rad", "rad"))
    offset, scale = arm.scale("normal")
    assert offset == pytest.approx(ONE["mean"][:6])
    assert scale == pytest.approx([0.01, 1e-6, 1e-8, 0.1, 0.1, 0.1])
    assert [part.tolist() for part in gripper.scale("normal")] == [[0.0], [1.0]]


def test_bounds_are_those_that_the_model_was_shown() -> None:
    chosen = {"action": ONE}
    found = body_statistics("", chosen, widowx().action)
    arm, gripper = found.action["arm"], found.action["gripper"]
    assert arm.low == pytest.approx([-0.05, 0.1 - 5e-6, 0.2, -0.2, -0.1, 0.0])
    assert arm.high == pytest.approx([0.05, 0.1 + 5e-6, 0.2, 0.8, 0.9, 1.0])
    assert (gripper.low, gripper.high) == ((0.0,), (1.0,))


def test_a_code_comes_back_from_the_mean_and_deviation_alone() -> None:
    plain = {"mean": ONE["mean"], "std": [0.5] * 7}
    found = body_statistics("", {"action": plain}, widowx().action)
    offset, scale = (
        np.concatenate([one.scale("normal")[i] for one in found.action.values()]) for i in (0, 1)
    )
    assert offset + 2 * scale == pytest.approx([m + 1.0 for m in ONE["mean"]])


def test_statistics_of_one_of_several_data_sets_are_chosen() -> None:
    several = folder({"a": {"action": ONE}, "b": {"action": ONE}})
    assert choose(several, "b") == ("b", {"action": ONE})
    assert choose(folder({"a": {"action": ONE}}), None)[0] == "a"
    assert choose(folder({"action": ONE}), None) == ("", {"action": ONE})


def test_a_choice_that_cannot_be_made_is_refused_with_the_cure() -> None:
    several = folder({"a": {"action": ONE}, "b": {"action": ONE}, "c": {}})
    with pytest.raises(BadData, match=r"several data sets, .* Name it with --data-set: a, b, c"):
        choose(several, None)
    for name in ("d", "c"):
        with pytest.raises(BadData, match=f"the actions of '{name}', found those of: a, b, c"):
            choose(several, name)
    with pytest.raises(
        BadData, match="to choose 'a' from, got those of one data set without a name"
    ):
        choose(folder({"action": ONE}), "a")


def test_how_many_numbers_an_action_has_is_what_scales_them() -> None:
    assert numbers(folder({}), {"action": ONE}) == 7
    for told in ({"mean": [0.0] * 7}, {"mean": [0.0] * 7, "std": [1.0]}):
        with pytest.raises(
            BadData, match="expected mean and std of every number of an action, got"
        ):
            numbers(folder({}), {"action": told})


def test_actions_that_are_scaled_otherwise_are_refused() -> None:
    def told(kind: str) -> OctoFolder:
        inside = {"dataset_kwargs": {"list": [{"action_proprio_normalization_type": kind}]}}
        return replace(folder({}), config=inside)

    check_scaling(folder({}))
    check_scaling(told("normal"))
    with pytest.raises(BadData, match="expected action_proprio_normalization_type normal, got bou"):
        check_scaling(told("bounds"))
