"""Diffusion Policy: a ResNet's keypoints and the state, side by side, condition a U-Net.

Source: Chi et al., "Diffusion Policy", 2023, at the default sizes of huggingface/lerobot,
policies/diffusion: two observations of 96 x 96 pixels, ResNet-18 with spatial softmax, a U-Net of
512, 1024 and 2048 channels over 16 rows, 100 steps of DDPM that predict the noise, and a running
mean of the weights.

Faithful: these sizes; one ResNet for all cameras; group norms; the noise schedule; the foreseen
chunk is clipped in every step. As there, an instruction is not read: one policy, one task.
Not: a trunk of no layers gives tokens learned positions and normalises them; a state passes two
layers; chunks begin at the newest observation, not at the one before; ranges are those of the 1 %
and 99 % quantiles, and the clip is at 1.5 of them; a missing observation is zeros, not repeated;
what a chunk lacks at an episode's end never counts. A random crop is for
`PreprocessConfig.augmentation` to switch on.
"""

from collections.abc import Sequence

from octoverse.config import PolicyConfig, WindowConfig
from octoverse.embodiment import Camera, Embodiment, State, Stream, rows_of
from octoverse.errors import BadConfig
from octoverse.preprocess import PreprocessConfig
from octoverse.readouts.denoisers.unet import UNetConfig
from octoverse.readouts.diffusion import DiffusionConfig
from octoverse.recipes.architecture import Architecture
from octoverse.recipes.compose import Reading, Writing, compose, joined, simple
from octoverse.tokenizers.resnet_keypoints import ResNetKeypointsTokenizerConfig
from octoverse.training.config import TrainingConfig
from octoverse.trunk.config import NativeTrunkConfig

_HORIZON, _FRAMES = 16, 2


def policy(bodies: Sequence[Embodiment], size: str) -> PolicyConfig:
    """Make its config for these bodies."""
    base = size == "base"
    side = 96 if base else 64
    camera = ResNetKeypointsTokenizerConfig(channels=64 if base else 16)
    unet = UNetConfig() if base else UNetConfig(widths=(32, 64), time_width=32)

    def read(body: Embodiment, name: str, stream: Stream) -> Reading | None:
        if isinstance(stream, Camera):
            return Reading(key="camera", config=camera, inputs={"image": name})
        return simple(body, name, stream) if isinstance(stream, State) else None

    def write(body: Embodiment) -> list[Writing]:
        words = _FRAMES * sum(read(body, *one) is not None for one in body.observation.items())
        if not words:
            raise BadConfig(
                f"diffusion_policy reads cameras and states, and '{body.name}' has neither."
            )
        made = []
        for groups in joined(body):
            found = [body.action[group] for group in groups]
            rows = rows_of(found[0], _HORIZON)
            config = DiffusionConfig(
                codec="ranged",
                token_count=0,
                reads="outputs",
                words=words,
                denoiser="unet",
                unet=unet,
                steps=100 if base else 20,
                variance="posterior",
                clip=1.5,
                clips="clean",
            )
            numbers = sum(group.size for group in found)
            key = f"{'+'.join(groups)}/{rows}x{numbers}/{words}"
            made.append(Writing(key=key, config=config, groups=groups))
        return made

    return compose(
        bodies,
        trunk=NativeTrunkConfig(width=64, layers=0),
        read=read,
        write=write,
        horizon=_HORIZON,
        window=WindowConfig(frames=_FRAMES),
        preprocess=PreprocessConfig(height=side, width=side),
    )


DIFFUSION_POLICY = Architecture(
    name="diffusion_policy",
    about="Diffusion Policy: ResNet-18 keypoints, a U-Net that denoises 16 steps",
    policy=policy,
    sizes=("base", "tiny"),
    example=("tabletop_arm", "xarm_planar"),
    training=TrainingConfig(
        steps=100_000, batch_size=64, learning_rate=1e-4, weight_decay=1e-6, mean_of=0.9999
    ),
)
