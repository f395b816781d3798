import mujoco
import numpy as np
import pytest

from octoverse.simulation import road_scenery
from octoverse.simulation.road_geometry import LANE_WIDTH, STEP, draw_road, lay_out
from octoverse.simulation.road_scenery import POOLS, compile_model, furnish


def corners(model: mujoco.MjModel, name: str) -> np.ndarray:
    """Points (n, 3) of a pool's triangles, without the empty ones."""
    first = model.mesh(name).vertadr[0]
    triangles = model.mesh_vert[first : first + POOLS[name] * 3].reshape(-1, 9)
    return triangles[np.abs(triangles).sum(axis=1) > 0].reshape(-1, 3)


@pytest.fixture(scope="module")
def model() -> mujoco.MjModel:
    return compile_model()


def test_a_compiled_world_is_empty(model: mujoco.MjModel) -> None:
    assert [len(corners(compile_model(), name)) for name in POOLS] == [0] * len(POOLS)


@pytest.mark.parametrize("seed", range(20))
def test_every_road_fits_its_pools_and_nothing_stands_on_it(
    model: mujoco.MjModel, seed: int
) -> None:
    random = np.random.default_rng(seed)
    road = draw_road(random)
    furnish(model, road, random)
    for name in ("post", "trunk", "wall"):
        found = corners(model, name)
        assert len(found)
        _, offset = road.locate(found[:, :2])
        assert (np.abs(offset - LANE_WIDTH / 2) > LANE_WIDTH).all(), name
    _, offset = road.locate(corners(model, "asphalt")[:, :2])
    assert offset.min() > -LANE_WIDTH / 2 - 0.02 and offset.max() < 1.5 * LANE_WIDTH + 0.02


def test_nothing_stands_on_the_other_arm_of_a_bend(model: mujoco.MjModel) -> None:
    bend = np.zeros(1201)
    bend[400 : 400 + round(np.pi * 15 / STEP)] = 1 / 15
    road = lay_out(bend)
    furnish(model, road, np.random.default_rng(0))
    middle = road.aside(road.distance, LANE_WIDTH / 2)
    for name in ("trunk", "wall"):
        places = corners(model, name)[:, None, :2]
        gap = np.hypot(*(places - middle).transpose(2, 0, 1)).min()
        assert gap > LANE_WIDTH + 2.0, name


def test_one_seed_has_one_look_and_another_seed_another(model: mujoco.MjModel) -> None:
    road = draw_road(np.random.default_rng(0))
    looks = []
    for seed in (1, 2, 1):
        furnish(model, road, np.random.default_rng(seed))
        looks.append((model.geom_rgba.copy(), model.mesh_vert.copy(), model.light_dir.copy()))
    for first, other, again in zip(*looks, strict=True):
        assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_a_pool_that_is_too_small_says_so(
    model: mujoco.MjModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(road_scenery.POOLS, "asphalt", 10)
    random = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"pool 'asphalt' holds 10 triangles, got \d+\."):
        furnish(model, draw_road(random), random)
