import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from octoverse import checkpoint
from octoverse.acting import LocalPolicy
from octoverse.errors import BadData, SpecMismatch, UnknownName
from octoverse.interop.octo import import_octo
from octoverse.policy import Policy
from octoverse.synthetic import random_frame


def words(folder: Path) -> Path:
    """A tokenizer as a language model's publisher offers it."""
    known = {"<pad>": 0, "</s>": 1, "<unk>": 2, "lift": 3, "the": 4, "spoon": 5}
    made = Tokenizer(models.WordLevel(known, "<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing("$A </s>", special_tokens=[("</s>", 1)])
    folder.mkdir()
    made.save(str(folder / "tokenizer.json"))
    return folder


def acted(policy: Policy, instruction: str | None, **changes: Any) -> np.ndarray:
    """What the policy does of one frame, the same each time but for what is changed."""
    frame = random_frame(policy.bodies["widowx"], np.random.default_rng(0))
    frame = {name: value for name, value in frame.items() if name not in ("wrist", "goal_wrist")}
    frame |= changes
    frame.pop("instruction")
    if instruction is not None:
        frame["instruction"] = instruction
    chunk = LocalPolicy(policy, "widowx").act(frame, seed=1)
    return np.concatenate([chunk.action["arm"], chunk.action["gripper"]], 1)


def test_it_is_led_by_words_and_by_goals_and_survives_its_checkpoint(
    made_octo: Any, tmp_path: Path
) -> None:
    sizes = made_octo.Sizes(**{**vars(made_octo.TINY), "t5": True})
    small = {"bridge_dataset": {"action": {"mean": [0.0] * 7, "std": [0.01] * 7}}}
    folder = made_octo.write(tmp_path / "octo", sizes, statistics=small)
    policy = import_octo(folder, tokenizer=words(tmp_path / "words"))
    assert policy.name == "octo@300000"
    lift = acted(policy, "lift the spoon")
    assert lift.shape == (4, 7) and np.isfinite(lift).all()
    assert np.array_equal(lift, acted(policy, "lift the spoon"))
    assert not np.allclose(lift, acted(policy, "lift"), atol=1e-5)
    assert not np.allclose(lift, acted(policy, None), atol=1e-5)
    goal = np.full((256, 256, 3), 200, np.uint8)
    assert not np.allclose(lift, acted(policy, "lift the spoon", goal=goal), atol=1e-5)
    wrist = np.full((32, 32, 3), 90, np.uint8)
    assert not np.allclose(lift, acted(policy, "lift the spoon", wrist=wrist), atol=1e-5)

    checkpoint.save(policy, tmp_path / "saved")
    again = checkpoint.load(tmp_path / "saved")
    assert np.array_equal(lift, acted(again, "lift the spoon"))
    assert again.body_statistics == policy.body_statistics


def test_actions_are_in_the_units_of_the_data_set(made_octo: Any, tmp_path: Path) -> None:
    def scaled(name: str, std: float) -> Policy:
        plain = {"mean": [0.0] * 7, "std": [std] * 6 + [1.0], "mask": [True] * 6 + [False]}
        return import_octo(
            made_octo.write(tmp_path / name, statistics={"bridge_dataset": {"action": plain}})
        )

    one, half = (acted(scaled(name, std), None) for name, std in (("a", 0.02), ("b", 0.01)))
    assert np.allclose(one[:, :6], 2 * half[:, :6], atol=1e-6)
    assert np.allclose(one[:, 6], half[:, 6], atol=1e-6)
    assert ((one[:, 6] >= 0) & (one[:, 6] <= 1)).all()


def test_without_its_vocabulary_it_takes_no_words(made_octo: Any, tmp_path: Path) -> None:
    sizes = made_octo.Sizes(**{**vars(made_octo.TINY), "t5": True})
    policy = import_octo(made_octo.write(tmp_path / "octo", sizes))
    assert np.isfinite(acted(policy, None)).all()
    with pytest.raises(SpecMismatch, match="cannot read words"):
        acted(policy, "lift the spoon")


def test_a_body_of_fewer_numbers_leaves_the_rest_of_the_head_out(
    made_octo: Any, tmp_path: Path
) -> None:
    eight = {"action": {"mean": [0.0] * 5, "std": [0.01] * 5}}
    folder = made_octo.write(tmp_path / "octo", statistics=eight)
    policy = import_octo(folder, embodiment="tabletop_arm")
    (use,) = policy.config.bodies["tabletop_arm"].readouts
    assert use.size == 7
    frame = random_frame(policy.bodies["tabletop_arm"], np.random.default_rng(0))
    frame.pop("instruction")
    chunk = LocalPolicy(policy, "tabletop_arm").act(frame)
    assert chunk.action["arm"].shape == (4, 4) and chunk.action["gripper"].shape == (4, 1)


def test_the_body_is_that_of_the_data_set_unless_named(made_octo: Any, tmp_path: Path) -> None:
    folder = made_octo.write(tmp_path / "octo")
    assert list(import_octo(folder).bodies) == ["widowx"]
    assert list(import_octo(str(folder), embodiment="xarm").bodies) == ["xarm"]
    with pytest.raises(UnknownName, match="No embodiment named 'widowy'"):
        import_octo(folder, embodiment="widowy")
    plain = {"action": {"mean": [0.0] * 7, "std": [1.0] * 7}}
    folder = made_octo.write(tmp_path / "plain", statistics=plain)
    with pytest.raises(BadData, match=r"plain: expected the name of the body .* --embodiment NAME"):
        import_octo(folder)


def test_a_folder_without_a_vocabulary_is_refused(made_octo: Any, tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"expected tokenizer\.json, the vocabulary .* found none"):
        import_octo(made_octo.write(tmp_path / "octo"), tokenizer=tmp_path)


def test_nothing_of_jax_is_needed(
    made_octo: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("jax", "flax", "orbax", "tensorflow", "tensorstore", "numcodecs"):
        monkeypatch.setitem(sys.modules, name, None)
    import_octo(made_octo.write(tmp_path / "octo"))


@pytest.mark.parametrize("exact", [True, False])
def test_what_a_robot_remembers_changes_no_answer(
    made_octo: Any, tmp_path: Path, exact: bool
) -> None:
    sizes = made_octo.Sizes(**{**vars(made_octo.TINY), "t5": True})
    told = made_octo.config(sizes)
    told["model"]["use_correct_attention"] = exact
    small = {"bridge_dataset": {"action": {"mean": [0.0] * 7, "std": [0.01] * 7}}}
    folder = made_octo.write(tmp_path / "octo", sizes, told=told, statistics=small)
    policy = import_octo(folder, tokenizer=words(tmp_path / "words"))
    robot, rng = LocalPolicy(policy, "widowx"), np.random.default_rng(0)
    for step in range(4):
        frame = {**random_frame(policy.bodies["widowx"], rng), "instruction": "lift the spoon"}
        remembered = robot.act(frame, observed_at_ns=step * 200_000_000, seed=step)
        observation = robot.session.observation(step, step)
        [anew] = policy.act([observation])
        for group, values in anew.action.items():
            assert np.allclose(values, remembered.action[group], rtol=1e-4, atol=1e-5)
