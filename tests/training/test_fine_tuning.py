"""A body that the shipped weights have never seen: seen from elsewhere, mounted turned, by joints.

It is the tabletop arm's machine, but nothing of its spec is the tabletop arm's: one camera looks
from another side, both have other sizes, its state is its joints in place of the tool's pose, and
its base is turned by a quarter, so that ahead is what was left.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import pi
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import octoverse
from octoverse import checkpoint, registry
from octoverse.config import PolicyConfig
from octoverse.data.source import check_index
from octoverse.data.weighted import Weighted
from octoverse.embodiment import (
    Camera,
    Embodiment,
    EndEffectorDelta,
    Gripper,
    Instruction,
    SafeStop,
    State,
)
from octoverse.episode import Episode
from octoverse.training.config import Recipe, TrainingConfig, Tune
from octoverse.training.heldout import held_out_report
from octoverse.training.loop import train
from octoverse.training.new_body.extend import Extended, extend_config
from octoverse.training.warm_start import Shared, load_shared

DEMO = Path(octoverse.__path__[0]) / "weights/demo"
EPISODES, STEPS = 20, 80
JOINTS = ("turret", "shoulder", "elbow", "roll", "wrist", "hand")
BENCH_ARM = Embodiment(
    name="bench_arm",
    control_hz=10.0,
    observation={
        "side": Camera(height=72, width=96, role="side"),
        "hand": Camera(height=80, width=80, role="wrist"),
        "joints": State(
            names=(*JOINTS, "opening"),
            units=("rad",) * 6 + ("1",),
            low=(-2 * pi,) * 6 + (-0.2,),
            high=(2 * pi,) * 6 + (1.2,),
        ),
        "task": Instruction(),
    },
    action={
        "hand": EndEffectorDelta(
            names=("dx", "dy", "dz", "dyaw"),
            units=("m", "m", "m", "rad"),
            low=(-0.03, -0.03, -0.03, -0.3),
            high=(0.03, 0.03, 0.03, 0.3),
        ),
        "fingers": Gripper(),
    },
    safe_stop=SafeStop(kind="hold"),
)


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """Episodes in memory."""

    name: str
    episodes: tuple[Episode, ...]
    embodiment: str = "bench_arm"

    def __len__(self) -> int:
        return len(self.episodes)

    def lengths(self) -> np.ndarray:
        return np.array([len(one) for one in self.episodes])

    def fingerprint(self) -> str:
        return f"{self.name}-{len(self)}"

    def episode(self, index: int) -> Episode:
        check_index(self, index)
        return self.episodes[index]


def recorded(name: str, seeds: range) -> Recorded:
    """The tabletop's scripted expert lifting, as the bench arm sees and does it."""
    from octoverse.simulation.tabletop import TabletopLift

    world = TabletopLift(cameras=False)
    return Recorded(name=name, episodes=tuple(episode(world, seed) for seed in seeds))


def episode(world: Any, seed: int) -> Episode:
    """One episode; the hand is pushed now and then, and the expert makes up for it."""
    world.reset(seed=seed)
    expert, rng, ended = world.expert(), np.random.default_rng(seed), False
    seen: dict[str, list[Any]] = {name: [] for name in BENCH_ARM.observation}
    done: dict[str, list[np.ndarray]] = {name: [] for name in BENCH_ARM.action}
    while not ended and len(seen["task"]) < 60:
        for name, value in look(world).items():
            seen[name].append(value)
        action = expert()
        x, y, z, yaw = action["arm"]
        done["hand"].append(np.array([y, -x, z, yaw], np.float32))
        done["fingers"].append(action["gripper"])
        if rng.random() < 0.3:
            pushed = action["arm"] + rng.normal(0, 0.006, 4).astype(np.float32)
            action = {**action, "arm": pushed}
        *_, ended, _, _ = world.step(action)
    return Episode(
        embodiment="bench_arm",
        source="bench",
        key=str(seed),
        times_ns=np.arange(len(seen["task"])) * 10**8,
        observation={k: v if k == "task" else np.stack(v) for k, v in seen.items()},
        action={k: np.stack(v) for k, v in done.items()},
    )


def look(world: Any) -> dict[str, Any]:
    """What the bench arm sees of the tabletop's world."""
    from octoverse.simulation.render import renderer_for

    world._paint()
    renderer, data = renderer_for(world._model), world._data
    angles = [float(data.joint(name).qpos[0]) for name in JOINTS]
    return {
        "side": renderer.render(data, "people", 72, 96),
        "hand": renderer.render(data, "wrist", 80, 80),
        "joints": np.array([*angles, world.opening], np.float32),
        "task": world.instruction,
    }


@pytest.fixture(scope="module")
def bench() -> Iterator[tuple[Recorded, Recorded]]:
    """Makes the body known; gives what is trained on and what is held out."""
    load, threads = registry.load, torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            registry,
            "load",
            lambda kind, name: BENCH_ARM if name == "bench_arm" else load(kind, name),
        )
        first = 1000 + EPISODES
        yield recorded("train", range(1000, first)), recorded("val", range(first, first + EPISODES))
    torch.set_num_threads(threads)


def errors(
    bench: tuple[Recorded, Recorded],
    config: PolicyConfig,
    folder: Path,
    steps: int,
    extended: Extended | None = None,
    tune: Tune = "full",
) -> dict[int, float]:
    """Train, from the shipped weights if told how they are used; the held-out error by step."""
    recipe = Recipe(
        name="bench",
        policy=config,
        sources=[Weighted(source=bench[0])],
        training=TrainingConfig(
            steps=steps,
            batch_size=32,
            learning_rate=1e-3,
            warmup_steps=steps // 10,
            precision="bfloat16",
            save_every=20,
            keep=steps,
            mean_of=0.95,
            tune=tune,
        ),
    )
    shared: list[Shared] = []

    def start(policy: Any) -> None:
        if extended is not None:
            shared.append(load_shared(policy, DEMO, extended.begins))

    train(recipe, {"bench_arm": BENCH_ARM}, folder, start=start, quiet=True)
    found = {}
    for place in checkpoint.steps(folder):
        report = held_out_report(checkpoint.load(place), [Weighted(source=bench[1])], folder)
        found[int(place.name[5:])] = report.of("bench_arm", "training mean").policy
    return found


@pytest.fixture(scope="module")
def from_nothing(
    bench: tuple[Recorded, Recorded], tmp_path_factory: pytest.TempPathFactory
) -> float:
    """The lowest error of training from nothing: any body's policy, or the checkpoint's modules."""
    folder = tmp_path_factory.mktemp("nothing")
    configs = {
        "generic": extend_config(BENCH_ARM, None).config,
        "alike": extend_config(BENCH_ARM, DEMO).config,
    }
    found = {name: errors(bench, one, folder / name, STEPS) for name, one in configs.items()}
    print(found)
    return min(min(curve.values()) for curve in found.values())


def test_the_new_body_uses_what_the_shipped_weights_have() -> None:
    extended = extend_config(BENCH_ARM, DEMO)
    keys = {use.key for use in extended.config.bodies["bench_arm"].tokenizers}
    assert keys == {"keypoints/side", "keypoints/wrist", "state/joints/7", "language"}
    assert [use.key for use in extended.config.bodies["bench_arm"].readouts] == ["end_effector"]
    assert extended.begins["tokenizers.keypoints/side"] == "tokenizers.keypoints/primary"


@pytest.mark.slow
@pytest.mark.sim
@pytest.mark.parametrize("tune", ["full", "frozen-trunk", "lora"])
def test_from_the_shipped_weights_half_the_steps_do_for_the_error_from_nothing(
    bench: tuple[Recorded, Recorded], from_nothing: float, tmp_path: Path, tune: Tune
) -> None:
    extended = extend_config(BENCH_ARM, DEMO)
    found = errors(bench, extended.config, tmp_path, STEPS // 2, extended, tune)
    print(tune, found)
    assert min(found.values()) <= from_nothing
