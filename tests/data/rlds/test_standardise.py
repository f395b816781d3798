from typing import Any

import numpy as np
import pytest

from octoverse.data.rlds.facts import Feature
from octoverse.data.rlds.standardise import check_declaration, standardise, taken_names
from octoverse.data.standard import Standard, Taken
from octoverse.embodiment import (
    Camera,
    Embodiment,
    EndEffectorDelta,
    Gripper,
    Instruction,
    SafeStop,
    State,
)
from octoverse.errors import BadConfig, BadData, UnknownName

BODY = Embodiment(
    name="arm",
    control_hz=5,
    observation={
        "front": Camera(height=8, width=8, role="primary"),
        "joints": State(names=("a", "b"), units=("rad", "rad"), low=(-1, -1), high=(1, 1)),
        "task": Instruction(),
    },
    action={"arm": EndEffectorDelta(), "gripper": Gripper()},
    safe_stop=SafeStop(kind="hold"),
)
FEATURES = {
    "steps/image": Feature(kind="image", dtype="uint8", shape=(8, 8, 3)),
    "steps/depth": Feature(kind="image", dtype="uint16", shape=(8, 8, 1)),
    "steps/a": Feature(kind="numbers", dtype="float32", shape=(1,)),
    "steps/b": Feature(kind="numbers", dtype="float64", shape=(1,)),
    "steps/action": Feature(kind="numbers", dtype="float32", shape=(7,)),
    "steps/cloud": Feature(kind="other", dtype="float32", shape=(None, 3)),
    "steps/text": Feature(kind="text", dtype="str", shape=()),
    "steps/is_last": Feature(kind="numbers", dtype="bool", shape=()),
}


def halves(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Half of each; not real where the first is negative."""
    return np.concatenate([a, b], axis=1) / 2, a[:, 0] >= 0


def all_numbers(a: np.ndarray) -> np.ndarray:
    return a


STANDARD = Standard(
    embodiment="arm",
    observation={
        "front": Taken(feature="steps/image"),
        "joints": Taken(features=("steps/a", "steps/b"), convert=halves),
    },
    action={
        "arm": Taken(feature="steps/action", stop=6),
        "gripper": Taken(feature="steps/action", start=6),
    },
    instruction={"task": "steps/text"},
)


def changed(**parts: Any) -> Standard:
    """The declaration with one stream or group of another kind."""
    observation = {**STANDARD.observation, **parts.pop("observation", {})}
    action = {**STANDARD.action, **parts.pop("action", {})}
    words = parts.pop("instruction", STANDARD.instruction)
    return Standard(embodiment="arm", observation=observation, action=action, instruction=words)


def record(**changed: Any) -> dict[str, Any]:
    return {
        "steps/image": [b"1", b"2", b"3"],
        "steps/a": np.array([2, -2, 4], np.float32),
        "steps/b": np.array([1, 1, 1], np.float32),
        "steps/action": np.arange(21, dtype=np.float32),
        "steps/text": [b"go", b"", b"stop"],
        "steps/is_last": np.array([0, 0, 1]),
    } | changed


def made(**changed: Any) -> dict[str, Any]:
    return standardise(record(**changed), FEATURES, STANDARD, BODY, 3, "here", list)


def test_a_record_becomes_streams_groups_and_masks() -> None:
    check_declaration(STANDARD, BODY, FEATURES, "folder")
    found = made()
    assert found["observation"]["front"] == [b"1", b"2", b"3"]
    assert found["observation"]["joints"].tolist() == [[1, 0.5], [-1, 0.5], [2, 0.5]]
    assert found["observation"]["joints"].dtype == np.float32
    assert found["observation"]["task"] == ["go", "", "stop"]
    valid = {name: mask.tolist() for name, mask in found["observation_valid"].items()}
    assert valid == {"joints": [True, False, True], "task": [True, False, True]}
    assert found["action"]["gripper"].tolist() == [[6], [13], [20]]
    assert {name: mask.tolist() for name, mask in found["action_valid"].items()} == {
        "arm": [True, True, False],
        "gripper": [True, True, False],
    }


def test_only_what_is_declared_is_read() -> None:
    names = taken_names(STANDARD, FEATURES)
    assert names == set(FEATURES) - {"steps/depth", "steps/cloud"}


def test_numbers_that_are_not_finite_are_named_where_they_are_real() -> None:
    spoilt = np.array([np.nan, 1, 1], np.float32)
    words = r"here, 'joints', step 0, number 1 \(b\): expected a finite number, got nan"
    with pytest.raises(BadData, match=words):
        made(**{"steps/b": spoilt})
    masked = made(**{"steps/b": np.array([1, np.nan, 1], np.float32)})
    assert not masked["observation_valid"]["joints"][1]


def test_a_conversion_of_another_size_is_refused() -> None:
    wrong = changed(action={"gripper": Taken(feature="steps/action", convert=all_numbers)})
    check_declaration(wrong, BODY, FEATURES, "folder")
    words = r"here, 'gripper': expected numbers \(3, 1\), got \(3, 7\)\. Correct the declaration"
    with pytest.raises(BadData, match=words):
        standardise(record(), FEATURES, wrong, BODY, 3, "here", list)


def refused(a: np.ndarray) -> np.ndarray:
    raise ValueError("a quaternion must be finite and not zero.")


def test_what_a_conversion_refuses_is_told_with_its_place() -> None:
    wrong = changed(action={"gripper": Taken(feature="steps/action", convert=refused)})
    words = r"here, 'gripper' of steps/action: a quaternion must be finite and not zero\."
    with pytest.raises(BadData, match=words):
        standardise(record(), FEATURES, wrong, BODY, 3, "here", list)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (
            changed(observation={"front": Taken(feature="steps/a")}),
            r"folder, 'steps/a': declared as 'front', which takes encoded images; got float32",
        ),
        (
            changed(observation={"front": Taken(feature="steps/depth")}),
            r"'steps/depth': .* takes uint8 images of 1 or 3 channels; got encoded images, uint16",
        ),
        (
            changed(observation={"joints": Taken(feature="steps/cloud")}),
            r"'steps/cloud': declared as 'joints', which takes numbers; got other, float32 \(None",
        ),
        (
            changed(action={"gripper": Taken(feature="steps/text")}),
            r"'steps/text': declared as 'gripper', which takes numbers; got text, str \(\) for",
        ),
        (
            changed(action={"gripper": Taken(feature="steps/action", start=6, stop=8)}),
            r"'steps/action': .*'gripper', which takes numbers \[6, 8\) of each step; got float32",
        ),
        (
            changed(action={"gripper": Taken(feature="steps/action", start=5)}),
            r"'steps/action': declared as 'gripper', which takes 1 numbers in all; got float32",
        ),
        (
            changed(instruction={"task": "steps/a"}),
            r"'steps/a': .*'task', which takes one text, or its codes as integers; got float32",
        ),
        (
            changed(instruction={"task": "steps/image"}),
            r"'steps/image': declared as 'task', which takes text or numbers; got encoded images",
        ),
        (
            changed(observation={"front": Taken(features=("steps/image", "steps/image"))}),
            r"'front' is a camera: give one feature and no convert",
        ),
    ],
)
def test_a_declaration_that_does_not_fit_the_metadata_is_refused(
    wrong: Standard, words: str
) -> None:
    with pytest.raises(BadConfig, match=words):
        check_declaration(wrong, BODY, FEATURES, "folder")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (
            changed(action={"gripper": Taken(feature="steps/actoin")}),
            r"No feature in folder \(features\.json\) named 'steps/actoin'\. Did you mean 's",
        ),
        (
            changed(observation={"fornt": Taken(feature="steps/image")}),
            r"No stream of 'arm', declared for folder, named 'fornt'\. Did you mean 'front'",
        ),
        (
            changed(action={"griper": Taken(feature="steps/action")}),
            r"No action group of 'arm', declared for folder, named 'griper'\. Did you mean",
        ),
        (
            changed(instruction={"tsak": "steps/text"}),
            r"No stream of 'arm', declared for folder, named 'tsak'\. Did you mean 'task'",
        ),
    ],
)
def test_names_that_do_not_exist_are_named(wrong: Standard, words: str) -> None:
    with pytest.raises(UnknownName, match=words):
        check_declaration(wrong, BODY, FEATURES, "folder")
