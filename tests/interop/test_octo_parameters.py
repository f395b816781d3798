from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from octoverse.errors import BadData
from octoverse.interop.octo import import_octo
from octoverse.interop.octo_folder import read_folder
from octoverse.interop.octo_parameters import fill, places
from octoverse.interop.octo_settings import read_settings


def imported(made_octo: Any, folder: Path, held: dict[str, np.ndarray]) -> None:
    import_octo(made_octo.write(folder, held=held))


@pytest.mark.parametrize("head", ["DiffusionActionHead", "L1ActionHead"])
def test_every_parameter_has_one_place_and_every_tensor_is_filled(
    made_octo: Any, tmp_path: Path, head: str
) -> None:
    sizes, told = made_octo.TINY, made_octo.config(made_octo.TINY)
    if head != "DiffusionActionHead":
        arguments = {"readout_key": "readout_action", "action_horizon": 4}
        told["model"]["heads"]["action"] = made_octo.spec(made_octo.HEADS, head, **arguments)
    held = made_octo.parameters(sizes)
    if head != "DiffusionActionHead":
        held = {name: value for name, value in held.items() if not name.startswith("heads_")}
        held |= made_octo.pooled_head(sizes)
    policy = import_octo(made_octo.write(tmp_path / "octo", sizes, told=told, held=held))
    table = places(read_settings(read_folder(tmp_path / "octo")), None)
    assert sorted(place.flax for place in table) == sorted(held)
    state = policy.state_dict()
    for place in table:
        assert np.array_equal(place.view(state[place.tensor]).numpy(), held[place.flax])
    assert sum(one.numel() for one in policy.parameters()) == sum(one.size for one in held.values())


def test_missing_extra_and_wrongly_shaped_parameters_are_named_with_both_shapes(
    made_octo: Any, tmp_path: Path
) -> None:
    held = made_octo.parameters(made_octo.TINY)
    readout = "octo_transformer/readout_action_pos_embedding"
    bias = "octo_transformer/obs_wrist_projection/bias"
    without = {name: value for name, value in held.items() if name != bias}
    with pytest.raises(
        BadData, match=r"others \(1\): '.*wrist_projection/bias' \(64,\) is missing"
    ):
        imported(made_octo, tmp_path / "a", without)
    with pytest.raises(BadData, match=r"\(1\): 'heads_value/kernel' \(2, 3\) has no place"):
        imported(made_octo, tmp_path / "b", {**held, "heads_value/kernel": np.zeros((2, 3))})
    wrong = {**held, readout: held[readout][:, :4]}
    with pytest.raises(
        BadData, match=r"embedding' is \(1, 4, 1, 64\), expected \(1, 5, 1, 64\)\. T"
    ):
        imported(made_octo, tmp_path / "c", wrong)
    many = {name: value for name, value in held.items() if "encoderblock_1" not in name}
    with pytest.raises(BadData, match=r"got others \(16\): .*; \.\.\.\. The two belong"):
        imported(made_octo, tmp_path / "d", many)


def test_a_tensor_that_nothing_fills_is_named(made_octo: Any, tmp_path: Path) -> None:
    folder = read_folder(made_octo.write(tmp_path / "octo"))
    table = places(read_settings(folder), None)
    state = {**import_octo(tmp_path / "octo").state_dict(), "readouts.value.bias": torch.zeros(3)}
    with pytest.raises(
        BadData, match=r"for all 3 numbers of 'readouts.value.bias', got 0. This mo"
    ):
        fill(state, table, folder.parameters)
