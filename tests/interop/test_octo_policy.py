from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from octoverse import registry
from octoverse.embodiment import Camera, Embodiment, GoalImage, Instruction
from octoverse.errors import BadData
from octoverse.interop.octo_folder import OctoFolder, read_folder
from octoverse.interop.octo_policy import body_of, policy_config
from octoverse.interop.octo_settings import read_settings


@pytest.fixture
def read(made_octo: Any, tmp_path: Path) -> Callable[..., OctoFolder]:
    """Reads a made folder of these sizes."""

    def found(**changes: Any) -> OctoFolder:
        sizes = made_octo.Sizes(**{**vars(made_octo.TINY), **changes})
        return read_folder(made_octo.write(tmp_path / f"octo{len(changes)}", sizes))

    return found


def body(name: str) -> Embodiment:
    found: Embodiment = registry.load("embodiment", name)
    return found


def test_a_body_gets_the_streams_that_it_lacks_as_optional_ones(
    read: Callable[..., OctoFolder],
) -> None:
    found = body_of(body("widowx"), read_settings(read()), 7)
    wrist, goal = found.observation["wrist"], found.observation["goal_wrist"]
    assert wrist == Camera(height=32, width=32, role="wrist", optional=True)
    assert goal == GoalImage(camera="wrist", height=32, width=32) and goal.optional
    assert found.observation["instruction"] == Instruction(optional=True)
    assert found.observation["goal"] == body("widowx").observation["goal"]
    assert found.action == body("widowx").action


def test_groups_that_the_model_does_not_make_are_left_out(read: Callable[..., OctoFolder]) -> None:
    settings = read_settings(read())
    assert list(body("google_robot").action) == ["arm", "gripper", "base", "done"]
    assert list(body_of(body("google_robot"), settings, 7).action) == ["arm", "gripper"]
    for numbers in (4, 8):
        words = f"first groups have the {numbers} numbers .* got 'widowx' with arm 6, gripper 1. Na"
        with pytest.raises(BadData, match=words):
            body_of(body("widowx"), settings, numbers)


def test_modules_and_window_are_octo_s(read: Callable[..., OctoFolder]) -> None:
    folder = read()
    settings = read_settings(folder)
    robot = body_of(body("widowx"), settings, 7)
    config = policy_config(settings, folder.parameters, robot)
    uses = config.bodies["widowx"].tokenizers
    assert [(one.key, dict(one.streams), one.repeat) for one in uses] == [
        ("language", {"instruction": "instruction"}, True),
        ("image/primary", {"image": "primary", "goal": "goal"}, False),
        ("image/wrist", {"image": "wrist", "goal": "goal_wrist"}, False),
    ]
    (made,) = config.bodies["widowx"].readouts
    assert (made.groups, made.every_step, made.size) == (("arm", "gripper"), True, 0)
    assert (config.window.frames, config.window.spacing) == (2, None)
    assert config.preprocess.size("wrist") == (32, 32)
    assert config.preprocess.filter == "lanczos3"
    trunk = config.trunk
    assert (trunk.activation, trunk.epsilon, trunk.max_frames, trunk.mlp_ratio, trunk.shifted) == (
        "gelu_tanh", 1e-6, 5, 2.0, False
    )  # fmt: skip


def test_the_sizes_of_t5_are_those_of_its_parameters(read: Callable[..., OctoFolder]) -> None:
    folder = read(t5=True)
    settings = read_settings(folder)
    robot = body_of(body("widowx"), settings, 7)
    language = policy_config(settings, folder.parameters, robot, 9).tokenizers["language"]
    size = language.encoder
    assert (size.layers, size.heads, size.head_width, size.hidden, size.vocabulary) == (
        2, 3, 8, 40, 64
    )  # fmt: skip
    assert (language.tokens, language.features, language.vocabulary_bytes) == (6, 32, 9)
    assert (size.buckets, size.gated) == (32, False)


def test_parameters_that_say_no_size_are_named(read: Callable[..., OctoFolder]) -> None:
    folder = read()
    settings = read_settings(folder)
    robot = body_of(body("widowx"), settings, 7)
    words = "expected the parameter 'octo_transformer/task_language_pos_embedding', which says"
    with pytest.raises(BadData, match=words):
        policy_config(settings, {}, robot)
