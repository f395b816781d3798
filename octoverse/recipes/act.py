"""ACT: a ResNet's feature maps and the state into a small trunk, a CVAE that decodes long chunks.

Source: Zhao et al., "Learning Fine-Grained Bimanual Manipulation with Low-Cost Hardware", 2023, at
the default sizes of huggingface/lerobot, policies/act.
Faithful: those sizes; one ResNet-18 for all cameras with frozen norms, a token for each place of
its last feature map; ReLU; absolute error + 10 x divergence; latent 0 when acting. As there, no
instruction is read: one policy, one task.
Not: the latent enters the decoder, not the trunk; norms stand in front, and there is no dropout;
places also have learned positions; two layers read each state; images are 224 x 224. The ResNet
starts from random weights: torchvision's load into `policy.tokenizers["camera"].resnet`.
"""

from collections.abc import Sequence

from octoverse.config import PolicyConfig
from octoverse.embodiment import Camera, Embodiment, State, Stream, rows_of
from octoverse.preprocess import PreprocessConfig
from octoverse.readouts.cvae import CvaeConfig
from octoverse.recipes.architecture import Architecture
from octoverse.recipes.compose import Reading, Writing, compose, joined, simple
from octoverse.tokenizers.resnet_grid import ResNetGridTokenizerConfig
from octoverse.training.config import TrainingConfig
from octoverse.trunk.config import NativeTrunkConfig, sized


def policy(bodies: Sequence[Embodiment], size: str) -> PolicyConfig:
    """Make its config for these bodies."""
    trunk = NativeTrunkConfig(width=512, layers=4, heads=8, mlp_ratio=6.25, activation="relu")
    decoder, side, channels, horizon = CvaeConfig(), 224, 64, 100
    if size == "tiny":
        trunk, side, channels, horizon = sized("tiny", activation="relu"), 64, 16, 8
        decoder = CvaeConfig(width=64, heads=4, feed_forward=128, encoder_layers=2, latent=8)
    camera = ResNetGridTokenizerConfig(height=side, width=side, channels=channels)

    def read(body: Embodiment, name: str, stream: Stream) -> Reading | None:
        if isinstance(stream, Camera):
            return Reading(key="camera", config=camera, inputs={"image": name})
        return simple(body, name, stream) if isinstance(stream, State) else None

    def write(body: Embodiment) -> list[Writing]:
        made = []
        for groups in joined(body):
            found = [body.action[group] for group in groups]
            rows = rows_of(found[0], horizon)
            key = f"{'+'.join(groups)}/{rows}x{sum(group.size for group in found)}"
            made.append(Writing(key=key, config=decoder, groups=groups))
        return made

    images = PreprocessConfig(height=side, width=side)
    return compose(bodies, trunk=trunk, read=read, write=write, horizon=horizon, preprocess=images)


ACT = Architecture(
    name="act",
    about="ACT: ResNet-18 feature maps, a CVAE that decodes chunks of 100 steps",
    policy=policy,
    sizes=("base", "tiny"),
    example=("tabletop_arm", "aloha"),
    training=TrainingConfig(steps=100_000, batch_size=8, learning_rate=1e-5, weight_decay=1e-4),
)
