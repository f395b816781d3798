"""What a training run carries from step to step: optimiser, running mean, place in the data."""

import math
import shutil
from pathlib import Path

import msgspec
import torch

from octoverse import checkpoint
from octoverse.data.mixture import Mixture, MixtureState
from octoverse.errors import BadConfig
from octoverse.policy import Policy
from octoverse.training.config import TrainingConfig


class Trainer:
    """Advances a policy by its gradients, and saves and resumes to the same numbers."""

    def __init__(self, policy: Policy, config: TrainingConfig) -> None:
        self.policy, self.config, self.step = policy, config, 0
        weights = list(policy.parameters())
        # Biases, norms and positions are not pulled to zero.
        groups = [
            {"params": [w for w in weights if w.ndim >= 2], "weight_decay": config.weight_decay},
            {"params": [w for w in weights if w.ndim < 2], "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(
            groups, lr=config.learning_rate, betas=(0.9, 0.95), fused=True
        )
        self.mean = {key: value.detach().clone() for key, value in policy.state_dict().items()}

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
        now = self.policy.state_dict()
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
            torch.save(state, waiting / "trainer" / "state.pt")
            (waiting / "trainer" / "mixture.json").write_bytes(msgspec.json.encode(mixture.state()))
            (waiting / "trainer" / "config.json").write_bytes(msgspec.json.encode(self.config))

        checkpoint.save(self.policy, place, weights=self.mean, also=also)
        for old in checkpoint.steps(folder)[: -self.config.keep]:
            shutil.rmtree(old)

    def resume(self, folder: Path, mixture: Mixture) -> None:
        """Go on after the newest checkpoint of a run, if there is one.

        Raises:
            BadConfig: if that run had other settings.
            BadCheckpoint: if it cannot be read.
        """
        found = checkpoint.steps(folder)
        if not found:
            return
        trainer = found[-1] / "trainer"
        before = msgspec.json.decode((trainer / "config.json").read_bytes(), type=TrainingConfig)
        for name in ("steps", "batch_size", "learning_rate", "warmup_steps", "mean_of", "seed"):
            was, now = getattr(before, name), getattr(self.config, name)
            if was != now:
                raise BadConfig(
                    f"{folder} holds a run with {name} {was}, got {now}. "
                    "Go on with the same settings, or choose another folder with --out."
                )
        self.mean = {
            key: value.to(self.policy.device)
            for key, value in checkpoint.read_weights(found[-1]).items()
        }
        state = torch.load(trainer / "state.pt", weights_only=True, map_location=self.policy.device)
        self.policy.load_state_dict(state["weights"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]
        mixture.restore(
            msgspec.json.decode((trainer / "mixture.json").read_bytes(), type=MixtureState)
        )

    def mean_policy(self) -> Policy:
        """The policy with the running mean of its weights, ready to act."""
        self.policy.load_state_dict(self.mean)
        return self.policy.eval()
