"""VAD's planner by cameras alone: a query reads the scene and says where to drive.

Source: Jiang et al., "VAD", 2023 (hustvl/VAD, for nuScenes). As there: all cameras through one
ResNet, width 256, 8 heads, feed-forward layers of 512, six layers; a learned ego query that reads
the scene twice, then two layers to a path for each command; the absolute error of the commanded
one; optimiser and batch.

Not so here: no vectorised map, no other agents, and so none of their losses and no constraint on
collision, boundary or direction; a trunk reads the cameras' feature maps in place of a bird's-eye
view over time, with speed and past poses as tokens; one path more for when no command is given; a
ResNet-34 that normalises groups and begins from nothing, on images of 320 x 192,
there a ResNet-50 from ImageNet on 1280 x 720; the path is a departure from driving straight on,
with headings, as long as the body's, there six differences of positions over 3 s.
"""

from collections.abc import Sequence
from dataclasses import replace

from octoverse.config import PolicyConfig
from octoverse.embodiment import Camera, Command, Embodiment, Stream
from octoverse.preprocess import PreprocessConfig
from octoverse.readouts.query_regression import QueryRegressionConfig
from octoverse.recipes.architecture import Architecture
from octoverse.recipes.cars import check_cars, code_of, feature_map, read_state, writings
from octoverse.recipes.compose import Reading, Writing, compose
from octoverse.training.config import TrainingConfig
from octoverse.trunk.config import NativeTrunkConfig, sized


def policy(bodies: Sequence[Embodiment], size: str) -> PolicyConfig:
    """Its policy for these cars."""
    check_cars(bodies, "vad")
    tiny = size == "tiny"
    height, width = (64, 64) if tiny else (192, 320)

    def read(body: Embodiment, name: str, stream: Stream) -> Reading | None:
        if isinstance(stream, Command):
            return None  # chooses among the paths
        if not isinstance(stream, Camera):
            return read_state(body, name, stream)
        config = feature_map(height, width, size)
        slot = f"image/{stream.role}"
        return Reading(key="image", config=config, inputs={"image": name}, slot=slot)

    def write(body: Embodiment) -> list[Writing]:
        found = [(n, s) for n, s in body.observation.items() if isinstance(s, Command)]
        name, commands = (found[0][0], len(found[0][1].names)) if found else ("command", 0)
        config = QueryRegressionConfig(codec=code_of(body), commands=commands, command=name)
        return [
            replace(one, key=f"{one.key}/{commands} commands") for one in writings(body, config)
        ]

    trunk = NativeTrunkConfig(width=256, layers=6, heads=8, mlp_ratio=2.0, activation="relu")
    return compose(
        bodies,
        trunk=sized("tiny", activation="relu") if tiny else trunk,
        read=read,
        write=write,
        preprocess=PreprocessConfig(height=height, width=width),
    )


VAD = Architecture(
    name="vad",
    policy=policy,
    sizes=("base", "tiny"),
    example=("passenger_car", "road_car"),
    about="cameras and a command → one path, by a query that reads the scene",
    training=TrainingConfig(
        steps=210_000, batch_size=8, learning_rate=2e-4, weight_decay=0.01, precision="bfloat16"
    ),
)
