from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg

from octoverse.data.doctor.finding import Finding
from octoverse.data.doctor.runner import examine
from octoverse.data.rlds.source import RldsSource

Write = Callable[..., Path]
SPEC = {
    **{f"steps/observation/image_{i}": ("jpeg", (16, 16, 3)) for i in range(4)},
    "steps/observation/state": ("float32", (7,)),
    "steps/action": ("float32", (7,)),
    "steps/language_instruction": ("text", ()),
    "steps/is_first": ("bool", ()),
    "steps/is_last": ("bool", ()),
    "episode_metadata/has_image_0": ("bool", ()),
    "episode_metadata/episode_id": ("int64", ()),
}


def told(
    folder: Path, write_tfds: Write, tfds_episode: Callable[..., Any], **changed: Any
) -> list[Finding]:
    episodes = []
    for number in range(3):
        episode = tfds_episode(SPEC, 12, number)
        episode |= {"steps/is_last": [0] * 11 + [1], "episode_metadata/has_image_0": [1]}
        episode |= {"episode_metadata/episode_id": [number]}
        episodes.append(episode | changed)
    write_tfds(folder, SPEC, episodes, name="bridge_dataset")
    found = examine(RldsSource(folder=folder)).findings
    return [finding for finding in found if finding.check == "rlds"]


def test_an_end_that_is_marked_is_no_fault(
    tmp_path: Path, write_tfds: Write, tfds_episode: Callable[..., Any]
) -> None:
    found = told(tmp_path, write_tfds, tfds_episode)
    assert {finding.severity for finding in found} <= {"information"}


def test_an_end_that_is_never_marked_is_a_fault(
    tmp_path: Path, write_tfds: Write, tfds_episode: Callable[..., Any]
) -> None:
    found = told(tmp_path, write_tfds, tfds_episode, **{"steps/is_last": [0] * 12})
    assert [f.where for f in found if f.severity == "fault"] == ["steps/is_last"]
    assert "Set in none of 3 episodes" in found[0].message


def test_a_flag_against_its_image_is_a_fault(
    tmp_path: Path, write_tfds: Write, tfds_episode: Callable[..., Any]
) -> None:
    found = told(tmp_path, write_tfds, tfds_episode, **{"episode_metadata/has_image_0": [0]})
    (fault,) = [f for f in found if f.severity == "fault"]
    assert fault.where == "episode_metadata/has_image_0"
    assert "say the opposite of what the images show, in 3 to 3 of 3" in fault.message


def test_identifiers_that_repeat_are_information(
    tmp_path: Path, write_tfds: Write, tfds_episode: Callable[..., Any]
) -> None:
    found = told(tmp_path, write_tfds, tfds_episode, **{"episode_metadata/episode_id": [7]})
    assert any("3 episodes share 1 values" in f.message for f in found)
    assert all(f.severity == "information" for f in found)


def test_a_black_camera_that_nobody_declares_is_information(
    tmp_path: Path, write_tfds: Write, tfds_episode: Callable[..., Any]
) -> None:
    black = [simplejpeg.encode_jpeg(np.zeros((16, 16, 3), np.uint8))] * 12
    found = told(tmp_path, write_tfds, tfds_episode, **{"steps/observation/image_3": black})
    (camera,) = [f for f in found if f.where == "steps/observation/image_3"]
    assert camera.severity == "information"
    assert "it begins black in 3 of 3 episodes" in camera.message
