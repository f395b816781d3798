import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from octoverse import registry
from octoverse.data.dataset import open_data
from octoverse.errors import BadData, MissingExtra


def test_a_real_scene_becomes_an_episode(real_data: Callable[[str], Path]) -> None:
    root = str(real_data("lyft-l5-scene").parent)
    source = open_data("lyft-l5-scene", root, "all")
    assert source.lengths().tolist() == [247]
    episode = source.episode(0)
    assert set(episode.observation) == {"ego_history", "speed"}
    path, real = episode.action["path"], episode.action_valid["path"]
    speed = np.asarray(episode.observation["speed"])[:, 0]
    known = real[:, 9] & (speed > 0)
    # A second ahead the car is about as far as its speed says, and hardly aside.
    assert np.abs(path[known, 9, 0] - speed[known]).max() < 2.0
    assert np.abs(path[known, 9, 1]).max() < 1.0
    assert episode.tracks is not None
    assert np.hypot(*episode.tracks.pose[:, :2].T).min() > 2.5
    assert open_data("lyft-l5-scene", root, "val").episode(0).times_ns[0] > 6_000_000_000 + int(
        open_data("lyft-l5-scene", root, "train").episode(0).times_ns[-1]
    )


def test_the_whole_data_set_lies_as_it_is_given_out(
    real_data: Callable[[str], Path], tmp_path: Path
) -> None:
    scenes = tmp_path / "prediction-dataset/scenes"
    scenes.mkdir(parents=True)
    here = real_data("lyft-l5-scene") / "single_scene.zarr"
    (scenes / "validate.zarr").symlink_to(here.resolve())
    assert len(open_data("lyft-l5", str(tmp_path), "validate")) == 1
    with pytest.raises(BadData, match=r"train\.zarr: expected a zarr folder of Lyft Level 5"):
        len(open_data("lyft-l5", str(tmp_path)))


def test_without_its_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numcodecs", None)
    for module in ("sets.lyft", "lyft", "zarr_array"):
        monkeypatch.delitem(sys.modules, f"octoverse.data.logs.{module}", raising=False)
    words = r"'lyft-l5' needs the package 'numcodecs', .* pip install \"octoverse\[logs\]\""
    with pytest.raises(MissingExtra, match=words):
        registry.load("dataset", "lyft-l5")
