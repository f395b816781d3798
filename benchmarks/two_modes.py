"""Ask every generator a question that has two right answers, and draw what they say.

An obstacle stands in the way, and the data pass it on the left as often as on the right; what is
seen says where the obstacle is, and never which side. `python benchmarks/two_modes.py` prints the
figures of docs/generators.md and draws docs/two_modes.png.
"""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from octoverse import noise, registry
from octoverse.readout import Context, Fitted, Readout, Reference, Scale, TrunkShape
from octoverse.readouts.denoisers.mlp_resnet import MlpResNetConfig
from octoverse.readouts.denoisers.transformer import TransformerConfig
from octoverse.readouts.denoisers.unet import UNetConfig

ROWS, NUMBERS = 8, 2
"""A chunk is 8 points (forward, left)."""
SPREAD = 0.03
"""Standard deviation of every number about its way."""
NEAR = 0.2
"""A chunk is on a way if its root mean square distance is at most this; the ways are .94 apart."""
TRUNK = TrunkShape(width=16, layers=2, heads=2)
WORDS = 4
"""Tokens of the trunk's outputs."""
BATCH, ASKED = 64, 64
PLACES = (-0.5, 0.0, 0.5)
"""Obstacles, from right to left, about which generators are asked."""


@dataclass(frozen=True, kw_only=True)
class Generator:
    """One generator as it is trained here: small, and for seconds."""

    readout: str
    """Its name on the shelf."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    steps: int = 300
    rate: float = 3e-3
    samples: int = ASKED
    """Answers to each question."""


_CVAE = {"width": 64, "heads": 4, "feed_forward": 128, "encoder_layers": 1, "latent": 1}
_CLEAN = {"predict": "x0", "steps": 10}

GENERATORS: dict[str, Generator] = {
    "regression, mse": Generator(readout="regression", settings={"hidden": 64, "error": "mse"}),
    "regression, l1": Generator(readout="regression", settings={"hidden": 64}),
    "octo_regression": Generator(readout="octo_regression", settings={"error": "mse"}),
    "query_regression": Generator(readout="query_regression", steps=200),
    "bins": Generator(readout="bins", settings={"hidden": 16}, rate=3e-2),
    "anchors": Generator(
        readout="anchors", settings={"anchors": 8, "hidden": 64}, steps=150, samples=2
    ),
    "truncated_diffusion": Generator(
        readout="truncated_diffusion", settings={"anchors": 4, "layers": 1}, samples=2
    ),
    "cvae": Generator(readout="cvae", settings={**_CVAE, "kl_weight": 0.1}, steps=250, rate=4e-3),
    "cvae, kl_weight 10": Generator(readout="cvae", settings=_CVAE, steps=150),
    "diffusion, mlp_resnet": Generator(
        readout="diffusion",
        settings={"mlp_resnet": MlpResNetConfig(hidden=128, blocks=2), "clips": "clean"},
        steps=600,
    ),
    "diffusion, unet": Generator(
        readout="diffusion",
        settings={**_CLEAN, "denoiser": "unet", "unet": UNetConfig(widths=(16, 32), time_width=32)},
        steps=150,
    ),
    "diffusion, transformer": Generator(
        readout="diffusion",
        settings={
            **(_CLEAN | {"denoiser": "transformer"}),
            "transformer": TransformerConfig(width=64, layers=1, causal=False),
        },
    ),
    "flow": Generator(readout="flow", settings={"hidden": 64, "layers": 2}, steps=500),
    "action_expert": Generator(readout="action_expert", settings={"width": 32, "mlp_ratio": 2}),
}
"""By name; one readout may stand here in several ways."""


def ways(places: Tensor) -> Tensor:
    """The two ways around each obstacle, right then left, (b, 2, h, a)."""
    along = torch.linspace(0, 1, ROWS)
    bend = (along * math.pi).sin()
    side = torch.stack([-bend, bend])[None] + places[:, None, None]  # (b, 2, h)
    return torch.stack([(2 * along - 1).expand_as(side), side], -1)


def chunks(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Data: where obstacles are (n,), and how they were passed (n, h, a), each on both sides."""
    generator = torch.Generator().manual_seed(seed)
    places = (torch.rand(count // 2, generator=generator) - 0.5).repeat_interleave(2)
    passed = ways(places)[torch.arange(count), torch.arange(count) % 2]
    return places, passed + SPREAD * torch.randn(passed.shape, generator=generator)


def context(places: Tensor, tokens: int, seeds: Tensor) -> Context:
    """What a trunk would say: fixed functions of the obstacle's place, and nothing else."""
    generator = torch.Generator().manual_seed(0)
    b, d, heads = len(places), TRUNK.width, TRUNK.heads
    rate, start = torch.randn(2, WORDS, d, generator=generator)
    outputs = (3 * rate * places[:, None, None] + 3 * start).sin()
    project = torch.randn(TRUNK.layers, 2, d, d, generator=generator) / d**0.5
    kept = [
        tuple((outputs @ one).unflatten(-1, (heads, -1)).transpose(1, 2) for one in both)
        for both in project
    ]
    zero, one = torch.zeros(1), torch.ones(1)
    return Context(
        own=outputs[:, None, :tokens],
        outputs=outputs,
        visible=torch.ones(b, WORDS, dtype=torch.bool),
        memory=tuple((keys, values) for keys, values in kept),
        reference=Reference({}, Scale(zero, one, zero, one), 10.0),
        seeds=seeds,
        continue_trunk=lambda tokens, memory, visible: (tokens, memory),
    )


def config(generator: Generator) -> Any:
    """Its readout's config."""
    return registry.load("readout", generator.readout)(**generator.settings)


def train(generator: Generator, seed: int = 0) -> Readout:
    """Make a readout and show it the data."""
    torch.manual_seed(seed)
    made = config(generator)
    readout, tokens = made.build(TRUNK, ROWS, NUMBERS), made.token_count
    if isinstance(readout, Fitted):
        codes = encode(made, chunks(1000, seed)[1])
        readout.fit(codes, torch.ones_like(codes, dtype=torch.bool))
    optimizer = torch.optim.AdamW(readout.parameters(), generator.rate, weight_decay=0.0)
    decay = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, generator.rate, generator.steps, pct_start=0.05
    )
    for step in range(generator.steps):
        places, passed = chunks(BATCH, seed=1_000_000 + step)
        seen = context(places, tokens, torch.arange(BATCH) + BATCH * step)
        code = encode(made, passed)
        loss = readout.loss(seen, code, torch.ones(code.shape, dtype=torch.bool)).total
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        decay.step()
    return readout.eval()


@torch.inference_mode()
def ask(generator: Generator, readout: Readout, samples: int = 0) -> Tensor:
    """Its answers about the obstacles of PLACES, (b, k, h, a)."""
    made, k = config(generator), samples or generator.samples
    seeds = torch.arange(len(PLACES)) + 10_000_000
    drawn = noise.normal(seeds, 7, (k, ROWS, NUMBERS))
    seen = context(torch.tensor(PLACES), made.token_count, seeds)
    return decode(made, readout.sample(seen, noise=drawn, samples=k).actions)


def encode(made: Any, passed: Tensor) -> Tensor:
    """The code of chunks: themselves, or numbers of bins from -2 to 2."""
    if made.codec != "bins":
        return passed
    return ((passed + 2) / 4 * made.bins).long().clamp(0, made.bins - 1)


def decode(made: Any, code: Tensor) -> Tensor:
    """Chunks of a code."""
    return code if made.codec != "bins" else (code + 0.5) / made.bins * 4 - 2


def away(answers: Tensor) -> Tensor:
    """How far each answer is from each of the two ways, (b, k, 2)."""
    off = answers[:, :, None] - ways(torch.tensor(PLACES))[:, None]
    return off.square().mean((-1, -2)).sqrt()


def points(answers: Tensor) -> Tensor:
    """Whether each point of an answer is on one of the two ways, (b, k, h)."""
    off = answers[:, :, None] - ways(torch.tensor(PLACES))[:, None]  # (b, k, 2, h, a)
    return off.square().sum(-1).sqrt().amin(2) <= NEAR


HEADING = f"{'':<24}{'on a way':>9}{'right':>7}{'left':>7}{'points':>8}{'distance':>10}"


def report(name: str, answers: Tensor) -> str:
    """Shares of answers on a way and of points on one; the typical distance to the nearer way."""
    far = away(answers)
    right, left = (far <= NEAR).float().mean((0, 1)).tolist()
    typical = far.amin(-1).median().item()
    shares = f"{right + left:>9.0%}{right:>7.0%}{left:>7.0%}{points(answers).float().mean():>8.0%}"
    return f"{name:<24}{shares}{typical:>10.2f}"


def draw(found: Mapping[str, Tensor], file: Path) -> None:
    """Draw the data and every generator's answers about the obstacle in the middle."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    columns = 4
    rows = -(-(len(found) + 1) // columns)
    figure, axes = pyplot.subplots(rows, columns, figsize=(10, 2.4 * rows), layout="constrained")
    middle = PLACES.index(0.0)
    data = ways(torch.zeros(40))[torch.arange(40), torch.arange(40) % 2]
    shown = {"data": data + SPREAD * torch.randn(data.shape)}
    shown |= {name: answers[middle] for name, answers in found.items()}
    for axis, (name, lines) in zip(axes.flat, shown.items(), strict=False):
        for way in ways(torch.zeros(1))[0]:
            axis.plot(way[:, 1], way[:, 0], color="#cccccc", linewidth=6, zorder=0)
        for line in lines:
            axis.plot(line[:, 1], line[:, 0], color="#0b6e99", linewidth=0.8, alpha=0.6)
        axis.plot(0, 0, marker="s", markersize=14, color="#444444")
        axis.set(title=name, xlim=(1.6, -1.6), ylim=(-1.3, 1.3), xticks=[], yticks=[])
        axis.title.set_fontsize(10)
    for axis in axes.flat[len(shown) :]:
        axis.set_axis_off()
    figure.savefig(file, dpi=90, metadata={"Software": None})
    pyplot.close(figure)


if __name__ == "__main__":
    torch.set_num_threads(1)
    found: dict[str, Tensor] = {}
    print(f"{HEADING}{'seconds':>9}")
    for name, generator in GENERATORS.items():
        start = time.perf_counter()
        readout = train(generator)
        found[name] = ask(generator, readout)
        taken = time.perf_counter() - start
        print(f"{report(name, found[name])}{taken:>9.1f}", flush=True)
        if name == "cvae":
            found["cvae, latent 0"] = ask(generator, readout, samples=1)
            print(report("cvae, latent 0", found["cvae, latent 0"]), flush=True)
    draw(found, Path(__file__).parents[1] / "docs/two_modes.png")
