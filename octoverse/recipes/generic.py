"""A policy for any body, from what its spec says: where `embodiments check` and new robots start.

Cameras share an image tokenizer by role, so that a new robot's wrist camera begins with what other
wrist cameras taught; readouts are shared by what a group is and how many numbers it has.
"""

from collections.abc import Sequence

from octoverse.config import PolicyConfig
from octoverse.embodiment import Camera, Embodiment, Stream, Waypoints, rows_of
from octoverse.preprocess import PreprocessConfig
from octoverse.readouts.regression import RegressionConfig
from octoverse.recipes.architecture import Architecture
from octoverse.recipes.compose import Reading, Writing, compose, simple
from octoverse.tokenizers.image import ImageTokenizerConfig
from octoverse.training.config import TrainingConfig
from octoverse.trunk.config import NativeTrunkConfig, sized

SIDE = 64
"""Of every image, in pixels."""
TRUNK = NativeTrunkConfig(width=128, layers=3, heads=4)


def policy_config(
    *bodies: Embodiment,
    horizon: int = 8,
    preprocess: PreprocessConfig | None = None,
    trunk: NativeTrunkConfig = TRUNK,
) -> PolicyConfig:
    """Make the config of a small policy for these bodies.

    Goal images are not read.

    Args:
        bodies: Their specs.
        horizon: Control steps in a chunk; a path group has its own.
        preprocess: Sizes of images; every image is 64 x 64 if not given.
        trunk: Its sizes.
    """
    images = preprocess or PreprocessConfig(height=SIDE, width=SIDE)

    def read(body: Embodiment, name: str, stream: Stream) -> Reading | None:
        if not isinstance(stream, Camera):
            return simple(body, name, stream)
        height, width = images.size(stream.role)
        config = ImageTokenizerConfig(height=height, width=width)
        return Reading(key=f"image/{stream.role}", config=config, inputs={"image": name})

    def write(body: Embodiment) -> list[Writing]:
        made: list[Writing] = []
        for name, group in body.action.items():
            rows = rows_of(group, horizon)
            key = f"{type(group).__struct_config__.tag}/{rows}x{group.size}"
            if any(one.key == key for one in made):
                key = f"{key}/{name}"
            driven = isinstance(group, Waypoints) and "speed" in body.observation
            if isinstance(group, Waypoints) and not driven:
                key = f"{key}/scaled"  # not the weights of cars whose speed is known
            codec = "constant_velocity" if driven else "scaled"
            made.append(Writing(key=key, config=RegressionConfig(codec=codec), groups=(name,)))
        return made

    return compose(
        bodies,
        trunk=trunk,
        read=read,
        write=write,
        horizon=horizon,
        preprocess=images,
    )


def _sized(bodies: Sequence[Embodiment], size: str) -> PolicyConfig:
    if size == "tiny":
        return policy_config(
            *bodies, preprocess=PreprocessConfig(height=32, width=32), trunk=sized("tiny")
        )
    return policy_config(*bodies)


GENERIC = Architecture(
    name="generic",
    policy=_sized,
    sizes=("small", "tiny"),
    example=("tabletop_arm", "road_car"),
    about="One regression for each action group: a small policy for any bodies.",
    training=TrainingConfig(steps=2000, warmup_steps=100, precision="bfloat16"),
)
