"""Make an action chunk by flow matching with an expert that reads every layer of the trunk.

The expert is a narrower transformer beside the trunk: as many layers, its own weights in each, and
heads of the trunk's size, so that in every layer an action token reads the trunk's keys and values
there together with those of all action tokens. The trunk never reads the expert: it is computed
once per observation, and every denoising step of every sample reads the same keys and values. Keys
of a trunk with rotary positions come turned as its newest step reads them, which is where the
action tokens stand, so there is nothing to turn here.

Source: Black et al., "π0", 2024, section IV and appendix B; its code (openpi, models/pi0.py and
models/gemma.py) for the details: RMSNorm, gated GELU, projections without bias, time mixed into
action tokens by two layers with swish. Driess et al., "Knowledge insulating
vision-language-action models", 2025, for the stopped gradient. Unlike there: as many heads of keys
as of queries, like the trunk; learned positions of the chunk's rows instead of rotary ones; the
robot's state is whatever token the trunk reads, not one of the expert's; numbers that a body does
not have are masked, not learned to be zero.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from octoverse.errors import BadConfig
from octoverse.packed import Packed, plain
from octoverse.readout import Context, Loss, Reads, Sample, TrunkShape, blank, masked_mean
from octoverse.readouts.flow_path import Solver, check_settings, follow, fourier, moments, noised
from octoverse.tokens import TokenGroup


@dataclass(frozen=True, kw_only=True)
class ActionExpertConfig:
    """Settings of ActionExpert."""

    codec: str = "scaled"
    """Between the body's units and the numbers that flow."""
    width: int = 256
    """Width of the expert; half the trunk's in π0."""
    mlp_ratio: int = 4
    """Width of its gated feed-forward layers, in multiples of its width."""
    insulate: bool = False
    """Keep the gradient out of the trunk, which then learns from other readouts alone."""
    steps: int = 10
    """Steps of one sample; a built readout's `inference_steps` may be set to another number."""
    solver: Solver = "euler"
    """heun asks for the velocity twice in a step; a built readout's own `solver` may be set."""
    alpha: float = 1.5
    """Of the Beta distribution of training times; above beta, times near the noise come often."""
    beta: float = 1.0

    token_count: ClassVar[int] = 0
    causal: ClassVar[bool] = False
    reads: ClassVar[Reads] = "memory"

    def __post_init__(self) -> None:
        check_settings(self.steps, self.alpha, self.beta)
        if self.width < 2 or self.width % 2 or self.mlp_ratio < 1:
            raise ValueError(
                "width must be an even number from 2 on and mlp_ratio at least 1, got "
                f"{self.width} and {self.mlp_ratio}."
            )

    def build(self, trunk: TrunkShape, horizon: int, size: int) -> "ActionExpert":
        """Make the readout.

        Raises:
            BadConfig: if the trunk has no layers.
        """
        if trunk.layers < 1:
            raise BadConfig(
                "an action expert reads every layer of the trunk, expected at least 1, got 0. "
                "Choose another readout, or a trunk with layers."
            )
        return ActionExpert(self, trunk, horizon, size)


@dataclass(frozen=True)
class _Seen:
    """What is the same in every denoising step: the trunk, and who may read whom."""

    memory: Sequence[tuple[Float[Tensor, "b n l c"], Float[Tensor, "b n l c"]]]
    """The trunk's keys and values in each layer, n heads of c numbers."""
    trunk: Float[Tensor, "b 1 1 l"] | None
    """Added to scores of the trunk's keys: 0, or -inf where they may not be read."""
    own: Float[Tensor, "b 1 1 h h"] | None
    """The same for keys of action tokens, within one sample."""
    product: Callable[[nn.Linear, Tensor], Tensor]
    """How a layer's linear maps are applied."""


class ActionExpert(nn.Module):
    """Gives the velocity of a noised chunk, one token per row."""

    def __init__(
        self, config: ActionExpertConfig, trunk: TrunkShape, horizon: int, size: int
    ) -> None:
        super().__init__()
        self.config, self.width, width = config, trunk.width, config.width
        self.inference_steps, self.solver = config.steps, config.solver
        self.enter = nn.Linear(size, width)
        # Two layers where π0 has one on both side by side: the same map.
        self.mix_action = nn.Linear(width, width)
        self.mix_time = nn.Linear(width, width, bias=False)
        self.mix = nn.Linear(width, width)
        # Rows are far apart from the start, as rotary positions would make them: drawn near 0, it
        # takes twice the steps to learn a batch by heart.
        self.positions = nn.Parameter(fourier(torch.arange(horizon) / horizon, width))
        self.layers = nn.ModuleList(
            ExpertLayer(width, config.mlp_ratio * width, trunk.heads, trunk.head_width)
            for _ in range(trunk.layers)
        )
        self._packed = Packed()
        self.norm = nn.RMSNorm(width, 1e-6)
        self.leave = nn.Linear(width, size)

    def tokens(self, batch: int, target: Tensor | None) -> TokenGroup:
        """Nothing: what the expert reads is there without it."""
        return blank(self.positions, batch, 0, self.width)

    def loss(self, context: Context, target: Tensor, valid: Tensor) -> Loss:
        """Mean squared error of the velocity; noise and time come from each sample's seed."""
        if self.training:
            self._packed.clear()
        beta = {"alpha": self.config.alpha, "beta": self.config.beta}
        chunk, time, wanted = noised(target, valid, context.seeds, **beta)
        moment = self.moment(time)[:, None, None]
        velocity = self.velocity(chunk[:, None], moment, self._seen(context, valid, plain))[:, 0]
        return masked_mean((velocity - wanted) ** 2, valid)

    def sample(
        self,
        context: Context,
        *,
        noise: Tensor,
        samples: int = 1,
        prefix: Tensor | None = None,
        valid: Tensor | None = None,
    ) -> Sample:
        """Follow the flow from `noise` (b, samples, h, a) to actions."""
        real = torch.ones_like(noise[:, 0] > 0) if valid is None else valid
        seen = self._seen(context, real, self._product())
        times = self.moment(moments(self.inference_steps, noise.device))
        actions = follow(
            lambda chunk, step: self.velocity(chunk, times[step], seen),
            noise,
            samples=samples,
            steps=self.inference_steps,
            solver=self.solver,
            prefix=prefix,
            valid=valid,
        )
        return Sample(actions)

    def moment(self, time: Float[Tensor, " m"]) -> Float[Tensor, "m w"]:
        """What times are to action tokens."""
        words = fourier(time, self.config.width)
        return self.mix_time(words.to(self.positions.dtype))

    def velocity(self, chunk: Float[Tensor, "b k h a"], moment: Tensor, seen: _Seen) -> Tensor:
        """Where k noised chunks of each observation are going."""
        x = self.mix_action(self.enter(chunk.to(self.positions.dtype)))
        x = self.mix(F.silu(x + moment)) + self.positions
        for layer, (key, value) in zip(self.layers, seen.memory, strict=True):
            x = layer(x, key, value, seen)
        return self.leave(self.norm(x)).float()

    def _product(self) -> Callable[[nn.Linear, Tensor], Tensor]:
        """How linear maps are applied in a loop: with weights that are laid out once."""
        if torch.is_grad_enabled():
            return plain
        linear = [one for layer in self.layers for one in layer.children()]
        maps = {one: self._packed.product(one) for one in linear if isinstance(one, nn.Linear)}
        return lambda layer, x: maps[layer](x)

    def _seen(
        self,
        context: Context,
        valid: Bool[Tensor, "b h a"],
        product: Callable[[nn.Linear, Tensor], Tensor],
    ) -> _Seen:
        """Lay out the trunk's memory as the products want it; a row without numbers is not read."""
        visible, memory = context.visible, context.memory
        if self.config.insulate:
            memory = tuple((key.detach(), value.detach()) for key, value in memory)
        shown = visible.any(0)
        if visible.device.type == "cpu" and not shown.all():
            memory = tuple((key[:, :, shown], value[:, :, shown]) for key, value in memory)
            visible = visible[:, shown]
        # A token always reads itself, so that no row of the softmax is empty.
        itself = torch.eye(valid.shape[1], dtype=torch.bool, device=valid.device)
        own, dtype = valid.any(-1)[:, None, None, None] | itself, memory[0][0].dtype
        return _Seen(
            [(key.contiguous(), value.contiguous()) for key, value in memory],
            _added(visible[:, None, None], dtype),
            _added(own, dtype),
            product,
        )


class ExpertLayer(nn.Module):
    """One layer's own weights."""

    def __init__(self, width: int, inner: int, heads: int, head_width: int) -> None:
        super().__init__()
        self.heads, across = heads, heads * head_width
        self.attention_norm, self.mlp_norm = nn.RMSNorm(width, 1e-6), nn.RMSNorm(width, 1e-6)
        self.project_in = nn.Linear(width, 3 * across, bias=False)
        self.project_out = nn.Linear(across, width, bias=False)
        self.gate_and_up = nn.Linear(width, 2 * inner, bias=False)
        self.down = nn.Linear(inner, width, bias=False)

    def forward(
        self, x: Float[Tensor, "b k h w"], key: Tensor, value: Tensor, seen: _Seen
    ) -> Float[Tensor, "b k h w"]:
        """Read the trunk's keys and values of this layer, and all rows of the same sample."""
        projected = seen.product(self.project_in, self.attention_norm(x))
        heads = projected.unflatten(-1, (3, self.heads, -1)).permute(3, 0, 4, 1, 2, 5)
        query, own_key, own_value = heads.unbind(0)
        read = _attend(query, own_key, own_value, key, value, seen)
        x = x + seen.product(self.project_out, read)
        gate, up = seen.product(self.gate_and_up, self.mlp_norm(x)).chunk(2, -1)
        return x + seen.product(self.down, F.gelu(gate) * up)


def _attend(
    query: Float[Tensor, "b n k h c"],
    own_key: Float[Tensor, "b n k h c"],
    own_value: Float[Tensor, "b n k h c"],
    key: Float[Tensor, "b n l c"],
    value: Float[Tensor, "b n l c"],
    seen: _Seen,
) -> Float[Tensor, "b k h nc"]:
    """Attention to the trunk and to the own sample with one softmax over both.

    Written out in two products: the trunk's keys are neither repeated for samples nor copied to lie
    beside the expert's, which change in every step.
    """
    rows, length = query.shape[3], key.shape[2]
    query = query * query.shape[-1] ** -0.5
    to_trunk = query.flatten(2, 3) @ key.transpose(-2, -1)
    to_own = query @ own_key.transpose(-2, -1)
    if seen.trunk is not None:
        to_trunk = to_trunk + seen.trunk
    if seen.own is not None:
        to_own = to_own + seen.own
    share = torch.cat([to_trunk.unflatten(2, (-1, rows)), to_own], -1).softmax(-1)
    read = (share[..., :length].flatten(2, 3) @ value).unflatten(2, (-1, rows))
    read = read + share[..., length:] @ own_value
    return read.permute(0, 2, 3, 1, 4).flatten(3)


def _added(allowed: Bool[Tensor, "..."], dtype: torch.dtype) -> Tensor | None:
    """0 where something may be read, -inf where not; None where everything may be."""
    # Asking a GPU would wait for it; on a CPU the sum costs half as much as both products.
    if allowed.device.type == "cpu" and allowed.all():
        return None
    nothing = torch.zeros(allowed.shape, dtype=dtype, device=allowed.device)
    return nothing.masked_fill(~allowed, -torch.inf)
