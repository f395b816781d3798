from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from octoverse import registry
from octoverse.cli.check import random_statistics
from octoverse.embodiment import Embodiment
from octoverse.errors import BadConfig
from octoverse.interop.octo import import_octo
from octoverse.layouts import body_layout
from octoverse.policy import Policy
from octoverse.recipes.octo_small import OCTO_SMALL


def body(name: str) -> Embodiment:
    found: Embodiment = registry.load("embodiment", name)
    return found


def built(*names: str, size: str = "") -> Policy:
    bodies = {name: body(name) for name in names}
    config = OCTO_SMALL.config(list(bodies.values()), size)
    rng = np.random.default_rng(0)
    return Policy(config, bodies, {k: random_statistics(b, rng) for k, b in bodies.items()})


def test_it_has_octo_small_s_parameters_and_tokens() -> None:
    config = OCTO_SMALL.config([body("franka")])
    body_layout(config, config.bodies["franka"])  # is kept, and cannot be made of no numbers
    with torch.device("meta"):
        policy = built("franka")
    assert sum(one.numel() for one in policy.parameters()) == 27_042_060
    groups = policy.layouts["franka"].groups
    assert {name: (one.steps, one.tokens) for name, one in groups.items()} == {
        "language": (1, 16),
        "image/primary": (2, 256),
        "image/wrist": (2, 64),
        "language@repeat": (2, 16),
        "action": (2, 1),
    }
    assert policy.preprocess.config.size("wrist") == (128, 128)


def test_bodies_share_every_module_and_lack_what_they_have_not() -> None:
    config = OCTO_SMALL.config([body("widowx"), body("franka"), body("tabletop_arm")])
    assert set(config.tokenizers) == {"words", "image/primary", "image/wrist"}
    assert set(config.readouts) == {"action"}
    read = {
        name: {use.key: set(use.streams) for use in one.tokenizers}
        for name, one in config.bodies.items()
    }
    assert read["widowx"] == {"words": {"instruction"}, "image/primary": {"image", "goal"}}
    assert read["franka"]["image/wrist"] == {"image"}
    assert read["tabletop_arm"]["image/primary"] == {"image"}
    sizes = {name: one.readouts[0].size for name, one in config.bodies.items()}
    assert sizes == {"widowx": 0, "franka": 0, "tabletop_arm": 7}


def test_more_numbers_than_octo_s_have_a_head_of_their_own() -> None:
    config = OCTO_SMALL.config([body("widowx"), body("ur5")])
    assert {name: one.readouts[0].key for name, one in config.bodies.items()} == {
        "widowx": "action",
        "ur5": "action/8",
    }


def test_an_imported_checkpoint_s_modules_fit_into_it(tmp_path: Path, made_octo: Any) -> None:
    imported = import_octo(made_octo.write(tmp_path / "octo")).state_dict()
    ours = built("widowx", "franka", size="tiny").state_dict()
    shared = {name: value.shape for name, value in imported.items() if name in ours}
    assert all(name.startswith("tokenizers.language.") for name in set(imported) - set(shared))
    off = {n for n, shape in shared.items() if ours[n].shape != shape}
    assert off <= {n for n in shared if "mlp" in n or n.startswith("trunk.positions")}


@pytest.mark.parametrize("name", ["road_car", "dashcam_car"])
def test_what_is_no_arm_is_refused(name: str) -> None:
    with pytest.raises(BadConfig, match=f"octo moves arms and sees .*; '{name}' follows a path or"):
        OCTO_SMALL.config([body(name)])


@pytest.fixture
def made_octo(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """tests/interop/made_octo.py: checkpoint folders with random parameters."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "interop"))
    return import_module("made_octo")
