"""Make an action chunk from noise by taking the noise away, step by step.

Source: Ho, Jain, Abbeel, "Denoising diffusion probabilistic models", 2020 (training, DDPM); Song,
Meng, Ermon, "DDIM", 2021; Salimans and Ho, "Progressive distillation", 2022 (v); Octo Model Team,
"Octo", 2024, section III-B, and Chi et al., "Diffusion Policy", 2023, section III (as heads of a
policy); Black, Galliker, Levine, "Real-time execution of action chunking", 2025 (prefixes).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from octoverse import noise as seeded
from octoverse.readout import Context, Loss, Sample, TrunkShape, blank, masked_mean
from octoverse.readouts.denoisers.denoiser import Condition, Denoiser
from octoverse.readouts.denoisers.mlp_resnet import MlpResNetConfig
from octoverse.readouts.denoisers.transformer import TransformerConfig
from octoverse.readouts.denoisers.unet import UNetConfig
from octoverse.readouts.noise_schedule import squared_cosine
from octoverse.readouts.reverse_steps import (
    Predicted,
    ReverseStep,
    Sampler,
    Variance,
    reverse_steps,
)
from octoverse.tokens import TokenGroup

_NOISE, _TIME, _STEPS = 1, 2, 1000  # purposes of random numbers; a sample's steps have their own


@dataclass(frozen=True, kw_only=True)
class DiffusionConfig:
    """Settings of Diffusion; those of Octo's head unless said."""

    codec: str = "scaled"
    """Between the body's units and the numbers that are denoised."""
    token_count: int = 1
    """Readout tokens, whose outputs are the condition where `reads` is own."""
    reads: Literal["own", "outputs"] = "own"
    """The condition: outputs at its own tokens, or every output that it may read."""
    words: int = 0
    """Length of the sequence, which a unet must know where `reads` is outputs."""
    denoiser: Literal["mlp_resnet", "unet", "transformer"] = "mlp_resnet"
    """Which network denoises; its settings are those of its name."""
    mlp_resnet: MlpResNetConfig = field(default_factory=MlpResNetConfig)
    """Reads the mean of the condition's words."""
    unet: UNetConfig = field(default_factory=UNetConfig)
    """Reads them side by side."""
    transformer: TransformerConfig = field(default_factory=TransformerConfig)
    """Reads them by attention."""
    predict: Predicted = "epsilon"
    """What it predicts: the noise, the chunk, or v."""
    steps: int = 20
    """Times of training."""
    sampler: Sampler = "ddpm"
    """How a sample goes back through them; ddim needs fewer."""
    inference_steps: int | None = None
    """Steps of one sample; as many as in training unless said."""
    variance: Variance = "beta"
    """Of ddpm's steps: beta (Octo) or posterior (Diffusion Policy)."""
    clip: float | None = 5.0
    """Largest number of a chunk, either way."""
    clips: Literal["noised", "clean"] = "noised"
    """What is clipped in a step: its result (Octo), or the chunk that is foreseen (diffusers)."""

    causal: ClassVar[bool] = False

    def __post_init__(self) -> None:
        most = self.steps if self.inference_steps is None else self.inference_steps
        if not 1 <= most <= self.steps:
            raise ValueError(
                "steps must be at least 1 and inference_steps 1 to steps, got "
                f"{self.steps} and {most}."
            )
        if self.clip is not None and not self.clip > 0:
            raise ValueError(f"clip must be above 0, got {self.clip}.")
        if self.token_count < 1 and self.reads == "own":
            raise ValueError(
                f"token_count must be at least 1 where reads is own, got {self.token_count}."
            )
        if self.denoiser == "unet" and self.reads == "outputs" and self.words < 1:
            raise ValueError(
                "words must say how long the sequence is where a unet reads outputs, got "
                f"{self.words}."
            )

    def build(self, trunk: TrunkShape, horizon: int, size: int) -> "Diffusion":
        """Make the readout."""
        return Diffusion(self, trunk, horizon, size)


class Diffusion(nn.Module):
    """A denoiser, the times that it is trained on, and the way back through them.

    The trunk runs once for an observation, only the denoiser in every step. `inference_steps` and
    `sampler` may be set on the module at any time.
    """

    def __init__(self, config: DiffusionConfig, trunk: TrunkShape, horizon: int, size: int) -> None:
        super().__init__()
        self.config, self.shape, self.width = config, (horizon, size), trunk.width
        self.schedule = squared_cosine(config.steps)
        self.denoiser = _denoiser(config, trunk.width, horizon, size)
        self.inference_steps = config.inference_steps or config.steps
        self.sampler: Sampler = config.sampler

    def tokens(self, batch: int, target: Tensor | None) -> TokenGroup:
        """Nothing: the trunk adds a learned position to each, which makes them queries."""
        return blank(next(self.parameters()), batch, self.config.token_count, self.width)

    def loss(
        self, context: Context, target: Float[Tensor, "b h a"], valid: Bool[Tensor, "b h a"]
    ) -> Loss:
        """Mean squared error of what is predicted; noise and time come from each sample's seed."""
        noise = seeded.normal(context.seeds, _NOISE, self.shape)
        drawn = seeded.uniform(context.seeds, _TIME, ()) * self.config.steps
        chunk = torch.where(valid, target, 0)
        return self.judge(self.condition(context), chunk, valid, noise, drawn.long())

    def judge(
        self,
        condition: Condition,
        chunk: Float[Tensor, "b h a"],
        valid: Bool[Tensor, "b h a"],
        noise: Float[Tensor, "b h a"],
        time: Int[Tensor, " b"],
    ) -> Loss:
        """The loss of a chunk at a given time under given noise; only valid numbers count."""
        if self.config.clip is not None:
            chunk = chunk.clamp(-self.config.clip, self.config.clip)
        # Not a buffer: a policy in bfloat16 would round it.
        kept = self.schedule.alpha_hats.to(noise)[time, None, None]
        noised = kept.sqrt() * chunk + (1 - kept).sqrt() * noise
        wanted = {
            "epsilon": noise,
            "x0": chunk,
            "v": kept.sqrt() * noise - (1 - kept).sqrt() * chunk,
        }[self.config.predict]
        return masked_mean((self.denoiser(noised, time, condition) - wanted) ** 2, valid)

    def sample(
        self,
        context: Context,
        *,
        noise: Float[Tensor, "b k h a"],
        samples: int = 1,
        prefix: Float[Tensor, "b p a"] | None = None,
        valid: Bool[Tensor, "b h a"] | None = None,
    ) -> Sample:
        """Go back from `noise`, (b, samples, h, a), to actions; diffusion has no scores."""
        steps, condition = self.steps(), self.condition(context).repeat(samples)
        drawn = [
            seeded.normal(context.seeds, _STEPS + number, (len(steps) + 1, *self.shape))
            for number in range(samples)
        ]
        *noises, own = torch.stack(drawn, 1).flatten(0, 1).unbind(1)
        start = noise.flatten(0, 1)
        if valid is not None:
            # What does not exist starts from a noise of its own, whatever is given for it.
            valid = valid.repeat_interleave(samples, 0)
            start = torch.where(valid, start, own)
        if self.sampler == "ddim":
            noises = [start] * len(steps)  # its way is decided by where it starts
        held = None if prefix is None else prefix.repeat_interleave(samples, 0)
        actions = self.denoise(condition, start, noises, prefix=held, valid=valid)
        return Sample(actions.unflatten(0, (-1, samples)))

    def steps(self) -> tuple[ReverseStep, ...]:
        """The steps of a sample, as `sampler` and `inference_steps` say."""
        return reverse_steps(
            self.schedule,
            self.inference_steps,
            sampler=self.sampler,
            predict=self.config.predict,
            variance=self.config.variance,
        )

    @torch.no_grad()
    def denoise(
        self,
        condition: Condition,
        start: Float[Tensor, "b h a"],
        noises: Sequence[Float[Tensor, "b h a"]],
        *,
        prefix: Float[Tensor, "b p a"] | None = None,
        valid: Bool[Tensor, "b h a"] | None = None,
    ) -> Float[Tensor, "b h a"]:
        """Go back from `start` to actions under given noise for each step.

        Args:
            condition: What the trunk says.
            start: Standard normal.
            noises: The noise of each step.
            prefix: First rows of the answer; in every step they stand there as noised as the rest.
            valid: Numbers that exist; the others are the noise that training showed, and end as 0.
        """
        steps, x, rows = self.steps(), start, 0 if prefix is None else prefix.shape[1]
        times = torch.tensor([step.time for step in steps], device=start.device)
        predict, clip = self.denoiser.along(times, condition), self.config.clip
        for number, (step, noise) in enumerate(zip(steps, noises, strict=True)):
            predicted = predict(x, number)
            if clip is not None and self.config.clips == "clean":
                clean = (step.from_noised * x + step.from_predicted * predicted).clamp(-clip, clip)
                x = step.keep_clean * clean + step.keep_noised * x + step.keep_predicted * predicted
            else:
                of_noised, of_predicted = step.unclipped
                x = of_noised * x + of_predicted * predicted
            if step.spread:
                x = x + step.spread * noise
            if clip is not None and self.config.clips == "noised":
                x = x.clamp(-clip, clip)
            if prefix is not None:
                known = step.next_level**0.5 * prefix
                x[:, :rows] = known + (1 - step.next_level) ** 0.5 * noise[:, :rows]
            if valid is not None:
                x = torch.where(valid, x, (1 - step.level) ** 0.5 * noise)
        return x if valid is None else torch.where(valid, x, 0)

    def condition(self, context: Context) -> Condition:
        """What the trunk says to this readout."""
        if self.config.reads == "outputs":
            return Condition(context.outputs, context.visible)
        own = context.own[:, -1]
        return Condition(own, torch.ones_like(own[..., 0], dtype=torch.bool))


def _denoiser(config: DiffusionConfig, width: int, horizon: int, size: int) -> Denoiser:
    if config.denoiser == "unet":
        words = config.token_count if config.reads == "own" else config.words
        return config.unet.build(words, width, horizon, size)
    if config.denoiser == "transformer":
        return config.transformer.build(width, horizon, size)
    return config.mlp_resnet.build(width, horizon, size)
