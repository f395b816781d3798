"""Tests for octoverse/simulation/tabletop.py and tabletop_world.py."""

import dataclasses
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import gymnasium
import mujoco
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from octoverse import registry
from octoverse.episode import Action
from octoverse.errors import SpecMismatch, UnknownName
from octoverse.simulation.render import check_not_frozen
from octoverse.simulation.tabletop import CHOOSE, LIFT, REACH
from octoverse.simulation.tabletop_expert import lift_action
from octoverse.simulation.tabletop_world import Tabletop
from octoverse.simulation.world import EnvironmentSpec, World

SPECS = [REACH, LIFT, CHOOSE]
Change = Callable[[Tabletop, dict[str, np.ndarray]], Action]


def _world(spec: EnvironmentSpec, seed: int, *, cameras: bool = False) -> Tabletop:
    world = spec.make(cameras=cameras).unwrapped
    assert isinstance(world, Tabletop)
    world.reset(seed=seed)
    return world


def _play(
    env: gymnasium.Env[Any, Any], seed: int, change: Change = lambda world, action: action
) -> dict[str, Any]:
    env.reset(seed=seed)
    world = env.unwrapped
    assert isinstance(world, Tabletop)
    act = world.expert()
    while True:
        *_, terminated, truncated, info = env.step(change(world, dict(act())))
        if terminated or truncated:
            assert terminated or not info["success"]
            return info


def _noise(seed: int) -> Iterator[np.ndarray]:
    """Bursts of correlated noise as large as the expert's own steps."""
    random = np.random.default_rng(seed)
    noise, on = np.zeros(4), False
    while True:
        on ^= random.random() < 0.12
        noise = 0.8 * noise + 0.2 * random.normal(0, 1, 4) * np.array([0.04, 0.04, 0.04, 0.4])
        yield noise if on else np.zeros(4)


@pytest.mark.sim
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_gymnasium_finds_no_fault(spec: EnvironmentSpec) -> None:
    check_env(spec.make().unwrapped)
    check_env(spec.make(cameras=False).unwrapped, skip_render_check=True)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_a_task_is_found_by_name_and_fits_its_body(spec: EnvironmentSpec) -> None:
    assert registry.load("environment", spec.name) is spec
    world = _world(spec, 0)
    assert isinstance(world, World)
    assert world.embodiment == spec.body


@pytest.mark.sim
def test_observations_and_expert_actions_fit_the_embodiment() -> None:
    world = _world(LIFT, 0, cameras=True)
    act = world.expert()
    for _ in range(10):
        action = act()
        world.embodiment.check_action(action)
        world.embodiment.check_frame(world.step(action)[0])


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_the_expert_succeeds_on_95_of_100_seeds(spec: EnvironmentSpec) -> None:
    env = spec.make(cameras=False)
    assert sum(_play(env, seed)["success"] for seed in range(100)) >= 95


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_the_expert_recovers_from_noise_in_what_is_executed(spec: EnvironmentSpec) -> None:
    env = spec.make(cameras=False)
    success = 0
    for seed in range(50):
        noise = _noise(seed)

        def shaken(
            world: Tabletop, action: dict[str, np.ndarray], noise: Iterator[np.ndarray] = noise
        ) -> Action:
            action["arm"] = (action["arm"] + next(noise)).astype(np.float32)
            return action

        success += _play(env, seed, shaken)["success"]
    assert success >= 46


def test_the_expert_tries_again_after_the_gripper_lost_the_object() -> None:
    for seed in range(10):
        dropped = [0]

        def drop(
            world: Tabletop, action: dict[str, np.ndarray], dropped: list[int] = dropped
        ) -> Action:
            in_the_air = world._height() > 0.03
            if (in_the_air and not dropped[0]) or 0 < dropped[0] < 3:
                dropped[0] += 1
                action["gripper"] = np.ones(1, dtype=np.float32)
            return action

        assert _play(LIFT.make(cameras=False), seed, drop)["success"], seed
        assert dropped[0] == 3


def test_a_grasp_blind_to_yaw_fails_on_turned_blocks() -> None:
    def blind(world: Tabletop, action: dict[str, np.ndarray]) -> Action:
        moment = world._moment()
        target = moment.target._replace(yaw=moment.tool.yaw)
        return lift_action(dataclasses.replace(moment, target=target), world._limits)

    env, tried, lifted = LIFT.make(cameras=False), 0, 0
    for seed in range(150):
        world = _world(LIFT, seed)
        named = world.scene.things[world.named]
        if named.shape == "block" and abs(named.yaw) > 0.75:
            tried += 1
            lifted += _play(env, seed, blind)["success"]
    assert tried >= 10
    assert lifted <= 0.2 * tried


@pytest.mark.parametrize("spec", [REACH, LIFT], ids=lambda spec: spec.name)
def test_doing_nothing_ends_by_truncation_without_success(spec: EnvironmentSpec) -> None:
    env = spec.make(cameras=False)
    env.reset(seed=0)
    still = {"arm": np.zeros(4, np.float32), "gripper": np.ones(1, np.float32)}
    for _ in range(spec.max_steps):
        *_, terminated, truncated, info = env.step(still)
        assert not terminated
    assert truncated
    assert not info["success"]
    assert info["touched"] == 0


def test_going_to_the_other_object_ends_a_choice_without_success() -> None:
    def other(world: Tabletop, action: dict[str, np.ndarray]) -> Action:
        named, world.named = world.named, 1 - world.named
        wrong = world.expert()()
        world.named = named
        return wrong

    for seed in range(20):
        info = _play(CHOOSE.make(cameras=False), seed, other)
        assert not info["success"]
        assert info["touched"] == 1
        assert info["right_object"] == 0


def test_the_instruction_names_one_object_of_the_scene() -> None:
    for spec in SPECS:
        for seed in range(30):
            world = _world(spec, seed)
            named = [thing.words in world.instruction for thing in world.scene.things]
            assert named.index(True) == world.named
            assert sum(named) == 1


def test_the_tasks_share_their_scenes() -> None:
    assert _world(REACH, 7).scene == _world(LIFT, 7).scene == _world(CHOOSE, 7).scene


@pytest.mark.sim
def test_the_same_seed_and_actions_give_the_same_frames_and_states() -> None:
    def record() -> list[dict[str, Any]]:
        env = LIFT.make()
        frames = [env.reset(seed=11)[0]]
        random = np.random.default_rng(0)
        for _ in range(12):
            action = {
                "arm": random.uniform(-0.02, 0.02, 4).astype(np.float32),
                "gripper": random.uniform(0, 1, 1).astype(np.float32),
            }
            frames.append(env.step(action)[0])
        return frames

    first = record()
    _play(LIFT.make(), 12)
    for one, other in zip(first, record(), strict=True):
        assert one["instruction"] == other["instruction"]
        for name in ("table", "wrist", "tool"):
            assert np.array_equal(one[name], other[name]), name


@pytest.mark.sim
def test_leaving_out_the_cameras_changes_no_state() -> None:
    seeing, blind = _world(LIFT, 3, cameras=True), _world(LIFT, 3)
    act = seeing.expert()
    for _ in range(15):
        action = act()
        with_images, without = seeing.step(action)[0], blind.step(action)[0]
        assert np.array_equal(with_images["tool"], without["tool"])
        assert "table" in with_images
        assert "table" not in without


@pytest.mark.sim
def test_two_worlds_in_one_process_do_not_show_in_each_other() -> None:
    seeds = [seed for seed in range(40) if _world(LIFT, seed).scene.shapes == ("cube", "cube")]
    one = _world(LIFT, seeds[0], cameras=True)
    still = {"arm": np.zeros(4, np.float32), "gripper": np.ones(1, np.float32)}
    alone = one.step(still)[0]["table"]
    one = _world(LIFT, seeds[0], cameras=True)
    _world(LIFT, seeds[1], cameras=True).step(still)
    assert np.array_equal(one.step(still)[0]["table"], alone)


@pytest.mark.sim
def test_frames_move_and_pictures_for_people_leave_them_alone() -> None:
    world, other = _world(LIFT, 2, cameras=True), _world(LIFT, 2, cameras=True)
    act, frames = world.expert(), []
    for _ in range(6):
        action = act()
        assert world.view(120, 160).shape == (120, 160, 3)
        frames.append(world.step(action)[0])
        assert np.array_equal(frames[-1]["table"], other.step(action)[0]["table"])
    for camera in ("table", "wrist"):
        check_not_frozen([frame[camera] for frame in frames], camera)


@pytest.mark.sim
def test_a_step_moves_once_and_draws_each_camera_once(monkeypatch: pytest.MonkeyPatch) -> None:
    world, done = _world(LIFT, 0, cameras=True), Counter[str]()
    act = world.expert()

    def counted(name: str) -> Callable[..., None]:
        real = getattr(mujoco, name)

        def call(*given: Any, **named: Any) -> None:
            done[name] += named.get("nstep", 1)
            real(*given, **named)

        return call

    for name in ("mj_step", "mj_forward", "mjr_render", "mjr_readPixels", "mjr_resizeOffscreen"):
        monkeypatch.setattr(mujoco, name, counted(name))
    for _ in range(12):
        world.step(act())
    assert done["mj_step"] == pytest.approx(12 * 0.1 / world._model.opt.timestep)
    assert done["mjr_render"] == done["mjr_readPixels"] == 12 * len(world.embodiment.cameras)
    assert not done["mj_forward"] and not done["mjr_resizeOffscreen"]


@pytest.mark.sim
@pytest.mark.slow  # a figure of a machine that does nothing else
def test_a_core_makes_260_demonstration_steps_a_second() -> None:
    env = LIFT.make()
    for seed in range(10):
        env.reset(seed=seed)
    rates = []
    for seed in range(5):
        env.reset(seed=seed)
        world = env.unwrapped
        assert isinstance(world, Tabletop)
        act = world.expert()
        start = time.process_time()
        for _ in range(12):
            env.step(act())
        rates.append(12 / (time.process_time() - start))
    assert max(rates) > 260  # the best, since others may use this machine


def test_the_tool_follows_the_command_within_two_millimetres() -> None:
    world = _world(LIFT, 0)
    before = np.array(world.tool)
    move = np.array([0.02, -0.02, -0.02, 0.2], dtype=np.float32)
    for _ in range(4):
        world.step({"arm": move, "gripper": np.ones(1, np.float32)})
    world.step({"arm": np.zeros(4, np.float32), "gripper": np.ones(1, np.float32)})
    assert np.allclose(world.tool[:3], before[:3] + 4 * move[:3], atol=0.002)
    assert world.tool.yaw == pytest.approx(before[3] + 0.8, abs=0.02)


def test_any_actions_keep_the_arm_in_its_workspace() -> None:
    world, random = _world(LIFT, 1), np.random.default_rng(1)
    for _ in range(20):
        push = random.choice([-1.0, 1.0], 4) * 0.02
        for _ in range(15):
            seen, *_ = world.step({"arm": push, "gripper": random.uniform(0, 1, 1)})
        assert np.isfinite(seen["tool"]).all()
        assert world.embodiment.observation_space["tool"].contains(seen["tool"])
        assert 0.2 < seen["tool"][0] < 0.65
        assert 0.0 < seen["tool"][2] < 0.33


def test_numbers_beyond_the_limits_saturate() -> None:
    one, other = _world(LIFT, 4), _world(LIFT, 4)
    open_hand = np.ones(1, np.float32)
    limit = np.array([0.02, -0.02, 0.02, 0.2], np.float32)
    strong = one.step({"arm": 50 * limit, "gripper": 3 * open_hand})[0]
    most = other.step({"arm": limit, "gripper": open_hand})[0]
    assert np.array_equal(strong["tool"], most["tool"])


@pytest.mark.parametrize(
    ("action", "error", "words"),
    [
        ({"arm": np.zeros(4)}, SpecMismatch, "tabletop_arm.gripper: expected an action, got noth"),
        ({"arm": np.zeros(6), "gripper": np.ones(1)}, SpecMismatch, r"expected shape \(4,\)"),
        ({"arm": np.full(4, np.nan), "gripper": np.ones(1)}, SpecMismatch, "got nan"),
        ({"arm": np.zeros(4), "griper": np.ones(1)}, UnknownName, "Did you mean 'gripper'"),
    ],
    ids=["missing", "shape", "nan", "name"],
)
def test_an_action_that_does_not_fit_is_refused(
    action: Action, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        _world(LIFT, 0).step(action)
