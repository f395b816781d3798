"""What the model costs: acting and training, with and without memory, beside LeRobot's policies.

    python benchmarks/model.py [octo act diffusion mixed attention demo]

Everything is measured in turns within one run, so that a busy machine slows all of it; compare the
ratios, and those to the yardstick. Two threads. LeRobot's policies are timed where lerobot is
installed (benchmarks/lerobot_peer.py says how).
"""

import sys
import time
from collections.abc import Callable
from dataclasses import replace

import lerobot_peer
import torch
import yardstick
from made import Robots, batch, in_turns, made_policy, parameters, rows, training_step

from octoverse import registry
from octoverse.config import PolicyConfig
from octoverse.embodiment import Camera, Embodiment, JointPosition, SafeStop, State
from octoverse.policy import Policy
from octoverse.tokens import Layout
from octoverse.trunk import attention

TURNS = 5
DEMO_BATCH = 64
SIZE = ""
"""Of the recipes: the published one, or "tiny" for a benchmark in a hurry."""


def body(name: str) -> Embodiment:
    """An installed body."""
    found: Embodiment = registry.load("embodiment", name)
    return found


def recipe(name: str, *bodies: Embodiment) -> PolicyConfig:
    """The config of a recipe for these bodies."""
    found: PolicyConfig = registry.load("recipe", name).config(bodies, SIZE)
    return found


def acting(policy: Policy, spec: Embodiment, counts: tuple[int, ...]) -> dict[str, float]:
    """Milliseconds to answer so many robots, with memory and without, in both precisions."""
    runs: dict[str, Callable[[], object]] = {}
    for kind, one in (("float32", policy), ("bfloat16", _lowered(policy, spec))):
        for count in counts:
            for remember in (False, True):
                robots = Robots(one, spec, count)
                how = "with memory" if remember else "without memory"
                runs[f"act, {count} robot{'s' * (count > 1)}, {kind}, {how}"] = (
                    lambda robots=robots, remember=remember: robots.act(remember=remember)
                )
    return in_turns(runs, TURNS)


def _lowered(policy: Policy, spec: Embodiment) -> Policy:
    other = made_policy(policy.config, spec).eval()
    other.load_state_dict(policy.state_dict())
    return other.lower()


def octo_report() -> str:
    """Octo's small model: acting with and without memory, as a stream, and a training step."""
    spec = body("ur5")  # a primary camera and one at the wrist
    config = recipe("octo_small", spec)
    policy = made_policy(config, spec).eval()
    tokens = len(policy.layouts[spec.name])
    found = acting(policy, spec, (1, 8))
    uses = config.bodies[spec.name]
    stream = replace(
        config,
        trunk=replace(config.trunk, positions="rotary", max_frames=None, span=2),
        bodies={
            spec.name: replace(
                uses, readouts=tuple(replace(use, every_step=False) for use in uses.readouts)
            )
        },
    )
    streaming = made_policy(stream, spec).eval()
    robots = {"float32": Robots(streaming, spec, 1)}
    robots["bfloat16"] = Robots(_lowered(streaming, spec), spec, 1)
    found |= in_turns(
        {
            f"act, 1 robot, {kind}, streaming trunk": lambda one=one: one.act(remember=True)
            for kind, one in robots.items()
        },
        TURNS,
    )
    step = training_step(policy, {spec.name: batch(policy, spec, 2)})
    found |= in_turns(
        {
            "training step, batch 2, float32": lambda: step(False),
            "training step, batch 2, bfloat16": lambda: step(True),
        },
        max(1, TURNS // 2),
    )
    return rows(f"octo_small, {tokens} tokens, {parameters(policy)}, no T5", found)


def joints(size: int, side: int) -> Embodiment:
    """A body of so many joints with one camera, as LeRobot's examples have."""
    names, units = tuple(f"joint_{i}" for i in range(size)), ("rad",) * size
    low, high = (-3.0,) * size, (3.0,) * size
    return Embodiment(
        name="joints",
        control_hz=50.0,
        observation={
            "top": Camera(height=side, width=side, role="primary"),
            "joints": State(names=names, units=units, low=low, high=high),
        },
        action={"joints": JointPosition(names=names, units=units, low=low, high=high)},
        safe_stop=SafeStop(kind="hold"),
    )


def act_report() -> str:
    """ACT at LeRobot's default sizes, beside LeRobot's where that is installed."""
    spec = joints(14, lerobot_peer.ACT_SIDE)
    return _beside(
        "act", spec, lerobot_peer.act, lambda policy, seen: policy.predict_action_chunk(seen)
    )


def diffusion_report() -> str:
    """Diffusion Policy at LeRobot's default sizes, beside LeRobot's where that is installed."""
    spec = joints(2, lerobot_peer.DIFFUSION_SIDE)

    def act(policy: object, seen: dict[str, torch.Tensor]) -> None:
        policy.reset()  # type: ignore[attr-defined]
        policy.select_action({name: x[:, -1] for name, x in seen.items() if "obs" in name})  # type: ignore[attr-defined]

    return _beside("diffusion_policy", spec, lerobot_peer.diffusion, act)


def _beside(
    name: str, spec: Embodiment, peer: Callable[[int, int], tuple], act: Callable[..., object]
) -> str:
    policy = made_policy(recipe(name, spec), spec).eval()
    size = next(iter(spec.action.values())).size
    runs: dict[str, Callable[[], object]] = {}
    for kind, one in (("float32", policy), ("bfloat16", _lowered(policy, spec))):
        robots = Robots(one, spec, 1)
        runs[f"act, ours, {kind}"] = lambda robots=robots: robots.act(remember=True)
    theirs = None
    if lerobot_peer.installed():
        theirs, make = peer(size, size)
        one, eight = make(1), make(8)
        runs["act, LeRobot, float32"] = lambda: (theirs.eval(), act(theirs, one))
    slow = name == "diffusion_policy"
    found = in_turns(runs, 1 if slow else TURNS)
    step = training_step(policy, {spec.name: batch(policy, spec, 8)})
    steps: dict[str, Callable[[], object]] = {
        "training step, batch 8, ours, float32": lambda: step(False),
        "training step, batch 8, ours, bfloat16": lambda: step(True),
    }
    if theirs is not None:
        optimiser = torch.optim.AdamW(theirs.parameters(), 1e-5)

        def their_step() -> None:
            theirs.train()
            theirs(eight)[0].backward()
            optimiser.step()
            optimiser.zero_grad()

        steps["training step, batch 8, LeRobot, float32"] = their_step
    found |= in_turns(steps, max(1, TURNS // 2))
    peers = "" if theirs is None else f" (LeRobot: {parameters(theirs)})"
    return rows(f"{name}, {parameters(policy)}{peers}", found)


def mixed_report() -> str:
    """Four unlike bodies in one batch against each alone; and how long a layout takes to build."""
    specs = [body(name) for name in ("widowx", "aloha", "unitree_g1", "passenger_car")]
    from octoverse.recipes.generic import policy_config

    policy = made_policy(policy_config(*specs), *specs)
    batches = {spec.name: batch(policy, spec, 4) for spec in specs}
    policy.train()

    def run(names: list[str]) -> None:
        policy.loss({name: batches[name] for name in names}).total.backward()
        policy.zero_grad()

    def act(robots: list[Robots]) -> None:
        seen = [one for robot in robots for one in robot.see()]
        policy.act(seen, [s.memory for robot in robots for s in robot.sessions])

    parts = {name: lambda name=name: run([name]) for name in batches}
    found = in_turns({**parts, "all four together": lambda: run(list(batches))}, TURNS)
    ratio = found["all four together"] / sum(found[name] for name in parts)
    each = {spec.name: [Robots(policy, spec, 2)] for spec in specs}
    acted = in_turns(
        {
            **{f"{name}, acting": lambda one=one: act(one) for name, one in each.items()},
            "all four together, acting": lambda: act([r for one in each.values() for r in one]),
        },
        TURNS,
    )
    acting_ratio = acted["all four together, acting"] / sum(
        acted[f"{name}, acting"] for name in each
    )
    big = made_policy(recipe("octo_small", body("ur5")), body("ur5")).layouts["ur5"]
    began = time.perf_counter()
    Layout(tuple(big.groups.values()))
    built = 1000 * (time.perf_counter() - began)
    return "\n".join(
        [
            rows("forward and backward, 4 samples each; acting, 2 robots each", found | acted),
            f"together ÷ sum of the parts: {ratio:.2f} training, {acting_ratio:.2f} acting",
            f"mask and layout of {len(big)} tokens: built once in {built:.1f} ms",
        ]
    )


def attention_report() -> str:
    """The paths of attention, on one core, by precision and length, in processor time."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    lines = [f"{'attention, ms of one core':<44}{'fused':>10}{'written out':>13}{'in parts':>20}"]
    for count, frames in ((340, 2), (340, 1), (80, 1)):
        order = _frames(count, frames)
        parts = attention.readings(order, torch.ones(1, len(order), dtype=torch.bool), by_step=True)
        for dtype in (torch.float32, torch.bfloat16):
            for backward in (False, True):
                found = [
                    _cpu_time(_once(path, order, dtype, backward)) for path in _paths(order, parts)
                ]
                what = (
                    f"{len(order)} tokens, {str(dtype)[6:]}{', with backward' if backward else ''}"
                )
                cells = "".join(
                    f"{ms:>{wide}.2f}" for ms, wide in zip(found, (10, 13, 10, 10), strict=True)
                )
                lines.append(f"{what:<44}{cells}")
    torch.set_num_threads(threads)
    lines.append("in parts: fused, then written out")
    return "\n".join(lines)


def _frames(count: int, frames: int) -> Layout:
    from octoverse.tokens import GroupSpec

    return Layout(
        (
            GroupSpec(name="words", role="task", tokens=8),
            GroupSpec(name="image", role="observation", tokens=count, steps=frames),
            GroupSpec(name="action", role="readout", tokens=1),
        )
    )


def _paths(order: Layout, parts: list[attention.Reading]) -> list[Callable[..., torch.Tensor]]:
    fused, mask = torch.nn.functional.scaled_dot_product_attention, order.mask[None, None]

    def split(path: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
        def run(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
            read = [
                path(
                    query[:, :, part.queries],
                    attention.chosen(key, part.keys),
                    attention.chosen(value, part.keys),
                    part.mask,
                )
                for part in parts
            ]
            return torch.cat(read, 2)

        return run

    written = attention.attend_written_out
    return [
        lambda q, k, v: fused(q, k, v, mask),
        lambda q, k, v: written(q, k, v, mask),
        split(fused),
        split(written),
    ]


def _once(
    path: Callable[..., torch.Tensor], order: Layout, dtype: torch.dtype, backward: bool
) -> Callable[[], object]:
    inputs = torch.randn(3, 1, 6, len(order), 64, dtype=dtype)

    def run() -> None:
        given = inputs.clone().requires_grad_(backward)
        if backward:
            path(*given).sum().backward()
            return
        with torch.inference_mode():
            path(*given)

    return run


def _cpu_time(run: Callable[[], object]) -> float:
    """Least milliseconds of processor time: what else runs on the machine does not count."""
    taken = []
    for _ in range(1 + TURNS):
        began = time.process_time()
        run()
        taken.append(1000 * (time.process_time() - began))
    return min(taken)


def demo_report() -> str:
    """A training step and an answer of the demo's policy."""
    from octoverse.recipes.demo import policy_config

    specs = [body("tabletop_arm"), body("road_car")]
    policy = made_policy(policy_config(), *specs)
    mixed = {spec.name: batch(policy, spec, DEMO_BATCH // 2) for spec in specs}
    step = training_step(policy, mixed)
    trained = in_turns(
        {
            f"training step, batch {DEMO_BATCH}, bfloat16": lambda: step(True),
            f"training step, batch {DEMO_BATCH}, float32": lambda: step(False),
        },
        TURNS,
    )
    policy.eval()
    robots = [Robots(policy, spec, 4) for spec in specs]

    def act() -> None:
        seen = [one for each in robots for one in each.see()]
        policy.act(seen, [s.memory for each in robots for s in each.sessions])

    found = trained | in_turns({"act, 4 arms and 4 cars": act}, 5 * TURNS)
    return rows(f"demo, {parameters(policy)}", found, (DEMO_BATCH, DEMO_BATCH, 8))


REPORTS = {
    "octo": octo_report,
    "act": act_report,
    "diffusion": diffusion_report,
    "mixed": mixed_report,
    "attention": attention_report,
    "demo": demo_report,
}

if __name__ == "__main__":
    torch.set_num_threads(2)
    print(yardstick.report(), flush=True)
    for name in sys.argv[1:] or REPORTS:
        print(f"\n{REPORTS[name]()}", flush=True)
