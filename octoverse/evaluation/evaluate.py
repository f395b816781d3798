"""Judge a policy in several environments, and chance and the experts beside it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from octoverse import registry
from octoverse.acting import ActingPolicy, LocalPolicy, RobotPolicy
from octoverse.embodiment import Embodiment, differences
from octoverse.errors import BadConfig
from octoverse.evaluation.baselines import baseline
from octoverse.evaluation.fleet import Fleet
from octoverse.evaluation.results import RowResult, summarise
from octoverse.evaluation.robot import Done, Driver, Job, Live
from octoverse.evaluation.rollout import Rollout, play
from octoverse.simulation.world import EnvironmentSpec

DRIVERS: tuple[Driver, ...] = ("policy", "expert", "random")


@dataclass
class Evaluation:
    """Episodes by environment and driver, as they come in."""

    specs: Sequence[EnvironmentSpec]
    episodes: int
    execute: int | None = None
    """Control steps between two chunks; the body's default if None."""
    rollouts: dict[tuple[str, Driver], list[Rollout]] = field(default_factory=dict)

    def jobs(self) -> list[Job]:
        """Every episode, the policy's first; seeds are those that recordings never use."""
        return [
            Job(
                environment=spec,
                seed=seed,
                driver=driver,
                execute=self.execute if driver == "policy" else 1,
            )
            for driver in DRIVERS
            for spec in self.specs
            for seed in range(self.episodes)
        ]

    def add(self, job: Job, rollout: Rollout) -> None:
        """Take in one episode."""
        self.of(job.environment, job.driver).append(rollout)

    def of(self, spec: EnvironmentSpec, driver: Driver = "policy") -> list[Rollout]:
        """The episodes of one environment so far."""
        return self.rollouts.setdefault((spec.name, driver), [])

    def rows(self, *, model: str, transport: str) -> dict[str, RowResult]:
        """The table, once every environment has an episode."""
        return {
            spec.row: summarise(
                spec,
                self.of(spec),
                model=model,
                transport=transport,
                expert=self.of(spec, "expert"),
                random=self.of(spec, "random"),
            )
            for spec in self.specs
        }


def served(
    evaluation: Evaluation, fleet: Fleet, tell: Callable[[Live | Done], None] = lambda said: None
) -> None:
    """Play it all with the robots of a fleet.

    Args:
        evaluation: Takes in the episodes.
        fleet: Plays them.
        tell: Is called with everything that the robots say, after it has been taken in.

    Raises:
        OctoverseError: if a robot dies.
    """
    for said in fleet.play(evaluation.jobs()):
        if isinstance(said, Done):
            evaluation.add(said.job, said.rollout)
        tell(said)


def local(evaluation: Evaluation, policy: ActingPolicy) -> Iterator[Rollout]:
    """Play it all in this process, one episode after another; yields each when it is played.

    Args:
        evaluation: Takes in the episodes.
        policy: Has every body of the evaluation.
    """
    worlds: dict[tuple[str, bool], Any] = {}
    for job in evaluation.jobs():
        spec, cameras = job.environment, job.driver == "policy"
        if (spec.name, cameras) not in worlds:
            settings = {} if cameras else {"cameras": False}
            worlds[spec.name, cameras] = spec.make(disable_env_checker=True, **settings)
        world = worlds[spec.name, cameras]
        robot: RobotPolicy
        if job.driver == "policy":
            robot = LocalPolicy(policy, spec.body)
        else:
            robot = baseline(job.driver, spec.body, world)
        rollout = play(spec, world, robot, job.seed, execute=job.execute)
        evaluation.add(job, rollout)
        yield rollout


def environments_for(
    bodies: dict[str, Embodiment], names: Sequence[str] = ()
) -> list[EnvironmentSpec]:
    """The environments that a policy with these bodies can be judged in.

    Args:
        bodies: As the policy knows them.
        names: Which; all that fit if there are none.

    Raises:
        UnknownName: if an environment is not installed.
        BadConfig: if the policy does not know an environment's body, or knows another of that name.
    """
    wanted = list(names) or registry.names("environment")
    specs: list[EnvironmentSpec] = [registry.load("environment", name) for name in wanted]
    if not names:
        specs = [spec for spec in specs if spec.embodiment in bodies]
    if not specs:
        raise BadConfig(
            f"no environment has a body of this checkpoint ({', '.join(sorted(bodies))}). "
            f"Environments: {', '.join(wanted)}. Install one for it, or take another checkpoint."
        )
    for spec in specs:
        if spec.embodiment not in bodies:
            raise BadConfig(
                f"'{spec.name}' needs the body '{spec.embodiment}', the checkpoint knows "
                f"{', '.join(sorted(bodies))}. Choose another environment or checkpoint."
            )
        if found := differences(bodies[spec.embodiment], spec.body):
            raise BadConfig(
                f"'{spec.embodiment}' as the checkpoint knows it (here) and as '{spec.name}' has "
                f"it (there) differ: {'; '.join(found)}. Train anew, or use the octoverse version "
                "that trained it."
            )
    return sorted(specs, key=lambda spec: _ORDER.get(spec.row, len(_ORDER)))


_ORDER = {row: place for place, row in enumerate(("arm/reach", "arm/lift", "arm/choose"))}
