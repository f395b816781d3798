"""Denoise typical chunks a little, all at once, and take the one that is most confident.

Source: Liao et al., "DiffusionDrive", 2025 (hustvl/DiffusionDrive, transfuser_model_v2.py):
anchors noised by at most 50 of 1000 steps, a cascade of two decoder layers that predict the clean
chunk and a confidence for each anchor, focal loss on the nearest anchor and the absolute error of
its chunk; 2 DDIM steps from step 8 at inference. Not so here: the decoder reads the trunk's
outputs in place of a bird's-eye view, agents and an ego query; anchors hold every number of the
action, headings too; points are scaled by the range of the training data, not by fixed metres;
DDIM goes from 8 to 0, where the published code takes the noise of 8 for that of 10.
"""

from dataclasses import dataclass
from itertools import chain, pairwise
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from octoverse import noise as sample_noise
from octoverse.readout import Context, Loss, Reads, Sample, TrunkShape, blank, masked_mean
from octoverse.readouts.anchor_set import AnchorSet, likeliest
from octoverse.readouts.cascade import Cascade
from octoverse.tokens import TokenGroup

_NOISE, _TIME = 1, 2


@dataclass(frozen=True, kw_only=True)
class TruncatedDiffusionConfig:
    """Settings of TruncatedDiffusion."""

    codec: str = "scaled"
    """Between the body's units and the numbers in which anchors are found and denoised."""
    anchors: int = 20
    """How many typical chunks k."""
    layers: int = 2
    """Decoder layers."""
    noised: int = 50
    """Of 1000 steps, how far anchors are noised at most in training."""
    start: int = 8
    """Of 1000 steps, how far anchors are noised at inference."""
    inference_steps: int = 2
    """How often the decoder runs at inference; may be set on the readout later."""
    rehearsed: bool = True
    """Whether training, too, takes a DDIM step and goes on from there. Not so in the source: its
    many anchors lie so near that later steps begin within the noise. Where anchors are few, or
    chunks have many numbers, the second step does worse than the first alone if not rehearsed."""
    confidence_weight: float = 10.0
    """Of the focal loss."""
    chunk_weight: float = 8.0
    """Of the absolute error."""

    token_count: ClassVar[int] = 0
    causal: ClassVar[bool] = False
    reads: ClassVar[Reads] = "outputs"

    def __post_init__(self) -> None:
        if min(self.anchors, self.layers, self.inference_steps) < 1:
            raise ValueError(
                "anchors, layers and inference_steps must be at least 1, got "
                f"{self.anchors}, {self.layers} and {self.inference_steps}."
            )
        if not 1 <= self.start <= self.noised <= 1000:
            raise ValueError(
                "start must be at least 1, noised at least start and at most 1000, got "
                f"{self.start} and {self.noised}."
            )

    def build(self, trunk: TrunkShape, horizon: int, size: int) -> "TruncatedDiffusion":
        """Make the readout."""
        return TruncatedDiffusion(self, trunk, horizon, size)


class TruncatedDiffusion(nn.Module):
    """A cascade of decoder layers over noised anchors.

    Points are codes scaled so that those of the training data lie within -1 and 1.
    """

    middle: Tensor
    reach: Tensor
    kept: Tensor

    def __init__(
        self, config: TruncatedDiffusionConfig, trunk: TrunkShape, horizon: int, size: int
    ) -> None:
        super().__init__()
        self.config, self.width = config, trunk.width
        self.inference_steps = config.inference_steps
        self.anchors = AnchorSet(config.anchors, horizon, size)
        self.register_buffer("middle", torch.zeros(size))
        self.register_buffer("reach", torch.ones(size))
        self.register_buffer("kept", _kept(), persistent=False)
        self.cascade = Cascade(config.layers, trunk, horizon, size)

    def fit(self, codes: Tensor, valid: Tensor) -> None:
        """Learn anchors and ranges from codes (n, h, a) of training chunks, before any step."""
        self.anchors.fit(codes, valid)
        low = torch.where(valid, codes, torch.inf).amin((0, 1))
        high = torch.where(valid, codes, -torch.inf).amax((0, 1))
        self.middle.copy_(torch.where(low <= high, (low + high) / 2, 0))
        self.reach.copy_(torch.where(low < high, (high - low) / 2, 1))

    def tokens(self, batch: int, target: Tensor | None) -> TokenGroup:
        """None: it reads what the trunk made of the observation."""
        return blank(self.middle, batch, 0, self.width)

    def loss(self, context: Context, target: Tensor, valid: Tensor) -> Loss:
        """Focal loss of the nearest anchor and error of its chunk, summed over the layers."""
        count, winner = len(self.anchors.values), self.anchors.nearest(target, valid)
        first, second = sample_noise.uniform(context.seeds, _TIME, (2,)).unbind(1)
        time = (first * self.config.noised).long()
        noise = sample_noise.normal(context.seeds, _NOISE, (count, *target.shape[1:]))
        points = self._noised(noise, time)
        runs = [self._denoise(context, points, time, valid)]
        if self.config.rehearsed:
            then = (second * time).long()
            points = self._onward(points, runs[0][-1][0].detach(), time, then)
            runs.append(self._denoise(context, points, then, valid))

        told, wanted = valid.flatten(1).any(1), torch.where(valid, target, 0)
        truth = F.one_hot(winner, count).float()
        total = torch.zeros((), device=target.device)
        for chunks, confidence in chain(*runs):
            missed = masked_mean(focal(confidence, truth).mean(1), told)
            nearest = chunks.take_along_dim(winner[:, None, None, None], 1)[:, 0]
            error = masked_mean((nearest - wanted).abs(), valid)
            total = total + self.config.confidence_weight * missed.total
            total = total + self.config.chunk_weight * error.total
        return Loss(total / len(runs), valid.sum())

    def sample(
        self,
        context: Context,
        *,
        noise: Tensor,
        samples: int = 1,
        prefix: Tensor | None = None,
        valid: Tensor | None = None,
    ) -> Sample:
        """The most confident chunks, best first, scored by the logarithm of their confidence.

        All anchors are noised by the first `noise` of their sample: they do not read each other.
        """
        real = torch.ones_like(noise[:, 0], dtype=torch.bool) if valid is None else valid
        steps = torch.linspace(self.config.start, 0, self.inference_steps).round().long().tolist()
        times = [torch.full_like(context.seeds, step) for step in steps]
        points = self._noised(noise[:, :1], times[0])
        chunks, confidence = self._denoise(context, points, times[0], real)[-1]
        for now, then in pairwise(times):
            points = self._onward(points, chunks, now, then)
            chunks, confidence = self._denoise(context, points, then, real)[-1]
        return likeliest(chunks, F.logsigmoid(confidence), samples, prefix, valid)

    def _noised(
        self, noise: Float[Tensor, "b _ h a"], time: Int[Tensor, " b"]
    ) -> Float[Tensor, "b k h a"]:
        """The anchors as points, noised; one noise for all of them, or one for each."""
        clean = (self.anchors.get() - self.middle) / self.reach
        kept = self.kept[time][:, None, None, None]
        return kept.sqrt() * clean + (1 - kept).sqrt() * noise

    def _onward(
        self,
        points: Float[Tensor, "b k h a"],
        chunks: Float[Tensor, "b k h a"],
        now: Int[Tensor, " b"],
        then: Int[Tensor, " b"],
    ) -> Float[Tensor, "b k h a"]:
        """A DDIM step: the points that clean `chunks` were with the same noise, less of it."""
        before, after = (self.kept[time][:, None, None, None] for time in (now, then))
        clean = (chunks - self.middle) / self.reach
        noise = (points - before.sqrt() * clean) / (1 - before).sqrt()
        return after.sqrt() * clean + (1 - after).sqrt() * noise

    def _denoise(
        self, context: Context, points: Tensor, time: Tensor, valid: Tensor
    ) -> list[tuple[Float[Tensor, "b k h a"], Float[Tensor, "b k"]]]:
        """Clean chunks and how confident it is of each, after every layer."""
        answers = self.cascade(
            points.clamp(-1, 1), time, valid[:, None], context.outputs, context.visible
        )
        return [(found * self.reach + self.middle, logits) for found, logits in answers]


def focal(logits: Float[Tensor, "b k"], truth: Float[Tensor, "b k"]) -> Float[Tensor, "b k"]:
    """Focal loss of independent answers yes or no, power 2, weight 0.25 of those that are yes.

    What is told well already hardly counts, so that the many wrong anchors do not rule. Source:
    Lin et al., "Focal loss for dense object detection", 2017.
    """
    chance = logits.sigmoid()
    doubt = truth * (1 - chance) + (1 - truth) * chance
    weight = truth * 0.25 + (1 - truth) * 0.75
    missed = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    return weight * doubt**2 * missed


def _kept() -> Float[Tensor, " t"]:
    """Share of the signal's square that is left after each step, by the "scaled linear" betas."""
    root = torch.linspace(1e-4**0.5, 0.02**0.5, 1000, dtype=torch.float64)
    return (1 - root**2).cumprod(0).float()
