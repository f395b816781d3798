"""What the model costs: a training step and an answer of the demo's policy, and its attention.

    python benchmarks/model.py

Everything is measured in turns within one run, so that a busy machine slows all of it; compare the
ratios. Everything runs in one thread.
"""

import time
from collections.abc import Callable, Mapping
from statistics import median

import numpy as np
import torch
import yardstick

from octoverse.acting import open_session
from octoverse.batch import Batch, training_batch
from octoverse.data.windows import StackedWindows
from octoverse.embodiment import Embodiment, PathGroup
from octoverse.embodiments.road_car import ROAD_CAR
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.episode import Observation, Window
from octoverse.normalize import BodyStatistics, Statistics
from octoverse.policy import Policy
from octoverse.recipes.demo import policy_config
from octoverse.synthetic import random_action, random_frame
from octoverse.training.config import TrainingConfig
from octoverse.training.trainer import Trainer
from octoverse.trunk import attention

BODIES = {"tabletop_arm": TABLETOP_ARM, "road_car": ROAD_CAR}
BATCH, TURNS = 64, 7


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


def demo_policy() -> Policy:
    """Make the demo's policy with fresh weights."""
    torch.manual_seed(0)
    statistics = {name: unit_statistics(body) for name, body in BODIES.items()}
    return Policy(policy_config(), BODIES, statistics)


def observations(policy: Policy, body: Embodiment, count: int) -> list[Observation]:
    """Make windows of random frames, prepared as a session prepares them."""
    rng, found = np.random.default_rng(0), []
    for step in range(count):
        session = open_session(policy, body)
        session.observe(random_frame(body, rng), 0)
        found.append(session.observation(seed=0, step=step))
    return found


def batch(policy: Policy, body: Embodiment, count: int) -> Batch:
    """Make a training batch of random samples."""
    rng, windows = np.random.default_rng(0), []
    rows = policy.horizons[body.name]
    for seen in observations(policy, body, count):
        made = [random_action(body, rng) for _ in range(max(rows.values()))]
        action = {
            name: made[0][name]
            if isinstance(group, PathGroup)
            else np.stack([one[name] for one in made])[: rows[name]]
            for name, group in body.action.items()
        }
        valid = {name: np.ones(len(values), bool) for name, values in action.items()}
        windows.append(Window(observation=seen, action=action, action_valid=valid))
    return training_batch(body, StackedWindows.from_windows(windows), policy.device)


def in_turns(runs: Mapping[str, Callable[[], object]], turns: int = TURNS) -> dict[str, float]:
    """Median milliseconds of each, run one after another again and again."""
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(turns + 1):
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            if turn:  # the first is for warming up
                taken[name].append(1000 * (time.perf_counter() - began))
    return {name: median(times) for name, times in taken.items()}


def one_attention(
    path: Callable[..., torch.Tensor], dtype: torch.dtype, backward: bool
) -> Callable[[], object]:
    """Make what runs attention once, at the size and with the mask of the demo's car."""
    layout = demo_policy().layouts["road_car"]
    shape = (BATCH, 4, len(layout), 64)
    torch.manual_seed(0)
    inputs = [torch.randn(shape).to(dtype).requires_grad_(backward) for _ in range(3)]
    mask = layout.mask.expand(BATCH, 1, -1, -1)
    weight = torch.randn(shape).to(dtype)

    def run() -> None:
        if not backward:
            with torch.inference_mode():
                path(*inputs, mask)
            return
        torch.autograd.grad((path(*inputs, mask) * weight).sum(), inputs)

    return run


def fused(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor
) -> torch.Tensor:
    """PyTorch's fused attention."""
    return torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)


def attention_report() -> str:
    """Compare the two paths of attention."""
    lines = [f"{'attention, ms':<44}{'written out':>12}{'fused':>10}{'ratio':>8}"]
    for dtype in (torch.float32, torch.bfloat16):
        for backward in (False, True):
            found = in_turns(
                {
                    "out": one_attention(attention.attend_written_out, dtype, backward),
                    "fused": one_attention(fused, dtype, backward),
                },
                20,
            )
            what = f"{str(dtype)[6:]}, forward{' and backward' if backward else ''}"
            ratio = found["fused"] / found["out"]
            lines.append(f"{what:<44}{found['out']:>12.2f}{found['fused']:>10.2f}{ratio:>8.2f}")
    return "\n".join(lines)


def step_report() -> str:
    """Time a training step of the demo's recipe, by body and precision."""
    policy = demo_policy().train()
    trainer = Trainer(policy, TrainingConfig())
    half = {name: batch(policy, body, BATCH // 2) for name, body in BODIES.items()}
    mixed = {name: batch(policy, body, BATCH) for name, body in BODIES.items()}
    kinds = {
        "both bodies, half and half": half,
        "arm alone": {"tabletop_arm": mixed["tabletop_arm"]},
        "car alone": {"road_car": mixed["road_car"]},
    }

    def step(batches: Mapping[str, Batch], mixed_precision: bool) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed_precision):
            losses = policy.loss(batches)
        losses.total.backward()
        trainer.advance()

    runs = {
        f"{kind}, {'bfloat16' if rough else 'float32'}": lambda b=batches, r=rough: step(b, r)
        for kind, batches in kinds.items()
        for rough in (True, False)
    }
    count = sum(weight.numel() for weight in policy.parameters()) / 1e6
    lines = [f"training step, batch {BATCH}, {count:.1f} M parameters{'ms':>14}{'samples/s':>12}"]
    for name, taken in in_turns(runs).items():
        lines.append(f"{name:<44}{taken:>12.0f}{1000 * BATCH / taken:>12.0f}")
    return "\n".join(lines)


def act_report() -> str:
    """Time `act` for one robot and for several."""
    policy = demo_policy().eval()
    arms, cars = (observations(policy, body, 8) for body in BODIES.values())
    asked = {
        "1 arm": arms[:1],
        "1 car": cars[:1],
        "8 arms": arms,
        "8 cars": cars,
        "4 arms and 4 cars": arms[:4] + cars[:4],
    }
    runs = {name: lambda seen=seen: policy.act(seen) for name, seen in asked.items()}
    lines = [f"{'act, float32':<44}{'ms':>12}{'robots/s':>12}"]
    for name, taken in in_turns(runs, 30).items():
        lines.append(f"{name:<44}{taken:>12.1f}{1000 * len(asked[name]) / taken:>12.0f}")
    return "\n".join(lines)


if __name__ == "__main__":
    torch.set_num_threads(1)
    reports = (yardstick.report(), step_report(), act_report(), attention_report())
    print(*reports, sep="\n\n")
