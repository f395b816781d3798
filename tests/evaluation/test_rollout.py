from math import ceil
from typing import Any

import gymnasium
import numpy as np
import pytest

from octoverse import registry
from octoverse.acting import LocalPolicy, RobotPolicy
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.episode import Action
from octoverse.errors import OctoverseError
from octoverse.evaluation.baselines import ExpertPolicy, RandomPolicy
from octoverse.evaluation.rollout import Moment, default_execute, play
from octoverse.policy import Policy
from octoverse.servers.client import Client
from octoverse.servers.zeromq import Server
from octoverse.simulation.world import EnvironmentSpec


def spec_of(name: str) -> EnvironmentSpec:
    spec: EnvironmentSpec = registry.load("environment", name)
    return spec


class Short(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Ends every episode after six steps, so that rendering costs little."""

    def reset(self, **settings: Any) -> Any:
        self.left = 6
        return super().reset(**settings)

    def step(self, action: Any) -> Any:
        self.left -= 1
        seen, reward, ended, cut, info = super().step(action)
        return seen, reward, ended, cut or not self.left, info


@pytest.mark.sim
@pytest.mark.parametrize("name", ["tabletop-lift", "road-lane"])
def test_a_served_rollout_is_the_local_one_action_by_action(
    name: str, policy: Policy, server: Server
) -> None:
    spec = spec_of(name)
    world = Short(spec.make(disable_env_checker=True))

    def actions(robot: RobotPolicy) -> list[Action]:
        found: list[Moment] = []
        for seed in (3, 4):
            play(spec, world, robot, seed, watch=found.append)
        return [moment.action for moment in found if moment.action is not None]

    local = actions(LocalPolicy(policy, spec.body))
    with Client(server.address, spec.body, timeout=60) as client:
        served = actions(client)
    assert len(local) == len(served) == 12
    for mine, theirs in zip(local, served, strict=True):
        for group in spec.body.action:
            np.testing.assert_array_equal(mine[group], theirs[group])
    assert any(not np.array_equal(local[0][g], local[6][g]) for g in spec.body.action)


@pytest.mark.parametrize(("execute", "steps"), [(1, 60), (2, 60), (7, 60)])
def test_a_chunk_is_asked_for_once_in_so_many_steps(execute: int, steps: int) -> None:
    class Holding(RandomPolicy):
        def act(self, frame: Any, **when: Any) -> Any:
            one = super().act(frame, **when)
            long = {name: np.repeat(rows * 0, 8, axis=0) for name, rows in one.action.items()}
            return type(one)(
                embodiment=one.embodiment, action=long, observed_at_ns=one.observed_at_ns
            )

    spec = spec_of("tabletop-lift")
    world = spec.make(disable_env_checker=True, cameras=False)
    found = play(spec, world, Holding(spec.body), 0, execute=execute)
    assert found.steps == steps
    assert len(found.latencies_ms) == ceil(steps / execute) and found.executed == execute
    assert not found.success


def test_paths_are_replanned_at_each_step_and_other_actions_at_every_second() -> None:
    assert default_execute(spec_of("road-lane").body) == 1
    assert default_execute(spec_of("tabletop-lift").body) == 2


def test_a_rollout_says_what_happened_and_repeats_itself() -> None:
    spec = spec_of("tabletop-lift")
    world = spec.make(disable_env_checker=True, cameras=False)
    first, again = (play(spec, world, ExpertPolicy(spec.body, world), 11) for _ in range(2))
    assert first.success and first.seed == 11 and first.environment == "tabletop-lift"
    assert first.instruction == world.unwrapped.instruction  # type: ignore[attr-defined]
    assert first.metrics["height"] > 0.05 and "success" not in first.metrics
    assert 5 < first.steps < 60 and first.seconds > 0
    assert (first.steps, first.metrics) == (again.steps, again.metrics)


def test_the_experts_own_path_has_no_error_where_going_straight_has_one() -> None:
    spec = spec_of("road-lane")
    world = spec.make(disable_env_checker=True, cameras=False)
    found = play(spec, world, ExpertPolicy(spec.body, world), 0)
    assert found.success
    assert len(found.displacements) == len(found.displacements_straight) == ceil(found.steps / 10)
    assert max(found.displacements) < 1e-4 < 0.3 < np.mean(found.displacements_straight)


def test_those_who_watch_see_every_step_and_the_end() -> None:
    spec = spec_of("tabletop-reach")
    world = spec.make(disable_env_checker=True, cameras=False)
    seen: list[Moment] = []
    found = play(spec, world, RandomPolicy(spec.body), 0, watch=seen.append)
    assert [moment.step for moment in seen] == list(range(found.steps + 1))
    assert seen[-1].action is None and all(m.action is not None for m in seen[:-1])


def test_a_world_that_does_not_say_whether_it_succeeded_is_refused() -> None:
    class Mute(gymnasium.Wrapper[Any, Any, Any, Any]):
        def step(self, action: Any) -> Any:
            seen, reward, *_ = super().step(action)
            return seen, reward, True, False, {"height": 0.1}

    spec = spec_of("tabletop-reach")
    world = Mute(spec.make(disable_env_checker=True, cameras=False))
    with pytest.raises(OctoverseError, match=r"expected info\['success'\] .* got height"):
        play(spec, world, RandomPolicy(TABLETOP_ARM), 0)
