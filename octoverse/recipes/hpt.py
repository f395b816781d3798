"""HPT: every body has stems and heads of its own, and nothing but the trunk is shared.

Source: Wang et al., "Scaling proprioceptive-visual learning with heterogeneous pre-trained
transformers", 2024; liruiw/HPT, experiments/configs/config.yaml and hpt/models. Faithful: the
trunk's sizes; stems of 16 tokens by cross-attention over a ResNet-18's places and over states;
chunks of 8 from one frame; batch, warm-up and decay. Not: the ResNet learns with GroupNorm, there
it is frozen with ImageNet's weights; a stem for every state stream, whose numbers are features one
by one (there all together); heads of one token with the absolute error (there the mean of all
tokens, Huber's error, tanh); language is a token of bytes (there T5's); no dropout, no stochastic
depth; the rate is for learning from nothing (there 1e-5, from a trained trunk).
"""

from collections.abc import Sequence
from dataclasses import replace

from octoverse.config import PolicyConfig
from octoverse.embodiment import Camera, Embodiment, State, Stream
from octoverse.preprocess import PreprocessConfig
from octoverse.readouts.regression import RegressionConfig
from octoverse.recipes.architecture import Architecture
from octoverse.recipes.compose import Reading, Writing, compose, joined, simple
from octoverse.recipes.kinds import main_and_wrists
from octoverse.tokenizers.resampler import ImageResamplerConfig, StateResamplerConfig
from octoverse.training.config import TrainingConfig
from octoverse.trunk.config import NativeTrunkConfig, sized

WIDTHS = {"base": 256, "small": 128, "large": 512}


def policy(bodies: Sequence[Embodiment], size: str) -> PolicyConfig:
    """Its policy for these bodies."""
    tiny = size == "tiny"
    side, channels = (64, 16) if tiny else (224, 64)

    def read(body: Embodiment, name: str, stream: Stream) -> Reading | None:
        found = simple(body, name, stream)
        if isinstance(stream, Camera) and name in main_and_wrists(body):
            image = ImageResamplerConfig(height=side, width=side, channels=channels)
            found = Reading(key=f"image/{name}", config=image, inputs={"image": name})
        if isinstance(stream, State):
            state = StateResamplerConfig(size=stream.size)
            found = Reading(key=f"state/{name}", config=state, inputs={"state": name})
        return None if found is None else replace(found, key=f"{body.name}/{found.key}")

    def write(body: Embodiment) -> list[Writing]:
        return [
            Writing(key=f"{body.name}/{'+'.join(groups)}", config=RegressionConfig(), groups=groups)
            for groups in joined(body)
        ]

    return compose(
        bodies,
        trunk=sized("tiny")
        if tiny
        else NativeTrunkConfig(width=WIDTHS[size], layers=16, heads=8, epsilon=1e-6),
        read=read,
        write=write,
        preprocess=PreprocessConfig(height=side, width=side, filter="bilinear"),
    )


HPT = Architecture(
    name="hpt",
    policy=policy,
    sizes=("base", "small", "large", "tiny"),
    example=("widowx", "tabletop_arm"),
    about="stems and heads of each body's own, every stem to sixteen tokens, a shared trunk",
    training=TrainingConfig(
        steps=20_000, batch_size=256, learning_rate=1e-4, warmup_steps=1000, weight_decay=1e-4
    ),
)
