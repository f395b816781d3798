"""Settings of a training run, and what a recipe gives to it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from octoverse.config import PolicyConfig
from octoverse.data.variation import PLAIN, Variation
from octoverse.data.weighted import Weighted

Tune = Literal["full", "frozen-trunk", "lora"]


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """AdamW with linear warm-up and cosine decay, and a running mean of the weights."""

    steps: int = 10_000
    batch_size: int = 64
    """Samples in a step, all bodies together."""
    learning_rate: float = 3e-4
    """At its peak."""
    warmup_steps: int = 500
    weight_decay: float = 0.05
    clip: float = 1.0
    """Largest norm of the gradient."""
    mean_of: float = 0.999
    """Share of the running mean of weights that is kept in a step; the mean is what is saved."""
    precision: Literal["float32", "bfloat16"] = "float32"
    seed: int = 0
    save_every: int = 500
    """Steps between checkpoints."""
    log_every: int = 20
    keep: int = 2
    """Checkpoints that are kept."""
    memory_gb: float = 6.0
    """Memory for data: batches under way, opened episodes, decoded images."""
    workers: int = 0
    """Processes that prepare samples; 0 for a thread of the training process."""
    apart: bool = False
    """Scale each data set of a body by its own statistics; serving is then told whose to use."""
    skip_bad: bool = False
    """Leave out data that cannot be read, and name them, in place of an error."""
    tune: Tune = "full"
    """What is trained: everything; all but the trunk; or low-rank changes of the trunk (LoRA) and
    everything else. Tokenizers, positions and readouts are what a body brings: always trained."""
    lora_rank: int = 8
    """Rank of those changes."""
    lora_alpha: int = 16
    """They are scaled by this over the rank."""

    def __post_init__(self) -> None:
        if min(self.steps, self.batch_size, self.save_every, self.log_every, self.keep) < 1:
            raise ValueError(
                "steps, batch_size, save_every, log_every and keep must be at least 1, got "
                f"{self.steps}, {self.batch_size}, {self.save_every}, {self.log_every} and "
                f"{self.keep}."
            )
        if self.workers < 0 or not self.memory_gb > 0:
            raise ValueError(
                f"workers must be at least 0 and memory_gb above 0, got {self.workers} and "
                f"{self.memory_gb}."
            )
        if self.lora_rank < 1 or self.lora_alpha < 1:
            raise ValueError(
                f"lora_rank and lora_alpha must be at least 1, got {self.lora_rank} and "
                f"{self.lora_alpha}."
            )
        if self.warmup_steps > self.steps:
            raise ValueError(
                f"warmup_steps must be at most steps ({self.steps}), got {self.warmup_steps}."
            )
        if not 0 <= self.mean_of < 1:
            raise ValueError(f"mean_of must be in [0, 1), got {self.mean_of}.")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One way to a policy: its modules, its data, its training."""

    name: str
    policy: PolicyConfig
    sources: Sequence[Weighted]
    held_out: Sequence[Weighted] = ()
    """Data that is never trained on, for the error that needs no simulator."""
    seen: Sequence[Weighted] = ()
    """Data of `sources` too short to hold any out: its error is told, marked as trained on."""
    variation: Variation = PLAIN
    """What is varied at random in training: goals, words, what is seen."""
    training: TrainingConfig = field(default_factory=TrainingConfig)
