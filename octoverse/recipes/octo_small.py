"""Octo's small model: shallow stems, a ViT-S as the trunk, a small diffusion head; 27 M parameters.

Source: Octo Model Team, "Octo", 2024; octo-models/octo, scripts/configs/octo_pretrain_config.py.
Faithful: every size of trunk, stems and head; a primary camera of 256 and a wrist camera of 128
pixels with goal images stacked (zeros where there are none); instructions repeated in every step;
a window of 2; chunks of 4; 20 steps of diffusion; goals and words left out at random; batch, rate
and decay. Bodies of fewer than 7 numbers are masked, as there.
Not: words are looked up in fixed random vectors, since T5's weights are not at hand; those come
with an imported checkpoint (octoverse import octo), whose other modules have the same names and
shapes, so that one can go on from it. Only the newest step is trained; the rate falls as a cosine;
wrists are augmented as the rest but not cropped; instructions are not rephrased.
"""

from collections.abc import Sequence
from typing import Literal

from octoverse.augmentation import Augmentation
from octoverse.config import PolicyConfig, WindowConfig
from octoverse.data.variation import Variation
from octoverse.embodiment import Camera, Embodiment, Instruction, Stream
from octoverse.errors import BadConfig
from octoverse.preprocess import ImageSize, PreprocessConfig
from octoverse.readouts.denoisers.mlp_resnet import MlpResNetConfig
from octoverse.readouts.diffusion import DiffusionConfig
from octoverse.recipes import kinds
from octoverse.recipes.architecture import Architecture
from octoverse.recipes.compose import Reading, Writing, compose, goal_of
from octoverse.tokenizers.octo_stem import OctoStemTokenizerConfig
from octoverse.tokenizers.words import WordsTokenizerConfig
from octoverse.training.config import TrainingConfig
from octoverse.trunk.config import sized

LIGHT = Augmentation(
    crop=0.2, aspect=0.1, brightness=0.1, contrast=0.1, saturation=0.1, hue=0.05, steady=("wrist",)
)


def octo(bodies: Sequence[Embodiment], size: Literal["tiny", "small", "base"]) -> PolicyConfig:
    """Make Octo's config for these bodies."""
    tiny = size == "tiny"
    sides = {"primary": 64, "wrist": 32} if tiny else {"primary": 256, "wrist": 128}
    channels, features = ((32, 32, 32, 64), 64) if tiny else ((32, 96, 192, 384), 512)
    words = WordsTokenizerConfig(tokens=6, features=32) if tiny else WordsTokenizerConfig()
    head = DiffusionConfig(mlp_resnet=MlpResNetConfig(hidden=48 if tiny else 256))

    def read(body: Embodiment, name: str, stream: Stream) -> Reading | None:
        if isinstance(stream, Instruction):
            inputs = {"instruction": name}
            return Reading(key="words", config=words, inputs=inputs, slot="language", repeat=True)
        seen = {camera.role: where for where, camera in reversed(body.cameras.items())}
        if not isinstance(stream, Camera) or stream.role not in sides or seen[stream.role] != name:
            return None
        side, goal = sides[stream.role], goal_of(body, name)
        stem = OctoStemTokenizerConfig(
            height=side, width=side, channels=channels, features=features
        )
        inputs = {"image": name, "goal": goal} if goal else {"image": name}
        return Reading(key=f"image/{stream.role}", config=stem, inputs=inputs)

    def write(body: Embodiment) -> list[Writing]:
        if kinds.drives(body) or not sides.keys() & {one.role for one in body.cameras.values()}:
            raise BadConfig(
                f"octo moves arms and sees a primary or a wrist camera; '{body.name}' follows a "
                f"path or has other cameras ({', '.join(body.cameras)}). Use another recipe."
            )
        numbers = sum(group.size for group in body.action.values())
        key = "action" if numbers <= 7 else f"action/{numbers}"
        groups, most = tuple(body.action), 7 if numbers < 7 else 0
        return [Writing(key=key, config=head, groups=groups, every_step=True, size=most)]

    return compose(
        bodies,
        trunk=sized(size, activation="gelu_tanh", epsilon=1e-6, max_frames=10),
        read=read,
        write=write,
        horizon=4,
        window=WindowConfig(frames=2),
        preprocess=PreprocessConfig(
            height=sides["primary"],
            width=sides["primary"],
            sizes=(ImageSize(role="wrist", height=sides["wrist"], width=sides["wrist"]),),
            filter="lanczos3",
            augmentation=LIGHT,
        ),
    )


def policy(bodies: Sequence[Embodiment], size: str) -> PolicyConfig:
    """Its policy for these bodies."""
    return octo(bodies, "tiny" if size == "tiny" else "small")


VARIATION = Variation(goal="uniform", goal_only=0.5, words_only=0.5)
TRAINING = TrainingConfig(
    steps=300_000, batch_size=512, learning_rate=3e-4, warmup_steps=2000, weight_decay=0.1
)
OCTO_SMALL = Architecture(
    name="octo_small",
    about="Octo: shallow stems with the goal stacked, a ViT-S trunk, a small diffusion head",
    policy=policy,
    sizes=("small", "tiny"),
    example=("widowx", "franka"),
    variation=VARIATION,
    training=TRAINING,
)
