"""Policies, windows and batches for benchmarks, made up from specs; and timing in turns."""

import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median

import numpy as np
import torch

from octoverse.acting import open_session
from octoverse.batch import Batch, training_batch
from octoverse.config import PolicyConfig
from octoverse.data.windows import StackedWindows
from octoverse.embodiment import Embodiment, PathGroup
from octoverse.episode import Observation, Window
from octoverse.normalize import BodyStatistics, Statistics
from octoverse.policy import Policy
from octoverse.session import Session
from octoverse.synthetic import random_action, random_frame
from octoverse.training.config import TrainingConfig
from octoverse.training.trainer import Trainer


def in_turns(runs: Mapping[str, Callable[[], object]], turns: int) -> dict[str, float]:
    """Median milliseconds of each, run one after another again and again."""
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(turns + 1):
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            if turn:  # the first is for warming up
                taken[name].append(1000 * (time.perf_counter() - began))
    return {name: median(times) for name, times in taken.items()}


def unit_statistics(body: Embodiment) -> BodyStatistics:
    """Scale nothing: speed does not depend on it."""

    def plain(units: tuple[str, ...]) -> Statistics:
        zero, one = (0.0,) * len(units), (1.0,) * len(units)
        low = (-1.0,) * len(units)
        return Statistics(
            count=1,
            units=units,
            mean=zero,
            std=one,
            low=low,
            high=one,
            q01=low,
            q99=one,
            alone=(False,) * len(units),
        )

    return BodyStatistics(
        observation={}, action={name: plain(group.units) for name, group in body.action.items()}
    )


def made_policy(config: PolicyConfig, *bodies: Embodiment) -> Policy:
    """A policy with fresh weights."""
    torch.manual_seed(0)
    specs = {body.name: body for body in bodies}
    return Policy(config, specs, {name: unit_statistics(body) for name, body in specs.items()})


class Robots:
    """Some robots of one body that see something new at every step, the instruction stays."""

    def __init__(self, policy: Policy, body: Embodiment, count: int) -> None:
        self.policy, self.body, self.rng, self.step = policy, body, np.random.default_rng(0), 0
        self.sessions: list[Session] = [open_session(policy, body) for _ in range(count)]
        self.words = {k: v for k, v in random_frame(body, self.rng).items() if isinstance(v, str)}
        self.frames = [random_frame(body, self.rng) for _ in range(8)]

    def see(self) -> list[Observation]:
        """The next frame of each, as a window."""
        at = round(self.step * self.sessions[0].spacing * 1e9)
        for i, session in enumerate(self.sessions):
            session.observe({**self.frames[(self.step + i) % 8], **self.words}, at)
        self.step += 1
        return [session.observation(step=self.step) for session in self.sessions]

    def act(self, *, remember: bool) -> None:
        """See, and act."""
        seen = self.see()
        self.policy.act(seen, [one.memory for one in self.sessions] if remember else None)


def batch(policy: Policy, body: Embodiment, count: int) -> Batch:
    """A training batch of random samples."""
    rng, windows = np.random.default_rng(0), []
    rows = policy.horizons[body.name]
    robots = Robots(policy, body, count)
    for _ in range(policy.frames):
        seen = robots.see()
    for one in seen:
        made = [random_action(body, rng) for _ in range(max(rows.values()))]
        action = {
            name: made[0][name]
            if isinstance(group, PathGroup)
            else np.stack([step[name] for step in made])[: rows[name]]
            for name, group in body.action.items()
        }
        valid = {name: np.ones(len(values), bool) for name, values in action.items()}
        windows.append(Window(observation=one, action=action, action_valid=valid))
    return training_batch(body, StackedWindows.from_windows(windows), policy.device)


def training_step(
    policy: Policy, batches: Mapping[str, Batch], trainer: Trainer | None = None
) -> Callable[[bool], None]:
    """What takes one step of training, in bfloat16 if asked to."""
    made = trainer or Trainer(policy.train(), TrainingConfig())

    def step(rough: bool) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=rough):
            losses = policy.loss(batches)
        losses.total.backward()
        made.advance()

    return step


def parameters(module: torch.nn.Module) -> str:
    """How many, in millions."""
    return f"{sum(weight.numel() for weight in module.parameters()) / 1e6:.1f} M parameters"


def rows(heading: str, taken: Mapping[str, float], counts: Sequence[int] | None = None) -> str:
    """A table of milliseconds; with counts, of how many that is in a second."""
    lines = [f"{heading:<64}{'ms':>10}{'' if counts is None else '/s':>10}"]
    for i, (name, ms) in enumerate(taken.items()):
        speed = "" if counts is None else f"{1000 * counts[i] / ms:>10.1f}"
        lines.append(f"{name:<64}{ms:>10.2f}{speed}")
    return "\n".join(lines)
