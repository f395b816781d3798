from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from octoverse.data.rlds.guess import guess_text
from octoverse.data.standard import Standard
from octoverse.embodiment import Embodiment
from octoverse.errors import BadData

SPEC = {
    "steps/observation/front": ("jpeg", (16, 24, 3)),
    "steps/observation/wrist_view": ("jpeg", (16, 16, 3)),
    "steps/observation/pose": ("float32", (6,)),
    "steps/observation/embedding": ("float32", (512,)),
    "steps/action": ("float32", (7,)),
    "steps/language_instruction": ("text", ()),
    "steps/is_first": ("bool", ()),
    "steps/is_last": ("bool", ()),
    "steps/is_terminal": ("bool", ()),
}


@pytest.fixture
def folder(tmp_path: Path, tfds_episode: Callable[..., Any], write_tfds: Any) -> str:
    episodes = []
    for seed in range(3):
        action = np.random.default_rng(seed).normal(0, 0.02, (20, 7)).astype(np.float32)
        action[:, 6] = np.arange(20) > 9
        episodes.append(tfds_episode(SPEC, 20, seed, **{"steps/action": action}))
    return str(write_tfds(tmp_path / "arm", SPEC, episodes, name="my_arm"))


def test_every_feature_is_listed(folder: str) -> None:
    said = " ".join(guess_text(folder).split())
    assert "The data set 'my_arm' is not declared. Its features:" in said
    assert "steps/observation/front encoded images, uint8 (16, 24, 3) for each step" in said
    assert "steps/action float32 (7,) for each step" in said


def test_a_guess_is_python_that_makes_a_body_and_a_declaration(folder: str) -> None:
    made: dict[str, Any] = {}
    exec(guess_text(folder).partition("\n\n")[2], made)
    body, standard = made["BODY"], made["STANDARD"]
    assert isinstance(body, Embodiment) and isinstance(standard, Standard)
    assert body.name == standard.embodiment == "my_arm"
    assert set(body.observation) == {"front", "wrist_view", "pose", "instruction"}
    assert body.cameras["wrist_view"].role == "wrist" and body.cameras["front"].width == 24
    kinds = {name: type(group).__name__ for name, group in body.action.items()}
    assert kinds == {"arm": "EndEffectorDelta", "gripper": "Gripper"}
    assert (standard.action["gripper"].start, standard.action["gripper"].stop) == (6, 7)
    assert standard.instruction == {"instruction": "steps/language_instruction"}


def test_what_cannot_be_told_is_said(folder: str) -> None:
    said = guess_text(folder)
    assert "# - control_hz is not told by RLDS" in said
    assert "which end is open cannot be told from the data" in said
    assert "the frame and the units of states and actions cannot be told" in said


def test_actions_of_another_kind_are_told_apart(
    tmp_path: Path, tfds_episode: Callable[..., Any], write_tfds: Any
) -> None:
    spec = {
        "steps/action/joints": ("float32", (8,)),
        "steps/action/gripper": ("float32", (1,)),
        "steps/is_first": ("bool", ()),
        "steps/is_last": ("bool", ()),
        "steps/is_terminal": ("bool", ()),
    }
    folder = write_tfds(tmp_path / "two", spec, [tfds_episode(spec, 9)], name="two")
    made: dict[str, Any] = {}
    exec(guess_text(str(folder)).partition("\n\n")[2], made)
    kinds = {name: type(group).__name__ for name, group in made["BODY"].action.items()}
    assert kinds == {"gripper": "Gripper", "arm": "JointPosition"}
    assert "instruction" in made["BODY"].observation


def test_what_is_no_tfds_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"expected a TFDS folder, found no dataset_info.json"):
        guess_text(str(tmp_path))
