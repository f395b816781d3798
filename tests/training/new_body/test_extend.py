from pathlib import Path
from types import ModuleType

import msgspec
import pytest
import torch

from octoverse import checkpoint, registry
from octoverse.embodiment import Embodiment
from octoverse.embodiments.rc_car import RC_CAR
from octoverse.embodiments.widowx import WIDOWX
from octoverse.policy import Policy
from octoverse.preprocess import ImageSize, PreprocessConfig
from octoverse.recipes.generic import policy_config
from octoverse.training.new_body.extend import extend_config
from octoverse.training.warm_start import load_shared

ARM = "tabletop_arm"
EVERY = [registry.load("embodiment", name) for name in registry.names("embodiment")]


@pytest.fixture(scope="module")
def stored(small: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stored") / "small"
    checkpoint.save(small.policy(seed=1, frames=2), folder)
    return folder


@pytest.mark.parametrize("body", EVERY, ids=lambda body: body.name)
def test_every_body_gets_a_policy_that_can_be_built_and_shares_trunk_and_words(
    small: ModuleType, stored: Path, body: Embodiment
) -> None:
    found = extend_config(body, stored)
    assert found.config.trunk == small.config().trunk and found.config.window.frames == 2
    policy = Policy(found.config, {body.name: body}, {body.name: small.statistics(body)})
    shared = load_shared(policy, stored, found.begins)
    assert "trunk" in shared.loaded and "trunk" not in shared.fresh
    total = sum(value.numel() for value in policy.state_dict().values())
    begun = sum(count for _, count in shared.begun.values())
    assert sum(shared.loaded.values()) + begun + sum(shared.fresh.values()) == total


def test_a_known_body_keeps_its_config(small: ModuleType, stored: Path) -> None:
    found = extend_config(small.BODIES[ARM], stored)
    assert set(found.config.bodies) == {ARM} and set(found.config.readouts) == {"hand"}
    assert found.begins == {}


def test_a_camera_elsewhere_begins_with_the_weights_of_the_one_it_is_made_after(
    small: ModuleType, stored: Path
) -> None:
    found = extend_config(WIDOWX, stored)
    assert found.begins["tokenizers.keypoints/secondary"] == "tokenizers.keypoints"
    assert found.begins["trunk.positions.keypoints/secondary"] == "trunk.positions.keypoints"
    torch.manual_seed(2)
    policy = Policy(found.config, {"widowx": WIDOWX}, {"widowx": small.statistics(WIDOWX)})
    shared = load_shared(policy, stored, found.begins)
    weights, mine = checkpoint.read_weights(stored), policy.state_dict()
    names = [name for name in mine if name.startswith("tokenizers.keypoints/secondary.")]
    assert names
    for name in (*names, "trunk.positions.keypoints/secondary"):
        assert torch.equal(mine[name], weights[name.replace("keypoints/secondary", "keypoints")])
    assert shared.begun["tokenizers keypoints/secondary"][0] == "tokenizers keypoints"
    assert "readouts hand/widowx" in shared.begun and "readouts hand/widowx" in shared.fresh


def test_keys_with_a_dot_begin_too(small: ModuleType, stored: Path) -> None:
    twice = {**WIDOWX.observation, "second.view": WIDOWX.observation["primary"]}
    body = msgspec.structs.replace(WIDOWX, observation=twice)
    assert "trunk.positions.keypoints:second·view" in extend_config(body, stored).begins


def test_images_of_a_new_body_have_the_sizes_that_the_checkpoint_prepares(
    small: ModuleType, tmp_path: Path
) -> None:
    preprocess = PreprocessConfig(
        height=32, width=48, sizes=(ImageSize(role="secondary", height=16, width=16),)
    )
    config = policy_config(RC_CAR, preprocess=preprocess)
    checkpoint.save(
        Policy(config, {"rc_car": RC_CAR}, {"rc_car": small.statistics(RC_CAR)}), tmp_path / "car"
    )
    extended = extend_config(WIDOWX, tmp_path / "car").config
    made = Policy(extended, {"widowx": WIDOWX}, {"widowx": small.statistics(WIDOWX)})
    sizes = made.camera_sizes["widowx"]
    assert sizes["primary"] == sizes["goal"] == (32, 48) and sizes["secondary"] == (16, 16)


def test_without_a_checkpoint_a_body_gets_a_generic_policy(small: ModuleType) -> None:
    assert extend_config(small.BODIES[ARM], None).config == policy_config(small.BODIES[ARM])
