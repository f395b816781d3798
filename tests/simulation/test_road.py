from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from octoverse import motion
from octoverse.embodiments.road_car import ROAD_CAR
from octoverse.errors import SpecMismatch
from octoverse.simulation.render import check_not_frozen
from octoverse.simulation.road import LANE, RoadLane
from octoverse.simulation.road_geometry import LANE_WIDTH, LENGTH
from octoverse.simulation.road_scenery import RIGHT
from octoverse.simulation.world import World

CAMERAS = tuple(ROAD_CAR.cameras)


def drive(world: RoadLane, seed: int, steps: int = 400) -> dict[str, list[float]]:
    """Let the expert drive; returns each step's metrics."""
    world.reset(seed=seed)
    expert = world.expert()
    metrics: dict[str, list[float]] = {}
    for _ in range(steps):
        _, _, terminated, _, info = world.step(dict(expert()))
        for name, value in info.items():
            metrics.setdefault(name, []).append(value)
        if terminated:
            break
    return metrics


@pytest.mark.filterwarnings("ignore:.*infinity")  # where a car has been has no bounds
@pytest.mark.parametrize("cameras", [pytest.param(True, marks=pytest.mark.sim), False])
def test_gymnasium_accepts_the_world(cameras: bool) -> None:
    check_env(LANE.make(cameras=cameras).unwrapped, skip_render_check=not cameras)


def test_it_is_a_world_of_its_body() -> None:
    world = LANE.make(cameras=False).unwrapped
    assert isinstance(world, World) and LANE.body is ROAD_CAR
    assert isinstance(LANE.make(cameras=False), gymnasium.Wrapper), "with its step limit"


@pytest.mark.sim
def test_every_frame_is_a_complete_observation_of_the_body() -> None:
    world = RoadLane()
    frame, _ = world.reset(seed=0)
    ROAD_CAR.check_frame(frame)
    for _ in range(3):
        action = world.expert()()
        ROAD_CAR.check_action(action)
        frame, *_ = world.step(dict(action))
        ROAD_CAR.check_frame(frame)
        assert world.observation_space.contains(frame)


@pytest.mark.parametrize(
    "settings", [{}, {"offset": True}, {"offset": True, "disturbance": 1.0}], ids=str
)
def test_the_expert_reaches_the_end_of_every_road(settings: dict[str, Any]) -> None:
    world = RoadLane(cameras=False, **settings)
    ends = [drive(world, seed) for seed in range(25)]
    assert all(metrics["success"][-1] for metrics in ends)
    assert max(len(metrics["success"]) for metrics in ends) < LANE.max_steps
    assert all(not any(metrics["off_road"]) for metrics in ends)


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{}, {"offset": True, "disturbance": 1.0}], ids=str)
def test_the_expert_succeeds_on_95_of_100_roads(settings: dict[str, Any]) -> None:
    world = RoadLane(cameras=False, **settings)
    assert sum(drive(world, 1000 + seed)["success"][-1] for seed in range(100)) >= 95


def test_the_undisturbed_expert_drives_in_comfort() -> None:
    metrics = drive(RoadLane(cameras=False), 1)
    assert np.abs(metrics["lateral_acceleration"]).max() < 2.6
    assert -2.0 < min(metrics["acceleration"]) and max(metrics["acceleration"]) < 1.5
    assert np.abs(metrics["jerk"]).max() < 5.0
    np.testing.assert_allclose(metrics["jerk"][1:], np.diff(metrics["acceleration"]) * 10)
    assert max(metrics["lateral_error"]) < 0.25
    assert np.all(np.diff(metrics["progress"]) > 0)


def test_disturbance_pushes_the_car_and_not_the_label() -> None:
    quiet, pushed = (RoadLane(cameras=False, disturbance=d) for d in (0.0, 1.0))
    errors = [
        np.concatenate([drive(w, s)["lateral_error"] for s in range(5)]) for w in (quiet, pushed)
    ]
    assert np.quantile(errors[1], 0.95) > 2 * np.quantile(errors[0], 0.95)
    for world in (quiet, pushed):
        world.reset(seed=3)
    np.testing.assert_array_equal(quiet.expert_path(), pushed.expert_path())


def test_offset_starts_lie_beside_and_askew_on_both_sides() -> None:
    world, starts = RoadLane(cameras=False), []
    for seed in range(200):
        frame, info = world.reset(seed=seed, options={"offset": True})
        starts.append([world.vehicle.y, world.vehicle.heading, frame["speed"][0]])
        assert info["off_road"] == 0.0
    y, heading, speed = np.array(starts).T
    assert 0.25 < y.std() < 0.5 and abs(y.mean()) < 0.1
    assert 0.06 < heading.std() < 0.12 and abs(heading.mean()) < 0.03
    assert speed.min() < 4.0 and speed.max() > 8.0
    _, info = world.reset(seed=0)
    assert info["lateral_error"] < 1e-6, "options hold for one episode"


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(ValueError, match=r"among offset and disturbance, got \['weather'\]"):
        RoadLane(cameras=False).reset(options={"weather": "rain"})


def test_leaving_the_lane_ends_the_episode_as_a_failure() -> None:
    world = RoadLane(cameras=False)
    world.reset(seed=0)
    path = motion.roll_out(np.array(8.0), np.zeros(30), np.full(30, 0.1), 0.1)[0]
    for _ in range(30):
        _, reward, terminated, _, info = world.step({"path": path.astype(np.float32)})
        outside = np.abs(world.road.locate(world.vehicle.wheels)[1]).max() > LANE_WIDTH / 2
        assert terminated == outside == bool(info["off_road"])
        if terminated:
            break
    assert terminated and not info["success"] and reward < -0.9


def test_crossing_the_end_outside_the_lane_is_no_success() -> None:
    world = RoadLane(cameras=False)
    for offset, success in ((0.0, True), (1.5, False)):
        world.reset(seed=0)
        car, lane = world.vehicle, world.road.pose_at(np.array(LENGTH - 0.3))
        car.x, car.y, car.heading = motion.compose(lane, np.array([0.0, offset, 0.0])).tolist()
        _, _, terminated, _, info = world.step({"path": world.expert_path()})
        assert terminated and info["progress"] == 1.0 and info["success"] is success


def test_standing_still_makes_no_progress_and_is_cut_off() -> None:
    env = LANE.make(cameras=False)
    env.reset(seed=0)
    stay = {"path": np.zeros((30, 3), dtype=np.float32)}
    for _ in range(LANE.max_steps):
        _, _, terminated, truncated, info = env.step(stay)
    assert truncated and not terminated and not info["success"]
    assert 0.0 < info["progress"] < 0.1, "it brakes to a stand"


@pytest.mark.parametrize("seed", range(3))
def test_wild_paths_never_break_the_world(seed: int) -> None:
    world = RoadLane(cameras=False)
    world.reset(seed=seed)
    random = np.random.default_rng(seed)
    for _ in range(60):
        path = random.normal(0, random.choice([0.01, 1, 100]), (30, 3)).clip(-6, 6)
        frame, reward, terminated, _, info = world.step({"path": path.astype(np.float32)})
        assert np.isfinite([reward, *info.values()]).all()
        assert np.isfinite(frame["ego_history"]).all()
        if terminated:
            world.reset()


def test_a_path_with_a_hole_is_refused() -> None:
    world = RoadLane(cameras=False)
    world.reset(seed=0)
    path = world.expert_path()
    path[4, 1] = np.nan
    with pytest.raises(SpecMismatch, match=r"path\[y\]: expected a finite number, got nan"):
        world.step({"path": path})


def test_the_history_is_where_the_car_has_been() -> None:
    world = RoadLane(cameras=False)
    frame, _ = world.reset(seed=2)
    speed = frame["speed"][0]
    np.testing.assert_allclose(frame["ego_history"][:, 0], speed * np.arange(-7, 1) / 10, atol=1e-5)
    been = []
    for _ in range(60):
        been.append(world.vehicle.pose)
        frame, *_ = world.step(dict(world.expert()()))
    expected = motion.relative(world.vehicle.pose, np.stack([*been[-7:], world.vehicle.pose]))
    np.testing.assert_allclose(frame["ego_history"], expected, atol=1e-5)
    np.testing.assert_array_equal(frame["ego_history"][-1], 0)


def test_the_experts_path_is_what_then_happens_and_constant_velocity_is_not() -> None:
    world = RoadLane(cameras=False)
    world.reset(seed=4)
    plans, poses, histories = [], [], []
    for _ in range(200):
        plans.append(world.expert_path())
        poses.append(world.vehicle.pose)
        frame, *_ = world.step({"path": plans[-1]})
        histories.append(frame["ego_history"])
    happened = [motion.relative(poses[i], np.stack(poses[i + 1 : i + 31])) for i in range(169)]
    own = motion.average_displacement(np.stack(plans[:169]), np.stack(happened), 10.0, 3.0)
    straight = motion.constant_velocity(np.stack(histories), 10.0, 30, 10.0)
    blind = motion.average_displacement(straight[:-1], np.stack(plans[1:]), 10.0, 3.0)
    assert own.mean() < 0.15 and own.max() < 0.6
    assert blind.mean() > 0.8


@pytest.mark.sim
def test_one_seed_and_the_same_actions_give_the_same_frames() -> None:
    worlds = RoadLane(disturbance=1.0), RoadLane(disturbance=1.0)
    worlds[1].reset(seed=99)  # what was before leaves no trace
    frames = [world.reset(seed=7)[0] for world in worlds]
    for _ in range(15):
        action = dict(worlds[0].expert()())
        frames = [world.step(action)[0] for world in worlds]
    for name in frames[0]:
        np.testing.assert_array_equal(frames[0][name], frames[1][name])


@pytest.mark.sim
def test_frames_are_neither_black_nor_frozen_and_each_camera_sees_something_else() -> None:
    world = RoadLane()
    frames = [world.reset(seed=1)[0]]
    frames += [world.step(dict(world.expert()()))[0] for _ in range(5)]
    for name in CAMERAS:
        check_not_frozen([frame[name] for frame in frames], name)
        assert all(frame[name].std() > 15 for frame in frames)
    last = frames[-1]
    assert not np.array_equal(last["cross_left"], last["cross_right"])


@pytest.mark.sim
@pytest.mark.parametrize("seed", range(4))
def test_the_front_camera_shows_the_lane_where_it_is(seed: int) -> None:
    world = RoadLane()
    frame, _ = world.reset(seed=seed)
    for _ in range(70):
        frame, *_ = world.step(dict(world.expert()()))
    along, _ = world.road.locate(world.vehicle.pose[None, :2])
    brightness = []
    for offset in (RIGHT + 0.175, 0.0):  # the white edge line, then the asphalt
        point = np.append(world.road.aside(along[0] + 9.0, offset), 0.03)
        row, column = _pixel(world, point, 96)
        assert 0 <= row < 96 and 0 <= column < 96
        brightness.append(frame["front"][row, column].mean())
    assert brightness[0] > brightness[1] + 60


def _pixel(world: RoadLane, point: np.ndarray, size: int) -> tuple[int, int]:
    camera = world._data.camera("front")
    x, y, z = camera.xmat.reshape(3, 3).T @ (point - camera.xpos)
    focal = size / 2 / np.tan(np.radians(70) / 2)
    return int(size / 2 + focal * y / z), int(size / 2 - focal * x / z)


@pytest.mark.sim
def test_the_view_shows_the_car_from_behind() -> None:
    world = RoadLane(render_mode="rgb_array")
    world.reset(seed=0)
    picture = world.render()
    assert picture is not None and picture.shape == (480, 640, 3)
    red, green, blue = picture[200:340, 240:400].astype(float).mean(axis=(0, 1))
    assert red > 1.3 * green and red > 1.3 * blue
    np.testing.assert_array_equal(world.view(480, 640), picture)


def test_without_cameras_nothing_is_rendered() -> None:
    world = RoadLane(cameras=False)
    frame, _ = world.reset(seed=0)
    assert set(frame) == {"ego_history", "speed", "instruction"}
    assert world.render() is None
    assert world._model is None
