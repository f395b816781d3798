"""Decode an action chunk from the observation and a latent that says which way it is done.

In training an encoder reads the chunk itself into the latent; without it, the latent is drawn from
its prior, or is 0 for the one answer that ACT gives.

Source: Zhao et al., "Learning Fine-Grained Bimanual Manipulation with Low-Cost Hardware", 2023
(ACT), section IV-B and appendix C; huggingface/lerobot, policies/act (one decoder layer, since the
original reads only its first). What differs: the latent enters behind the trunk, as a token beside
its outputs, where ACT's enters in front of it. So the trunk is computed once, and each more answer
costs a pass of the decoder alone. Norms stand before what they norm; positions are added once and
not in every layer; there is no dropout. The encoder reads as the state what is measured of the
action's own numbers.
"""

from dataclasses import dataclass
from typing import ClassVar, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from octoverse import noise as sample_noise
from octoverse.readout import (
    Context,
    Loss,
    Reads,
    Reference,
    Sample,
    TrunkShape,
    blank,
    held,
    masked_mean,
    only_valid,
)
from octoverse.readouts.cvae_layers import DecoderLayer, EncoderLayer
from octoverse.sinusoids import sinusoids
from octoverse.tokens import TokenGroup

_POSTERIOR, _PRIOR = 1, 2


@dataclass(frozen=True, kw_only=True)
class CvaeConfig:
    """Settings of Cvae."""

    codec: str = "scaled"
    """Between the body's units and the numbers that are decoded."""
    width: int = 512
    """Of encoder and decoder; the trunk's may differ."""
    heads: int = 8
    feed_forward: int = 3200
    """Width inside the feed-forward layers."""
    encoder_layers: int = 4
    decoder_layers: int = 1
    latent: int = 32
    """Numbers of the latent."""
    kl_weight: float = 10.0
    """What a nat that the latent says costs, in units of the mean absolute error. Where it is more
    than telling the ways apart gains, the latent says nothing and all answers are one."""

    token_count: ClassVar[int] = 0
    causal: ClassVar[bool] = False
    reads: ClassVar[Reads] = "outputs"

    def __post_init__(self) -> None:
        sizes = (self.feed_forward, self.encoder_layers, self.decoder_layers, self.latent)
        if min(sizes) < 1 or self.width % 2 or self.width % self.heads:
            raise ValueError(
                "feed_forward, encoder_layers, decoder_layers and latent must be at least 1 and "
                f"width a multiple of heads and of 2, got {', '.join(map(str, sizes))} and "
                f"{self.width} with {self.heads} heads."
            )
        if self.kl_weight < 0:
            raise ValueError(f"kl_weight must be at least 0, got {self.kl_weight}.")

    def build(self, trunk: TrunkShape, horizon: int, size: int) -> "Cvae":
        """Make the readout."""
        return Cvae(self, trunk.width, horizon, size)


class Cvae(nn.Module):
    """An encoder of chunks into latents, and a decoder of latents into chunks."""

    positions: Tensor

    def __init__(self, config: CvaeConfig, memory: int, horizon: int, size: int) -> None:
        super().__init__()
        self.config, self.size, width = config, size, config.width
        self.summary = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.enter_state, self.enter = nn.Linear(size, width), nn.Linear(size, width)
        self.encoder = nn.ModuleList(
            EncoderLayer(width, config.heads, config.feed_forward)
            for _ in range(config.encoder_layers)
        )
        self.posterior = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 2 * config.latent))
        self.register_buffer("positions", sinusoids(horizon + 2, width), persistent=False)
        self.latent = nn.Linear(config.latent, memory)
        self.queries = nn.Parameter(torch.randn(1, horizon, width))
        self.decoder = nn.ModuleList(
            DecoderLayer(width, memory, config.heads, config.feed_forward)
            for _ in range(config.decoder_layers)
        )
        self.leave = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, size))

    def tokens(self, batch: int, target: Tensor | None) -> TokenGroup:
        """None: it reads what the trunk made of everything else."""
        return blank(self.queries, batch, 0, self.latent.out_features)

    def loss(self, context: Context, target: Tensor, valid: Tensor) -> Loss:
        """Mean absolute error and what the latent costs, over valid numbers."""
        target = torch.where(valid, target, 0)
        mean, log_variance = self._encode(context.reference, target, valid)
        drawn = sample_noise.normal(context.seeds, _POSTERIOR, mean.shape[1:])
        z = mean + (log_variance / 2).exp() * drawn
        off = (self._decode(context, z[:, None])[:, 0] - target).abs()
        cost = (mean.square() + log_variance.exp() - 1 - log_variance).sum(-1) / 2  # (b,), nats
        return masked_mean(off + self.config.kl_weight * cost[:, None, None], valid)

    def sample(
        self,
        context: Context,
        *,
        noise: Tensor,
        samples: int = 1,
        prefix: Tensor | None = None,
        valid: Tensor | None = None,
    ) -> Sample:
        """Answer for latent 0; with several samples, for latents drawn from the prior by `noise`.

        Scores are the logarithm of the prior's density at the latent, relative to its peak. A
        prefix takes the place of the first rows and changes no other.
        """
        z = self._draw(context, noise, samples, valid)
        actions = self._decode(context, z)
        return Sample(only_valid(held(actions, prefix), valid), -z.square().sum(-1) / 2)

    def _encode(
        self, reference: Reference, target: Tensor, valid: Tensor
    ) -> tuple[Float[Tensor, "b z"], Float[Tensor, "b z"]]:
        """Mean and logarithm of the variance of the latent, given a chunk."""
        b = len(target)
        tokens = [
            self.summary.expand(b, -1, -1),
            self.enter_state(self._measured(reference, target))[:, None],
            self.enter(target),
        ]
        x = torch.cat(tokens, 1) + self.positions
        seen = torch.cat([valid.new_ones(b, 2), valid.any(-1)], 1)[:, None]
        last = len(self.encoder) - 1
        for number, layer in enumerate(self.encoder):
            x = layer(x, seen, 1 if number == last else None)
        mean, log_variance = self.posterior(x[:, 0]).float().chunk(2, -1)
        return mean, log_variance

    def _measured(self, reference: Reference, like: Tensor) -> Float[Tensor, "b a"]:
        """What is measured of the action's numbers now, scaled; 0 where nothing is."""
        if reference.measured is None:
            return torch.zeros_like(like[:, 0])
        scale = reference.scale
        offset, width = (s[..., 0, :] if s.ndim > 1 else s for s in (scale.offset, scale.scale))
        known = ((reference.measured - offset) / width).nan_to_num(0.0).clamp(-5, 5)
        return nn.functional.pad(known, (0, self.size - known.shape[-1]))

    def _decode(self, context: Context, z: Float[Tensor, "b k z"]) -> Float[Tensor, "b k h a"]:
        """Chunks for several latents of each observation."""
        b, k = z.shape[:2]
        told = self.latent(z.flatten(0, 1)[:, None])  # (b k, 1, m)
        seen = torch.cat([context.visible, context.visible.new_ones(b, 1)], 1)[:, None]
        seen = seen.repeat_interleave(k, 0)
        x: Tensor = self.queries
        for layer in self.decoder:
            cross = cast(DecoderLayer, layer).cross
            keys, values = (kept.repeat_interleave(k, 0) for kept in cross.read(context.outputs))
            key, value = cross.read(told)
            read = torch.cat([keys, key], 2), torch.cat([values, value], 2)
            x = layer(x, read, seen)
        return self.leave(x).float().unflatten(0, (b, k))

    def _draw(
        self, context: Context, noise: Tensor, samples: int, valid: Tensor | None
    ) -> Float[Tensor, "b k z"]:
        """Latents of the noise of numbers that exist; where it has too few, of the seeds."""
        z = sample_noise.normal(context.seeds, _PRIOR, (samples, self.config.latent))
        if samples == 1:
            return torch.zeros_like(z)
        flat = noise.flatten(2)  # (b, k, h a)
        real = torch.ones_like(flat[:, 0], dtype=torch.bool) if valid is None else valid.flatten(1)
        first = (
            (~real).int().argsort(dim=-1, stable=True)[:, : self.config.latent]
        )  # real ones first
        given = flat.gather(-1, first[:, None].expand(-1, samples, -1))
        count = given.shape[-1]
        z[..., :count] = torch.where(real.gather(-1, first)[:, None], given, z[..., :count])
        return z
