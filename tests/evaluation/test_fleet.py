import multiprocessing
from dataclasses import replace

import pytest

from octoverse import registry
from octoverse.errors import OctoverseError
from octoverse.evaluation.baselines import baseline
from octoverse.evaluation.fleet import Fleet
from octoverse.evaluation.robot import Done, Driver, Job, Live
from octoverse.evaluation.rollout import Rollout, play
from octoverse.simulation.world import EnvironmentSpec

NOWHERE = "tcp://127.0.0.1:9"
"""Baselines ask no server."""
LIFT, LANE = (registry.load("environment", name) for name in ("tabletop-lift", "road-lane"))
PLAYED: list[tuple[EnvironmentSpec, Driver]] = [
    (LIFT, "expert"),
    (LIFT, "random"),
    (LANE, "random"),
]


def essence(rollout: Rollout) -> tuple[object, ...]:
    return rollout.environment, rollout.seed, rollout.success, rollout.steps, rollout.metrics


def robots() -> list[multiprocessing.process.BaseProcess]:
    return [p for p in multiprocessing.active_children() if p.name.startswith("robot")]


def test_every_job_is_played_once_as_it_would_be_here() -> None:
    jobs = [
        Job(environment=spec, seed=seed, driver=driver)
        for spec, driver in PLAYED
        for seed in range(3)
    ]
    with Fleet(NOWHERE, 2) as fleet:
        said = list(fleet.play(jobs))
        again = [one.rollout for one in fleet.play(jobs[:1]) if isinstance(one, Done)]
    done = [one for one in said if isinstance(one, Done)]
    assert {one.robot for one in done} == {1, 2}
    assert sorted((d.job.environment.name, d.job.driver, d.job.seed) for d in done) == sorted(
        (j.environment.name, j.driver, j.seed) for j in jobs
    )
    for one in done:
        spec = one.job.environment
        world = spec.make(disable_env_checker=True, cameras=False)
        assert one.job.driver != "policy"
        here = play(spec, world, baseline(one.job.driver, spec.body, world), one.job.seed)
        assert essence(one.rollout) == essence(here)
        assert one.timing_ms == {} and one.film is None
    assert essence(again[0]) == essence(next(d.rollout for d in done if d.job == jobs[0]))
    live = [one for one in said if isinstance(one, Live)]
    assert live and all(one.instruction and one.hz >= 0 for one in live)
    assert not robots()


def test_a_robot_that_dies_is_named() -> None:
    jobs = [Job(environment=LANE, seed=seed, driver="expert") for seed in range(30)]
    message = r"Robot 1 \(road-lane, seed \d+\) died \(exit code -9\).* memory may have run out"
    with Fleet(NOWHERE, 1) as fleet, pytest.raises(OctoverseError, match=message):
        for _ in fleet.play(jobs):
            for robot in robots():
                robot.kill()


def test_a_robot_that_cannot_go_on_says_why() -> None:
    stranger = replace(LIFT, embodiment="tabletop_arn")
    message = r"Robot 1 \(tabletop-lift, seed 7\) stopped: No embodiment .* mean 'tabletop_arm'"
    with Fleet(NOWHERE, 1) as fleet, pytest.raises(OctoverseError, match=message):
        list(fleet.play([Job(environment=stranger, seed=7, driver="random")]))


def test_a_robot_that_falls_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("octoverse.evaluation.fleet._POLL_S", 0.0)
    message = r"Robot 1 \(road-lane, seed 0\) has said nothing for 0 s. Look at the load"
    with Fleet(NOWHERE, 1, silent_s=0) as fleet, pytest.raises(OctoverseError, match=message):
        list(fleet.play([Job(environment=LANE, seed=0, driver="expert")]))
    assert not robots()


def test_a_fleet_without_robots_or_jobs() -> None:
    with pytest.raises(ValueError, match="robots must be at least 1, got 0"):
        Fleet(NOWHERE, 0)
    with Fleet(NOWHERE, 1) as fleet:
        assert list(fleet.play([])) == []
