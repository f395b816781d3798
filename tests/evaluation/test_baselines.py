import numpy as np
import pytest

from octoverse import registry
from octoverse.acting import RobotPolicy
from octoverse.embodiment import PathGroup
from octoverse.evaluation.baselines import ExpertPolicy, RandomPolicy, baseline
from octoverse.evaluation.rollout import play
from octoverse.motion import relative
from octoverse.synthetic import random_frame

ENVIRONMENTS = registry.names("environment")


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_expert_succeeds_where_chance_does_not(name: str) -> None:
    spec = registry.load("environment", name)
    world = spec.make(disable_env_checker=True, cameras=False)
    for kind, wins in (("expert", 4), ("random", 0)):
        robot = baseline(kind, spec.body, world)  # type: ignore[arg-type]
        assert isinstance(robot, RobotPolicy)
        assert sum(play(spec, world, robot, seed).success for seed in range(4)) == wins


@pytest.mark.parametrize("name", registry.names("embodiment"))
def test_chance_acts_within_limits_and_repeats_itself_by_seed(name: str) -> None:
    body = registry.load("embodiment", name)
    robot, frame = RandomPolicy(body), random_frame(body, np.random.default_rng(0))
    drawn = []
    for seed in (5, 5, 6):
        robot.reset(seed=seed)
        chunk = robot.act(frame, observed_at_ns=9)
        assert chunk.observed_at_ns == 9
        action = {
            name: rows if isinstance(body.action[name], PathGroup) else rows[0]
            for name, rows in chunk.action.items()
        }
        body.check_action(action)
        drawn.append(np.concatenate([value.ravel() for value in action.values()]))
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])


def test_a_random_path_begins_at_the_present_speed() -> None:
    body = registry.load("embodiment", "road_car")
    frame = random_frame(body, np.random.default_rng(0))
    speed = np.hypot(*relative(frame["ego_history"][-2], frame["ego_history"][-1])[:2]) * 10
    path = RandomPolicy(body).act(frame).action["path"]
    assert np.hypot(*path[0, :2]) * 10 == pytest.approx(speed, abs=0.2)


def test_the_expert_looks_at_the_world_not_at_the_frame() -> None:
    spec = registry.load("environment", "tabletop-lift")
    world = spec.make(disable_env_checker=True, cameras=False)
    world.reset(seed=0)
    chunk = ExpertPolicy(spec.body, world).act({}, observed_at_ns=0)
    assert {name: rows.shape for name, rows in chunk.action.items()} == {
        "arm": (1, 4),
        "gripper": (1, 1),
    }
