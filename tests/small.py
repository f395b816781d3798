"""A real policy of two bodies, as small as can be, and data for it: the fixture `small`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from octoverse.batch import Batch, training_batch
from octoverse.config import (
    BodyConfig,
    PolicyConfig,
    ReadoutUse,
    TokenizerUse,
    WindowConfig,
)
from octoverse.data.source import check_index
from octoverse.data.weighted import Weighted
from octoverse.data.windows import StackedWindows
from octoverse.embodiment import Camera, EgoHistory, Embodiment, Instruction, PathGroup, State
from octoverse.embodiments.road_car import ROAD_CAR
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.episode import Episode, Observation, Window
from octoverse.normalize import BodyStatistics, Statistics
from octoverse.policy import Policy
from octoverse.preprocess import PreprocessConfig
from octoverse.readouts.bins import BinsConfig
from octoverse.readouts.flow import FlowConfig
from octoverse.readouts.regression import RegressionConfig
from octoverse.synthetic import random_action, random_frame
from octoverse.tokenizers.ego_history import EgoHistoryTokenizerConfig
from octoverse.tokenizers.image import ImageTokenizerConfig
from octoverse.tokenizers.keypoints import KeypointsTokenizerConfig
from octoverse.tokenizers.language import LanguageTokenizerConfig
from octoverse.tokenizers.state import StateTokenizerConfig
from octoverse.training.config import Recipe, TrainingConfig
from octoverse.trunk.config import NativeTrunkConfig

SIDE, HORIZON = 16, 4
BODIES: dict[str, Embodiment] = {"tabletop_arm": TABLETOP_ARM, "road_car": ROAD_CAR}
READOUTS: dict[str, tuple[Any, Any]] = {
    "regression": (
        RegressionConfig(hidden=32),
        RegressionConfig(hidden=32, codec="constant_velocity"),
    ),
    "bins": (BinsConfig(hidden=16), BinsConfig(hidden=16)),
    "flow": (FlowConfig(hidden=32, layers=2), FlowConfig(hidden=32, layers=2)),
}


def config(readout: str = "regression", frames: int = 1, width: int = 32) -> PolicyConfig:
    """Two bodies that share language, a trunk, and nothing else."""
    words = TokenizerUse(key="language", streams={"instruction": "instruction"})
    arm, car = READOUTS[readout]
    return PolicyConfig(
        trunk=NativeTrunkConfig(width=width, layers=2, heads=2, activation="relu"),
        bodies={
            "tabletop_arm": BodyConfig(
                horizon=HORIZON,
                tokenizers=(
                    words,
                    TokenizerUse(
                        key="keypoints",
                        streams={"image": "table", "instruction": "instruction"},
                    ),
                    TokenizerUse(key="state/tool", streams={"state": "tool"}),
                ),
                readouts=(ReadoutUse(key="hand", groups=("arm", "gripper")),),
            ),
            "road_car": BodyConfig(
                tokenizers=(
                    words,
                    TokenizerUse(key="image", streams={"image": "front"}),
                    TokenizerUse(key="image", streams={"image": "cross_left"}, slot="image/left"),
                    TokenizerUse(key="ego_history", streams={"history": "ego_history"}),
                    TokenizerUse(key="state/speed", streams={"state": "speed"}),
                ),
                readouts=(ReadoutUse(key="path", groups=("path",)),),
            ),
        },
        tokenizers={
            "language": LanguageTokenizerConfig(),
            "keypoints": KeypointsTokenizerConfig(keypoints=4, channels=8),
            "state/tool": StateTokenizerConfig(size=5),
            "image": ImageTokenizerConfig(height=SIDE, width=SIDE, patch=8, channels=8),
            "ego_history": EgoHistoryTokenizerConfig(steps=8),
            "state/speed": StateTokenizerConfig(size=1),
        },
        readouts={"hand": arm, "path": car},
        window=WindowConfig(frames=frames),
        preprocess=PreprocessConfig(height=SIDE, width=SIDE),
    )


def statistics(body: Embodiment) -> BodyStatistics:
    """Plausible numbers for everything numeric; each dimension has its own."""
    seen = {k: v for k, v in body.observation.items() if isinstance(v, State)}
    return BodyStatistics(
        observation={k: _numbers(v.units, v.low, v.high) for k, v in seen.items()},
        action={k: _numbers(v.units, v.low, v.high) for k, v in body.action.items()},
    )


def _numbers(units: Sequence[str], low: Sequence[float], high: Sequence[float]) -> Statistics:
    first = np.maximum(np.array(low, float), -50.0)
    last = np.minimum(np.array(high, float), 50.0)
    middle, half = (first + last) / 2, (last - first) / 2
    return Statistics(
        count=100,
        units=tuple(units),
        mean=tuple((middle + 0.1 * half).tolist()),
        std=tuple((half / 3).tolist()),
        low=tuple(first.tolist()),
        high=tuple(last.tolist()),
        q01=tuple((middle - 0.8 * half).tolist()),
        q99=tuple((middle + 0.9 * half).tolist()),
        alone=(False,) * len(middle),
    )


def policy(readout: str = "regression", frames: int = 1, seed: int = 0) -> Policy:
    """The policy, with weights that the seed decides."""
    torch.manual_seed(seed)
    return Policy(
        config(readout, frames), BODIES, {n: statistics(b) for n, b in BODIES.items()}
    ).eval()


def frame(body: Embodiment, rng: np.random.Generator) -> dict[str, Any]:
    """One complete observation with images that are already small."""
    found = random_frame(body, rng)
    for name, stream in body.observation.items():
        if isinstance(stream, Camera):
            found[name] = rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
        if isinstance(stream, EgoHistory):
            found[name] = found[name] + rng.normal(0, 0.5, found[name].shape).astype(np.float32)
    return found


def window(name: str, number: int, frames: int = 1) -> Window:
    """One training sample; the number decides all of it. Odd ones end before their chunk does."""
    body, rng = BODIES[name], np.random.default_rng(number)
    seen = [frame(body, rng) for _ in range(frames)]
    streams: dict[str, Any] = {}
    for stream, spec in body.observation.items():
        values = [one[stream] for one in seen]
        streams[stream] = values[-1] if isinstance(spec, Instruction) else np.stack(values)
    rows = {
        group: spec.steps if isinstance(spec, PathGroup) else HORIZON
        for group, spec in body.action.items()
    }
    made = [random_action(body, rng) for _ in range(HORIZON)]
    if "path" in rows:
        made[0]["path"] = _path(float(streams["speed"][-1, 0]), rows["path"], rng)
    action = {
        group: made[0][group]
        if isinstance(body.action[group], PathGroup)
        else np.stack([one[group] for one in made])
        for group in body.action
    }
    real = {group: np.arange(count) < count - number % 2 for group, count in rows.items()}
    return Window(
        observation=Observation(
            embodiment=name,
            streams=streams,
            valid={stream: np.ones(frames, bool) for stream in streams},
            observed_at_ns=number,
            seed=number,
            step=number % 3,
        ),
        action={k: np.where(real[k][:, None], v, 0) for k, v in action.items()},
        action_valid=real,
    )


def _path(speed: float, rows: int, rng: np.random.Generator) -> np.ndarray:
    """Waypoints of a steady drive at about this speed."""
    time, (push, turn) = np.arange(1, rows + 1) / 10, rng.normal(0, (1.0, 0.1))
    x, y = speed * time + push / 2 * time**2, turn / 2 * time**2
    return np.stack([x, y, turn * time], 1, dtype=np.float32)


def batch(name: str, numbers: Sequence[int], frames: int = 1) -> Batch:
    """A training batch of these samples."""
    stacked = StackedWindows.from_windows([window(name, n, frames) for n in numbers])
    return training_batch(BODIES[name], stacked, torch.device("cpu"))


@dataclass(frozen=True, kw_only=True)
class Made:
    """A source of made-up episodes, held in memory, in which actions follow from what is seen."""

    embodiment: str = "tabletop_arm"
    name: str = "made"
    sizes: tuple[int, ...] = (6, 4, 7)
    kept: dict[int, Episode] = field(default_factory=dict, compare=False)

    def __len__(self) -> int:
        return len(self.sizes)

    def lengths(self) -> np.ndarray:
        return np.array(self.sizes)

    def fingerprint(self) -> str:
        return f"{self.name}-{self.embodiment}-{self.sizes}"

    def episode(self, index: int) -> Episode:
        check_index(self, index)
        if index not in self.kept:
            self.kept[index] = self._episode(index)
        return self.kept[index]

    def _episode(self, index: int) -> Episode:
        body, rng = BODIES[self.embodiment], np.random.default_rng(index)
        count = self.sizes[index]
        seen = [frame(body, rng) for _ in range(count)]
        made = [random_action(body, rng) for _ in range(count)]
        for one, action in zip(seen, made, strict=True):
            if "path" in action:
                action["path"] = _path(float(one["speed"][0]), len(action["path"]), rng)
            else:
                high = np.array(body.action["arm"].high, np.float32)
                action["arm"] = high * one["tool"][:4].clip(-1, 1)
        return Episode(
            embodiment=body.name,
            source=self.name,
            key=str(index),
            times_ns=np.arange(count) * round(1e9 / body.control_hz),
            observation={
                name: [one[name] for one in seen]
                if isinstance(stream, Instruction)
                else np.stack([one[name] for one in seen])
                for name, stream in body.observation.items()
            },
            action={name: np.stack([one[name] for one in made]) for name in body.action},
        )


def recipe(readout: str = "regression", **training: Any) -> Recipe:
    """A recipe on made-up data of both bodies that takes a step in milliseconds."""
    settings = {"steps": 10, "batch_size": 6, "warmup_steps": 2, "save_every": 5, **training}
    car = Made(embodiment="road_car", sizes=(5, 8))
    held_out = [Made(name="kept", sizes=(3, 5)), Made(embodiment="road_car", sizes=(4,))]
    return Recipe(
        name="small",
        policy=config(readout),
        sources=[Weighted(source=Made()), Weighted(source=car)],
        held_out=[Weighted(source=source) for source in held_out],
        training=TrainingConfig(**settings),
    )
