"""What a training run carries from step to step: optimiser, running mean, place in the data."""

import math
import pickle
import shutil
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import torch
from torch import Tensor

from octoverse import checkpoint
from octoverse.data.mixture import Mixture, MixtureState
from octoverse.errors import BadCheckpoint, BadConfig
from octoverse.policy import Policy
from octoverse.training import lora
from octoverse.training.config import TrainingConfig

_Kind = TypeVar("_Kind")
_DECIDING = (
    "steps",
    "batch_size",
    "learning_rate",
    "warmup_steps",
    "weight_decay",
    "clip",
    "mean_of",
    "precision",
    "seed",
    "apart",
    "tune",
    "lora_rank",
    "lora_alpha",
)
"""Settings without which a run does not go on to the same numbers."""
_CURE = "Delete this checkpoint to go on from the one before it."


class Trainer:
    """Advances a policy by its gradients, and saves and resumes to the same numbers."""

    def __init__(self, policy: Policy, config: TrainingConfig) -> None:
        self.policy, self.config, self.step = policy, config, 0
        trained = {name: w for name, w in policy.named_parameters() if w.requires_grad}
        weights = list(trained.values())
        # Biases and norms are not pulled to zero.
        groups = [
            {"params": [w for w in weights if w.ndim >= 2], "weight_decay": config.weight_decay},
            {"params": [w for w in weights if w.ndim < 2], "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(
            groups, lr=config.learning_rate, betas=(0.9, 0.95), fused=True
        )
        self.mean = {name: weight.detach().clone() for name, weight in trained.items()}
        """Running mean of what is trained; the rest stays as it is."""

    @property
    def rate(self) -> float:
        """Learning rate of the next step."""
        done, config = self.step, self.config
        if done < config.warmup_steps:
            return config.learning_rate * (done + 1) / config.warmup_steps
        left = (done - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
        return config.learning_rate * 0.5 * (1 + math.cos(math.pi * left))

    @torch.no_grad()
    def advance(self) -> None:
        """Take one step along the gradients."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        # The mean forgets its start early on, when weights still change much.
        keep = min(self.config.mean_of, (1 + self.step) / (10 + self.step))
        now = dict(self.policy.named_parameters())
        torch._foreach_lerp_(list(self.mean.values()), [now[key] for key in self.mean], 1 - keep)

    def save(self, folder: Path, mixture: Mixture) -> None:
        """Write a checkpoint with everything that is needed to go on, and drop old ones."""
        place = folder / "checkpoints" / f"step-{self.step:08d}"
        if place.exists():
            return

        def also(waiting: Path) -> None:
            (waiting / "trainer").mkdir()
            state = {
                "step": self.step,
                "weights": self.policy.state_dict(),
                "optimizer": self.optimizer.state_dict(),
            }
            if self.config.tune == "lora":  # otherwise it is what the checkpoint holds
                state["mean"] = self.mean
            torch.save(state, waiting / "trainer" / "state.pt")
            (waiting / "trainer" / "mixture.json").write_bytes(msgspec.json.encode(mixture.state()))
            (waiting / "trainer" / "config.json").write_bytes(msgspec.json.encode(self.config))

        checkpoint.save(self.policy, place, weights=self._whole_mean(), also=also)
        for old in checkpoint.steps(folder)[: -self.config.keep]:
            # First out of sight: a kill in the middle leaves no checkpoint with half its files.
            shutil.rmtree(old.rename(old.with_name(f".{old.name}.part")))

    def resume(self, folder: Path, mixture: Mixture) -> None:
        """Go on after the newest checkpoint of a run, if there is one.

        Raises:
            BadConfig: if that run had other settings.
            BadCheckpoint: if it cannot be read.
        """
        for left in (folder / "checkpoints").glob(".step-*.part"):
            shutil.rmtree(left)  # of a run that was killed while it saved
        found = checkpoint.steps(folder)
        if not found:
            return
        trainer = found[-1] / "trainer"
        if checkpoint.describe(found[-1]).config != self.policy.config:
            raise BadConfig(
                f"{folder} holds a run of another policy: its bodies, modules, trunk, window or "
                "image sizes differ. Choose another folder with --out."
            )
        before = _read(trainer / "config.json", TrainingConfig)
        for name in _DECIDING:
            was, now = getattr(before, name), getattr(self.config, name)
            if was != now:
                raise BadConfig(
                    f"{folder} holds a run with {name} {was}, got {now}. "
                    "Go on with the same settings, or choose another folder with --out."
                )
        kept = checkpoint.read_weights(found[-1])
        state = _load(trainer / "state.pt", self.policy.device)
        kept = state.get("mean", kept)
        wrong = checkpoint.differences(self.policy.state_dict(), state["weights"])
        if wrong:
            raise BadCheckpoint(
                f"{trainer / 'state.pt'}: expected the weights of this policy, got others: "
                f"{'; '.join(wrong)}. It is of another version of octoverse: go on with that one, "
                "or begin anew with --from and another --out."
            )
        self.policy.load_state_dict(state["weights"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.mean = {name: kept[name].to(self.policy.device) for name in self.mean}
        self.step = state["step"]
        mixture.restore(_read(trainer / "mixture.json", MixtureState))

    def mean_policy(self) -> Policy:
        """The policy with the running mean of its weights, ready to act."""
        mean = self._whole_mean()
        if self.config.tune == "lora":
            lora.remove(self.policy.trunk)
        self.policy.load_state_dict(mean)
        return self.policy.eval()

    def _whole_mean(self) -> dict[str, Tensor]:
        """All that a checkpoint holds: the mean of what is trained, and the rest as it is."""
        whole = {**self.policy.state_dict(), **self.mean}
        if self.config.tune == "lora":
            return lora.merged(whole, self.config.lora_alpha / self.config.lora_rank)
        return whole


def _read(path: Path, kind: type[_Kind]) -> _Kind:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, ValueError) as error:
        raise BadCheckpoint(f"{path} cannot be read: {error}. {_CURE}") from error


def _load(path: Path, device: torch.device) -> dict[str, Any]:
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True, map_location=device)
    except (OSError, RuntimeError, EOFError, KeyError, pickle.UnpicklingError) as error:
        raise BadCheckpoint(f"{path} cannot be read: {error}. {_CURE}") from error
    return state
