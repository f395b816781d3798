"""One policy on two real recordings at once: a WidowX arm (BridgeData) and an RC car (donkeycar).

The arm is drawn a tenth of the time: the slice has 150 steps of it, and drawn as often as the car
it is learned by heart (held-out error .57 instead of .44 standard deviations; the mean has .57).

Held out: Bridge's val split, whole episodes; the tub's last fifth after a gap of one chunk.
"""

from pathlib import Path

from octoverse.augmentation import Augmentation
from octoverse.config import BodyConfig, PolicyConfig, ReadoutUse, TokenizerUse
from octoverse.data.logs.donkeycar import DonkeycarSource
from octoverse.data.rlds.source import RldsSource
from octoverse.data.weighted import Weighted
from octoverse.preprocess import PreprocessConfig
from octoverse.readouts.regression import RegressionConfig
from octoverse.tokenizers.image import ImageTokenizerConfig
from octoverse.tokenizers.language import LanguageTokenizerConfig
from octoverse.tokenizers.state import StateTokenizerConfig
from octoverse.training.config import Recipe, TrainingConfig
from octoverse.trunk.native import NativeTrunkConfig

HORIZON = 4
_LANGUAGE = TokenizerUse(key="language", streams={"instruction": "instruction"})


def policy_config() -> PolicyConfig:
    """A small policy: the data are a few minutes long."""
    return PolicyConfig(
        trunk=NativeTrunkConfig(width=128, layers=3, heads=4, activation="relu"),
        bodies={
            "widowx": BodyConfig(
                horizon=HORIZON,
                tokenizers=(
                    _LANGUAGE,
                    TokenizerUse(key="image/primary", streams={"image": "primary"}),
                    TokenizerUse(key="state/tool", streams={"state": "tool"}),
                ),
                readouts=(ReadoutUse(key="end_effector", groups=("arm", "gripper")),),
            ),
            "rc_car": BodyConfig(
                horizon=HORIZON,
                tokenizers=(
                    _LANGUAGE,
                    TokenizerUse(key="image/front", streams={"image": "front"}),
                ),
                readouts=(ReadoutUse(key="pedals", groups=("pedals",)),),
            ),
        },
        tokenizers={
            "language": LanguageTokenizerConfig(),
            "image/primary": ImageTokenizerConfig(height=64, width=64, channels=16),
            "image/front": ImageTokenizerConfig(height=64, width=64, channels=16),
            "state/tool": StateTokenizerConfig(size=7),
        },
        readouts={"end_effector": RegressionConfig(), "pedals": RegressionConfig()},
        preprocess=PreprocessConfig(
            height=64,
            width=64,
            augmentation=Augmentation(brightness=0.15, contrast=0.3, shift=4),
        ),
    )


def real(data: Path) -> Recipe:
    """The recipe on the recordings in `data`: bridge-octo-debug/ and donkeycar-tub/."""
    bridge, tub = data / "bridge-octo-debug/bridge_dataset/1.0.0", data / "donkeycar-tub/tub"
    return Recipe(
        name="real",
        policy=policy_config(),
        sources=[
            Weighted(source=RldsSource(folder=bridge, split="train"), weight=0.1),
            Weighted(source=DonkeycarSource(folder=tub, split="train", gap=HORIZON), weight=0.9),
        ],
        held_out=[
            Weighted(source=RldsSource(folder=bridge, split="val")),
            Weighted(source=DonkeycarSource(folder=tub, split="val", gap=HORIZON)),
        ],
        training=TrainingConfig(
            steps=400,
            batch_size=64,
            learning_rate=5e-4,
            warmup_steps=50,
            weight_decay=0.1,
            mean_of=0.99,
            save_every=200,
        ),
    )
