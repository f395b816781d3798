import numpy as np

from octoverse import registry
from octoverse.data.disturbance import Disturbance

ARM = registry.load("embodiment", "tabletop_arm").action
CLEAN = {"arm": np.zeros(4, np.float32), "gripper": np.ones(1, np.float32)}


def run(strength: float, seed: int, steps: int = 2000) -> np.ndarray:
    disturb = Disturbance(ARM, strength, np.random.default_rng(seed))
    executed = [disturb(CLEAN) for _ in range(steps)]
    assert all(one["gripper"] == 1 for one in executed)
    return np.stack([one["arm"] for one in executed])


def test_pushes_come_in_bursts_within_the_limits() -> None:
    pushed = run(0.5, 0)
    busy = np.any(pushed != 0, axis=1)
    assert 0.2 < busy.mean() < 0.6
    edges = np.diff(np.flatnonzero(np.diff(busy.astype(int), prepend=0, append=0)))[::2]
    assert edges[:-1].min() >= 2
    assert (np.abs(pushed) <= np.array(ARM["arm"].high) + 1e-7).all()


def test_a_push_lasts_from_step_to_step() -> None:
    pushed = run(0.2, 1)
    both = np.any(pushed[1:] != 0, axis=1) & np.any(pushed[:-1] != 0, axis=1)
    assert np.corrcoef(pushed[1:][both, 0], pushed[:-1][both, 0])[0, 1] > 0.4


def test_strength_is_a_share_of_the_limits() -> None:
    pushed = run(0.2, 2, 20_000)
    busy = np.any(pushed != 0, axis=1)
    share = pushed[busy].std(axis=0) / np.array(ARM["arm"].high)
    assert np.allclose(share, 0.2, atol=0.02)


def test_the_seed_decides_and_no_strength_changes_nothing() -> None:
    assert np.array_equal(run(0.5, 3), run(0.5, 3))
    assert not np.array_equal(run(0.5, 3), run(0.5, 4))
    assert not run(0.0, 3).any()


def test_paths_and_positions_are_left_alone() -> None:
    car = registry.load("embodiment", "road_car").action
    action = {"path": np.ones((30, 3), np.float32)}
    disturb = Disturbance(car, 1.0, np.random.default_rng(0))
    assert all(np.array_equal(disturb(action)["path"], action["path"]) for _ in range(50))
