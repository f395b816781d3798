import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from octoverse.data.dataset import open_data
from octoverse.data.opening import open_source
from octoverse.preprocess import decode


def test_real_questions_stand_at_the_images_they_are_about(
    real_data: Callable[[str], Path],
) -> None:
    root = str(real_data("drivelm-nuscenes-sample").parent)
    source = open_data("drivelm-nuscenes-sample", root)
    assert source.lengths().tolist() == [1] * 5  # key frames are seconds apart
    asked = [source.episode(i).questions for i in range(5)]
    assert sum(map(len, asked)) == 479
    assert all({q.step for q in questions} == {0} for questions in asked)
    episode = source.episode(0)
    assert not episode.action and episode.tracks is None
    assert set(episode.observation) == {
        "front",
        "cross_left",
        "cross_right",
        "side_left",
        "side_right",
        "rear",
    }
    assert decode(episode.observation["front"][0]).shape == (900, 1600, 3)


def test_scenes_become_episodes(write_nuscenes: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "nuscenes").symlink_to(write_nuscenes())
    source = open_data("nuscenes", str(tmp_path), "v1.0-mini")
    assert source.lengths().tolist() == [21, 21]
    episode = source.episode(1)
    assert episode.key == "scene-0002"
    assert episode.observation["front"][3] == b"scene-0002 CAM_FRONT 3"
    assert set(episode.calibration) == {"front", "cross_left", "side_right", "rear"}
    assert episode.action["path"][0, 0] == pytest.approx([0.5, 0.006, 0.025], abs=1e-3)
    assert episode.tracks is not None
    assert episode.tracks.pose[0] == pytest.approx([30, 0, 0], abs=1e-3)
    assert episode.tracks.step.tolist() == [0, 5, 10, 15, 20]


def test_a_folder_of_tables_is_known_by_them(write_nuscenes: Callable[..., Path]) -> None:
    assert open_source(write_nuscenes()).name == "nuscenes/v1.0-mini"


@pytest.mark.parametrize("tables", [True, False])
def test_drivelm_takes_the_tables_where_they_are(
    write_nuscenes: Callable[..., Path], tmp_path: Path, tables: bool
) -> None:
    data = tmp_path / "DriveLM/data"
    (data / "QA_dataset_nus").mkdir(parents=True)
    (data / "nuscenes").symlink_to(write_nuscenes())
    if tables:
        (data / "nuscenes/v1.0-mini").rename(data / "nuscenes/v1.0-trainval")
    image = "../nuscenes/samples/CAM_FRONT/scene-0001__CAM_FRONT__1533280036162460.jpg"
    frame = {"QA": {"planning": [{"Q": "Go?", "A": "No."}]}, "image_paths": {"CAM_FRONT": image}}
    told = {"t-scene-0001": {"key_frames": {"scene-0001 0": frame}}}
    (data / "QA_dataset_nus/v1_1_train_nus.json").write_text(json.dumps(told))
    episode = open_data("drivelm-nuscenes", str(tmp_path)).episode(0)
    assert [question.question for question in episode.questions] == ["Go?"]
    assert len(episode) == (21 if tables else 1)
    assert ("path" in episode.action) == tables
    assert episode.observation["front"][0] == b"scene-0001 CAM_FRONT 0"
    assert np.all(np.diff(episode.times_ns) == 10**8)
