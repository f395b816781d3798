"""The demo's policy: one trunk for the simulated arm and the simulated car.

The arm's cameras are read by instruction-modulated keypoints, the car's by patches; the trunk is
the only thing they share besides the language.
"""

from pathlib import Path

from octoverse.config import BodyConfig, PolicyConfig, ReadoutUse, TokenizerUse
from octoverse.data.lerobot.source import LeRobotSource
from octoverse.data.weighted import Weighted
from octoverse.preprocess import PreprocessConfig
from octoverse.readouts.regression import RegressionConfig
from octoverse.tokenizers.ego_history import EgoHistoryTokenizerConfig
from octoverse.tokenizers.image import ImageTokenizerConfig
from octoverse.tokenizers.keypoints import KeypointsTokenizerConfig
from octoverse.tokenizers.language import LanguageTokenizerConfig
from octoverse.tokenizers.state import StateTokenizerConfig
from octoverse.training.config import Recipe, TrainingConfig
from octoverse.trunk.config import NativeTrunkConfig

ARM = BodyConfig(
    horizon=8,
    tokenizers=(
        TokenizerUse(key="language", streams={"instruction": "instruction"}),
        TokenizerUse(
            key="keypoints/primary", streams={"image": "table", "instruction": "instruction"}
        ),
        TokenizerUse(
            key="keypoints/wrist", streams={"image": "wrist", "instruction": "instruction"}
        ),
        TokenizerUse(key="state/tool", streams={"state": "tool"}),
    ),
    readouts=(ReadoutUse(key="end_effector", groups=("arm", "gripper")),),
)
CAR = BodyConfig(
    tokenizers=(
        TokenizerUse(key="language", streams={"instruction": "instruction"}),
        TokenizerUse(key="image/front", streams={"image": "front"}),
        TokenizerUse(key="image/cross", streams={"image": "cross_left"}, slot="image/cross_left"),
        TokenizerUse(key="image/cross", streams={"image": "cross_right"}, slot="image/cross_right"),
        TokenizerUse(key="ego_history", streams={"history": "ego_history"}),
        TokenizerUse(key="state/speed", streams={"state": "speed"}),
    ),
    readouts=(ReadoutUse(key="waypoints", groups=("path",)),),
)


def policy_config() -> PolicyConfig:
    """The demo's modules and who shares them."""
    return PolicyConfig(
        trunk=NativeTrunkConfig(width=256, layers=4, heads=4, activation="relu"),
        bodies={"tabletop_arm": ARM, "road_car": CAR},
        tokenizers={
            "language": LanguageTokenizerConfig(),
            "keypoints/primary": KeypointsTokenizerConfig(),
            "keypoints/wrist": KeypointsTokenizerConfig(),
            "state/tool": StateTokenizerConfig(size=5),
            "image/front": ImageTokenizerConfig(height=64, width=64, patch=16),
            "image/cross": ImageTokenizerConfig(height=64, width=64, patch=32, channels=16),
            "ego_history": EgoHistoryTokenizerConfig(steps=8),
            "state/speed": StateTokenizerConfig(size=1),
        },
        readouts={
            "end_effector": RegressionConfig(),
            "waypoints": RegressionConfig(codec="constant_velocity"),
        },
        preprocess=PreprocessConfig(height=64, width=64, filter="area"),
    )


def demo(data: Path = Path("recordings/demo")) -> Recipe:
    """The demo's recipe; records what is missing of its data into `data`."""
    return Recipe(
        name="demo",
        policy=policy_config(),
        sources=[
            Weighted(source=recorded("tabletop-lift", data, 2500), weight=0.42),
            Weighted(source=recorded("tabletop-reach", data, 700), weight=0.13),
            Weighted(source=recorded("road-lane", data, 300), weight=0.45),
        ],
        training=TrainingConfig(
            steps=5000,
            batch_size=64,
            learning_rate=6e-4,
            warmup_steps=300,
            precision="bfloat16",
            save_every=250,
        ),
    )


def recorded(environment: str, data: Path, episodes: int) -> LeRobotSource:
    """A recording of scripted experts, made or completed where it is missing."""
    from octoverse.data.record import record

    return LeRobotSource(folder=record(environment, data / environment, episodes).folder)
