"""DiffusionDrive by cameras alone: typical drives, denoised in two steps, and the surest taken.

Source: Liao et al., "DiffusionDrive", 2025 (hustvl/DiffusionDrive, for NAVSIM). As there: 20
anchors by k-means, noise of at most 50 of 1000 steps, two DDIM steps from step 8, two decoder
layers, focal loss 10 and absolute error 8; the three front cameras through a ResNet-34, 256 pixels
high and 1024 wide together; width 256, 8 heads, feed-forward layers of 1024; optimiser and batch.

Not so here: no lidar, no bird's-eye view and none of its losses (boxes, map); cameras are not
stitched, and a trunk of three layers reads their feature maps with speed, past poses and command
(there: velocity, acceleration and command); the ResNet normalises groups and begins from nothing,
there from ImageNet; anchors are departures from driving straight on, headings too, as long as the
body's path, there positions 4 s ahead; "tiny" has 4 anchors and rehearses the second step.
"""

from collections.abc import Sequence

from octoverse.config import PolicyConfig
from octoverse.embodiment import Camera, Embodiment, Stream
from octoverse.preprocess import ImageSize, PreprocessConfig
from octoverse.readouts.truncated_diffusion import TruncatedDiffusionConfig
from octoverse.recipes.architecture import Architecture
from octoverse.recipes.cars import check_cars, code_of, feature_map, read_state, writings
from octoverse.recipes.compose import Reading, Writing, compose
from octoverse.training.config import TrainingConfig
from octoverse.trunk.config import NativeTrunkConfig, sized

_ROLES = ("front", "cross_left", "cross_right")
_SIDES = tuple(ImageSize(role=role, height=256, width=272) for role in _ROLES[1:])


def policy(bodies: Sequence[Embodiment], size: str) -> PolicyConfig:
    """Its policy for these cars."""
    check_cars(bodies, "diffusiondrive", _ROLES)
    tiny = size == "tiny"
    base = PreprocessConfig(height=256, width=480, sizes=_SIDES)
    images = PreprocessConfig(height=64, width=64) if tiny else base

    def read(body: Embodiment, name: str, stream: Stream) -> Reading | None:
        if not isinstance(stream, Camera):
            return read_state(body, name, stream)
        if stream.role not in _ROLES:
            return None
        height, width = images.size(stream.role)
        key = "image/front" if stream.role == "front" else "image/side"
        config = feature_map(height, width, size)
        return Reading(key=key, config=config, inputs={"image": name}, slot=f"image/{stream.role}")

    def write(body: Embodiment) -> list[Writing]:
        anchors = 4 if tiny else 20
        config = TruncatedDiffusionConfig(codec=code_of(body), anchors=anchors, rehearsed=tiny)
        return writings(body, config)

    trunk = NativeTrunkConfig(width=256, layers=3, heads=8, activation="relu")
    return compose(
        bodies,
        trunk=sized("tiny", activation="relu") if tiny else trunk,
        read=read,
        write=write,
        preprocess=images,
    )


DIFFUSIONDRIVE = Architecture(
    name="diffusiondrive",
    policy=policy,
    sizes=("base", "tiny"),
    example=("passenger_car", "road_car"),
    about="cameras → 20 typical drives, denoised in two steps, the surest taken",
    training=TrainingConfig(
        steps=17_000, batch_size=512, learning_rate=6e-4, weight_decay=1e-4, precision="bfloat16"
    ),
)
