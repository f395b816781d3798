from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from octoverse import registry
from octoverse.data.dataset import DataSet, open_data
from octoverse.errors import BadData


@pytest.mark.parametrize(("name", "steps"), [("av2-sensor-log", 160), ("av2-forecasting", 110)])
def test_a_real_recording_becomes_an_episode(
    real_data: Callable[[str], Path], name: str, steps: int
) -> None:
    root = real_data(name).parent
    source = open_data(name, str(root), "all")
    assert source.lengths().tolist() == [steps]
    episode = source.episode(0)
    assert set(episode.observation) == {"ego_history", "speed"}  # no images, no commands
    speed = np.asarray(episode.observation["speed"])[:, 0]
    path, real = episode.action["path"], episode.action_valid["path"]
    assert real[0].all() and not real[-1].any()  # nothing is known beyond the end
    ahead = np.hypot(path[:, 0, 0], path[:, 0, 1]) * 10
    known = np.flatnonzero(real[:, 0] & (speed > 0))[8:-8]
    assert np.abs(ahead - speed)[known].max() < 1.0
    assert np.median(np.abs(ahead - speed)[known]) < 0.2
    history = np.asarray(episode.observation["ego_history"])
    assert not history[:, -1].any() and history[40, 0, 0] < 0  # the past lies behind


def test_parked_cars_pass_by_in_the_frame_of_the_car(real_data: Callable[[str], Path]) -> None:
    root = real_data("av2-sensor-log").parent
    episode = open_data("av2-sensor-log", str(root), "all").episode(0)
    tracks = episode.tracks
    assert tracks is not None
    path = episode.action["path"]
    errors = []
    for who in np.unique(tracks.identity[tracks.kind == "REGULAR_VEHICLE"]):
        rows = np.flatnonzero(tracks.identity == who)
        if len(rows) < 20 or np.nanmax(np.hypot(*tracks.velocity[rows].T)) > 0.3:
            continue
        first, last = rows[0], rows[10]
        step, later = tracks.step[first], tracks.step[last]
        x, y, heading = path[step, later - step - 1]
        turn = np.array([[np.cos(heading), np.sin(heading)], [-np.sin(heading), np.cos(heading)]])
        expected = turn @ (tracks.pose[first, :2] - [x, y])
        errors.append(np.linalg.norm(expected - tracks.pose[last, :2]))
    assert len(errors) > 5
    assert np.median(errors) < 0.15  # while the car drives and turns


@pytest.mark.parametrize("name", ["av2-sensor-log", "av2-forecasting"])
def test_what_is_held_out_lies_behind_a_gap(real_data: Callable[[str], Path], name: str) -> None:
    root = str(real_data(name).parent)
    train, val = (open_data(name, root, split).episode(0) for split in ("train", "val"))
    assert val.times_ns[0] - train.times_ns[-1] > 6_000_000_000


@pytest.mark.parametrize("name", ["argoverse2-sensor", "argoverse2-forecasting"])
def test_whole_data_sets_lie_as_they_are_given_out(
    real_data: Callable[[str], Path], tmp_path: Path, name: str
) -> None:
    declared: DataSet = registry.load("dataset", name)
    here = real_data("av2-sensor-log" if name.endswith("sensor") else "av2-forecasting")
    (tmp_path / declared.folder).mkdir(parents=True)
    target = here / "val" if name.endswith("sensor") else here
    (tmp_path / declared.folder / "val").symlink_to(target.resolve())
    assert len(open_data(name, str(tmp_path), "val")) == 1
    with pytest.raises(BadData, match="expected folders of Argoverse 2"):
        len(open_data(name, str(tmp_path), "test"))
