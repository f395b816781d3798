"""One policy on all real recordings that have actions: arms, humanoids, small cars and cars.

Each data set is drawn by a weight of its own: one that has a few seconds, drawn as often as one
that has minutes, is learned by heart. Logs without images teach through the past motion.

Held out: the last episodes of CR5, G1 and GR1 and Bridge's val split, whole; of a single recording
the last fifth, after a gap of one chunk. KITTI has one second, too short for that: it is trained on
as a whole, and its error is told as such. GR1 is simulated.
"""

from pathlib import Path

from octoverse import registry
from octoverse.augmentation import Augmentation
from octoverse.config import BodyConfig, PolicyConfig, ReadoutUse, TokenizerUse, WindowConfig
from octoverse.data.dataset import open_data
from octoverse.data.weighted import Weighted
from octoverse.errors import BadData
from octoverse.preprocess import PreprocessConfig
from octoverse.readouts.regression import RegressionConfig
from octoverse.tokenizers.ego_history import EgoHistoryTokenizerConfig
from octoverse.tokenizers.image import ImageTokenizerConfig
from octoverse.tokenizers.language import LanguageTokenizerConfig
from octoverse.tokenizers.state import StateTokenizerConfig
from octoverse.training.config import Recipe, TrainingConfig
from octoverse.trunk.config import NativeTrunkConfig

BATCH = 64
WEIGHTS = {
    "bridge-octo-debug": 2,
    "donkeycar-tub": 13,
    "dobot-cr5": 13,
    "unitree-g1-inspire": 13,
    "gr00t-gr1-sim": 6,
    "sullychen-100": 1,
    "comma2k19-example": 11,
    "lyft-l5-scene": 3,
    "av2-sensor-log": 1,
    "av2-forecasting": 0.5,
}
"""Data set to how many samples of a batch are drawn of it; each body has a whole number of them."""
WHOLE = {"kitti-raw-drive-0002": 0.5}
"""The same of those that nothing can be held out of."""

SIDE = 64
"""Of every image, in pixels."""


def policy_config() -> PolicyConfig:
    """A small policy, since the data are a few minutes long: two frames, a chunk of up to 2 s.

    Cameras share a tokenizer by role. What a body alone has is in the table below, in full.
    """
    image = ImageTokenizerConfig(height=SIDE, width=SIDE, patch=32, channels=16)
    states = {
        "widowx": {"tool": 7},
        "dobot_cr5": {"joints": 6},
        "unitree_g1": {"arms": 14, "hands": 12},
        "fourier_gr1": {"left_arm": 7, "right_arm": 7, "left_hand": 6, "right_hand": 6},
        "passenger_car": {"speed": 1},
    }
    gr1 = tuple(states["fourier_gr1"])

    def body(
        name: str, horizon: int, camera: tuple[str, str], readout: str, *groups: str
    ) -> BodyConfig:
        """`camera` is its role and its stream; a path has its own horizon."""
        role, stream = camera
        history = TokenizerUse(key="ego_history", streams={"history": "ego_history"})
        return BodyConfig(
            horizon=horizon,
            tokenizers=(
                TokenizerUse(key="language", streams={"instruction": "instruction"}),
                TokenizerUse(key=f"image/{role}", streams={"image": stream}),
                *(
                    TokenizerUse(key=f"state/{name}/{state}", streams={"state": state})
                    for state in states.get(name, ())
                ),
                *([history] if name == "passenger_car" else []),
            ),
            readouts=(ReadoutUse(key=readout, groups=groups),),
        )

    return PolicyConfig(
        trunk=NativeTrunkConfig(width=128, layers=3, heads=4, activation="relu"),
        window=WindowConfig(frames=2, spacing=0.2),
        bodies={
            "widowx": body("widowx", 4, ("primary", "primary"), "tool", "arm", "gripper"),
            "dobot_cr5": body("dobot_cr5", 20, ("wrist", "wrist"), "velocity", "arm", "gripper"),
            "unitree_g1": body("unitree_g1", 60, ("primary", "head"), "g1", "arms", "hands"),
            "fourier_gr1": body("fourier_gr1", 40, ("primary", "head"), "gr1", *gr1),
            "rc_car": body("rc_car", 4, ("front", "front"), "pedals", "pedals"),
            "dashcam_car": body("dashcam_car", 4, ("front", "front"), "wheel", "steering_wheel"),
            "passenger_car": body("passenger_car", 1, ("front", "front"), "path", "path"),
        },
        tokenizers={
            "language": LanguageTokenizerConfig(),
            **{f"image/{role}": image for role in ("primary", "wrist", "front")},
            **{
                f"state/{name}/{state}": StateTokenizerConfig(size=size)
                for name, sizes in states.items()
                for state, size in sizes.items()
            },
            "ego_history": EgoHistoryTokenizerConfig(steps=16, fine=True),
        },
        readouts={
            "tool": RegressionConfig(),
            "velocity": RegressionConfig(),
            "g1": RegressionConfig(codec="relative"),
            "gr1": RegressionConfig(codec="relative"),
            "pedals": RegressionConfig(),
            "wheel": RegressionConfig(),
            "path": RegressionConfig(codec="course"),
        },
        preprocess=PreprocessConfig(
            height=SIDE,
            width=SIDE,
            augmentation=Augmentation(brightness=0.15, contrast=0.3, shift=4),
        ),
    )


def real(data: Path) -> Recipe:
    """The recipe on the recordings in `data`: every one of WEIGHTS and WHOLE, as it was published.

    Raises:
        BadData: if one is absent.
    """
    for name in (*WEIGHTS, *WHOLE):
        folder = data / registry.load("dataset", name).folder
        if not folder.is_dir():
            raise BadData(
                f"The recipe 'real' trains on '{name}': expected it in {folder}, found nothing. "
                "Fetch it, or give the folder that holds it with --data."
            )

    def opened(name: str, split: str, weight: float) -> Weighted:
        return Weighted(source=open_data(name, str(data), split), weight=weight)

    whole = [opened(name, "all", weight) for name, weight in WHOLE.items()]
    return Recipe(
        name="real",
        policy=policy_config(),
        sources=[opened(name, "train", weight) for name, weight in WEIGHTS.items()] + whole,
        held_out=[opened(name, "val", weight) for name, weight in WEIGHTS.items()],
        seen=whole,
        training=TrainingConfig(
            steps=800,
            batch_size=BATCH,
            learning_rate=7e-4,
            warmup_steps=50,
            weight_decay=0.1,
            mean_of=0.99,
            save_every=200,
        ),
    )
