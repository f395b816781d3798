"""Every real drive, whatever its format: left is positive, units are right, poses fit together."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from octoverse import motion
from octoverse.data.dataset import open_data
from octoverse.episode import Episode

WITH_EGO_MOTION = {
    # How far speeds are from the way that was made, on average [m/s].
    "comma2k19-example": 0.2,  # CAN reads 0.9 % less
    "kitti-raw-drive-0002": 0.1,
    "av2-forecasting": 0.5,  # both ends of its tracks are rough
    "av2-sensor-log": 0.2,
    "lyft-l5-scene": 0.2,
}
every_drive = pytest.mark.parametrize("name", WITH_EGO_MOTION)


@pytest.fixture
def opened(real_data: Callable[[str], Path]) -> Callable[[str], Episode]:
    def find(name: str) -> Episode:
        return open_data(name, str(real_data(name).parent), "all").episode(0)

    return find


def path_of(episode: Episode) -> tuple[np.ndarray, np.ndarray]:
    path = episode.action["path"].astype(np.float64)
    return path, episode.action_valid.get("path", np.ones(path.shape[:2], bool))


@every_drive
def test_a_car_moves_where_it_looks(opened: Callable[[str], Episode], name: str) -> None:
    path, valid = path_of(opened(name))
    moving = valid[:, 4] & (path[:, 4, 0] > 2.0)
    assert moving.any()
    assert (np.abs(path[moving, 4, 1]) < 0.15 * path[moving, 4, 0]).all()
    assert path[valid[:, 4], 4, 0].min() > -0.5, "none of these reverses"


@every_drive
def test_who_turns_left_comes_to_stand_on_the_left(
    opened: Callable[[str], Episode], name: str
) -> None:
    path, valid = path_of(opened(name))
    last = min(19, int(valid.any(axis=0).sum()) - 5)
    moving = valid[:, last] & (path[:, last, 0] > 1.5)
    assert moving.sum() >= 5
    beside, turned = path[moving, last, 1], path[moving, last, 2]
    assert np.corrcoef(beside, turned)[0, 1] > 0.75


@every_drive
def test_waypoints_put_together_again_are_the_way(
    opened: Callable[[str], Episode], name: str
) -> None:
    path, valid = path_of(opened(name))
    far = min(30, int(valid.any(axis=0).sum()))
    for start in np.flatnonzero(valid[:, far - 1])[::25].tolist():
        here = np.zeros(3)
        for step in path[start : start + far, 0]:
            here = motion.compose(here, step)
        np.testing.assert_allclose(here, path[start, far - 1], atol=2e-3)


@every_drive
def test_what_was_ahead_lies_behind_later(opened: Callable[[str], Episode], name: str) -> None:
    episode = opened(name)
    if "ego_history" not in episode.observation:
        assert len(episode) < 16
        return
    path, _ = path_of(episode)
    history = np.asarray(episode.observation["ego_history"], np.float64)
    real = episode.observation_valid["ego_history"]
    for step in np.flatnonzero(real)[::20].tolist():
        # Ten steps ago is row 5 of sixteen, and now was row 9 of its path.
        now = motion.relative(history[step, 5], np.zeros(3))
        np.testing.assert_allclose(path[step - 10, 9], now, atol=2e-3)


@every_drive
def test_speeds_are_metres_a_second(opened: Callable[[str], Episode], name: str) -> None:
    episode = opened(name)
    path, valid = path_of(episode)
    real = episode.observation_valid.get("speed", np.ones(len(episode), bool))
    speed = np.asarray(episode.observation["speed"], np.float64)[:, 0]
    away = np.abs(path[:, 0, 0] * 10 - speed)[real & valid[:, 0]]
    assert away.mean() < WITH_EGO_MOTION[name]
