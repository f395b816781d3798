"""Train a policy: one loop on one page."""

import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch.nn.utils import clip_grad_norm_

from octoverse.batch import Batch, training_batch
from octoverse.data.mixture import Mixture
from octoverse.data.statistics import body_statistics
from octoverse.data.weighted import Weighted, readable
from octoverse.data.windows import WindowSpec
from octoverse.embodiment import Embodiment
from octoverse.errors import OctoverseError
from octoverse.normalize import BodyStatistics
from octoverse.policy import Policy
from octoverse.training.config import Recipe
from octoverse.training.fit import fit_readouts
from octoverse.training.journal import Journal
from octoverse.training.trainer import Trainer
from octoverse.training.tuning import prepare


def train(
    recipe: Recipe,
    bodies: dict[str, Embodiment],
    folder: Path,
    *,
    start: Callable[[Policy], None] | None = None,
    quiet: bool = False,
) -> Policy:
    """Train until the recipe's last step; goes on where an earlier run in `folder` stopped.

    Args:
        recipe: What to train, on what.
        bodies: The spec of every body in it.
        folder: Run folder: checkpoints/, losses.jsonl, losses.png, TensorBoard's logs.
        start: Puts weights into a fresh policy.
        quiet: Show no progress.

    Returns:
        The policy with the running mean of its weights, as in the last checkpoint.

    Raises:
        OctoverseError: if the loss is not finite.
        BadConfig: if the run in `folder` had other data or settings.
    """
    config = recipe.training
    sources, _, _ = readable(recipe.sources, config.skip_bad)
    statistics = body_statistics(
        sources, folder / "statistics", apart=config.apart, skip_bad=config.skip_bad
    )
    places = {name: _places(found, sources) for name, found in statistics.items()}
    torch.manual_seed(config.seed)
    policy = Policy(recipe.policy, bodies, statistics)
    policy.name = recipe.name
    if start is not None:
        start(policy)
    prepare(policy, config)
    policy.to("cuda" if torch.cuda.is_available() else "cpu").train()
    mixture = Mixture(
        recipe.sources,
        {name: window_spec(policy, name) for name in policy.bodies},
        policy.preprocess,
        batch_size=config.batch_size,
        seed=config.seed,
        variation=recipe.variation,
        memory_bytes=int(config.memory_gb * 2**30),
        workers=config.workers,
        prefetch=4,
        skip_bad=config.skip_bad,
    )
    trainer = Trainer(policy, config)
    with closing(mixture):
        trainer.resume(folder, mixture)
        if not trainer.step:
            fit_readouts(policy, sources, places, seed=config.seed, skip_bad=config.skip_bad)
        with Journal(folder, config, trainer.step, quiet) as journal, _Stop() as stop:
            while trainer.step < config.steps and not stop.asked:
                batches = {
                    name: training_batch(policy.bodies[name], stacked, policy.device, places[name])
                    for name, stacked in mixture.next().items()
                }
                journal.leave_out(mixture.skipped)
                parts = _step(policy, trainer, batches)
                journal.log(trainer.step, trainer.rate, parts)
                if trainer.step % config.save_every == 0 and trainer.step < config.steps:
                    trainer.save(folder, mixture)
            trainer.save(folder, mixture)
    return trainer.mean_policy()


def _places(statistics: BodyStatistics, sources: Sequence[Weighted]) -> list[int] | None:
    """For each source, which of a body's statistics are its own; None where all share them."""
    if not statistics.apart:
        return None
    names = list(statistics.apart)
    return [names.index(one.source.name) if one.source.name in names else -1 for one in sources]


def window_spec(policy: Policy, name: str) -> WindowSpec:
    """What a training sample of one body is for this policy."""
    spacing = policy.spacing
    used = {
        stream for use in policy.config.bodies[name].tokenizers for stream in use.streams.values()
    } | set(policy.reference_streams(name))
    seen = tuple(stream for stream in policy.bodies[name].observation if stream in used)
    return WindowSpec(
        frames=policy.config.window.frames,
        spacing=1 if spacing is None else spacing * policy.bodies[name].control_hz,
        horizon=policy.config.bodies[name].horizon,
        streams=(*seen, *policy.calibrations(name)),
    )


def _step(policy: Policy, trainer: Trainer, batches: dict[str, Batch]) -> dict[str, float]:
    device = policy.device.type
    mixed = trainer.config.precision == "bfloat16"
    with torch.autocast(device, torch.bfloat16, enabled=mixed):
        losses = policy.loss(batches)
    losses.total.backward()
    parts = {
        f"{body}/{readout}": loss.total.detach().item()
        for body, found in losses.parts.items()
        for readout, loss in found.items()
    }
    norm = float(clip_grad_norm_(policy.parameters(), trainer.config.clip))
    if not norm < float("inf"):
        raise OctoverseError(
            f"The gradient of step {trainer.step + 1} is {norm}, expected a finite number "
            f"(losses: {parts}). Lower learning_rate, or look for damaged data with: "
            "octoverse data inspect FOLDER"
        )
    trainer.advance()
    return parts


class _Stop:
    """Turns Ctrl-C and a polite kill into a stop after the step in progress."""

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "_Stop":
        if threading.current_thread() is threading.main_thread():
            for kind in (signal.SIGINT, signal.SIGTERM):
                self._before[kind] = signal.signal(kind, self._ask)
        return self

    def __exit__(self, *error: object) -> None:
        for kind, before in self._before.items():
            signal.signal(kind, before)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
