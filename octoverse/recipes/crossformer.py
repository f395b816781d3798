"""CrossFormer: tokenizers shared by camera role, one trunk, a head for each class of action space.

Source: Doshi et al., "Scaling cross-embodied learning", 2024; rail-berkeley/crossformer,
scripts/configs/pretrain_config.py. Faithful: the trunk; five frames; ResNet-26 over images of 224
pixels with FiLM by language (not when driving) and the goal stacked (not at wrists); L1 heads with
a token for every row, one arm 4 x 7, two arms 100 x 14; goals and words left out half and half;
batch, rate and decay. Not: trained weights of ImageNet and of a sentence encoder (here bytes);
positions in every layer; dropout; wrists' own augmentation. Paths are as long as the body's (there
4 x 2), states of cars and of two arms one token each; only the newest step is trained; the rate
falls as a cosine.
"""

from collections.abc import Sequence
from functools import partial

from octoverse.augmentation import Augmentation
from octoverse.config import PolicyConfig, WindowConfig
from octoverse.data.variation import Variation
from octoverse.embodiment import Camera, Embodiment, GoalImage, Instruction, Stream
from octoverse.preprocess import PreprocessConfig
from octoverse.readouts.regression import RegressionConfig
from octoverse.recipes import kinds
from octoverse.recipes.architecture import Architecture
from octoverse.recipes.compose import Reading, Writing, compose, goal_of, instruction, simple
from octoverse.tokenizers.film_resnet import FilmResNetTokenizerConfig
from octoverse.training.config import TrainingConfig
from octoverse.trunk.config import NativeTrunkConfig, sized

LIGHT = Augmentation(crop=0.2, aspect=0.1, brightness=0.1, contrast=0.1, saturation=0.1, hue=0.05)
TRUNK = NativeTrunkConfig(
    width=512, layers=12, heads=8, activation="gelu_tanh", epsilon=1e-6, max_frames=10
)


def policy(bodies: Sequence[Embodiment], size: str) -> PolicyConfig:
    """Its policy for these bodies; tiny has small images and short chunks for two arms."""
    tiny = size == "tiny"
    side, channels, words, long = (64, 8, 32, 8) if tiny else (224, 64, 512, 100)
    eye = partial(
        FilmResNetTokenizerConfig, height=side, width=side, channels=channels, words=words
    )
    head = partial(RegressionConfig, row_by_row=True)

    def read(body: Embodiment, name: str, stream: Stream) -> Reading | None:
        if isinstance(stream, Camera) and name in kinds.main_and_wrists(body):
            goal = None if "wrist" in stream.role else goal_of(body, name)
            spoken = None if kinds.drives(body) else instruction(body)
            given = {"image": name, "goal": goal, "instruction": spoken}
            inputs = {what: where for what, where in given.items() if where}
            config = eye(goal=bool(goal), language="bytes" if spoken else None)
            return Reading(key="/".join([stream.role, *inputs]), config=config, inputs=inputs)
        unread = isinstance(stream, Instruction | GoalImage) or kinds.moves_tool(body)
        return None if unread else simple(body, name, stream)

    def horizon(body: Embodiment) -> int:
        return long if kinds.grippers(body) > 1 else 4

    def write(body: Embodiment) -> list[Writing]:
        return [
            Writing(key=key, config=head(token_count=rows), groups=groups)
            for key, rows, groups in kinds.action_classes(body, horizon(body))
        ]

    return compose(
        bodies,
        trunk=sized("tiny") if tiny else TRUNK,
        read=read,
        write=write,
        horizon=horizon,
        window=WindowConfig(frames=2 if tiny else 5),
        preprocess=PreprocessConfig(height=side, width=side, filter="lanczos3", augmentation=LIGHT),
    )


CROSSFORMER = Architecture(
    name="crossformer",
    policy=policy,
    sizes=("base", "tiny"),
    example=("widowx", "aloha"),
    about="ResNets modulated by language and shared by camera, a head for each class of actions",
    variation=Variation(goal="uniform", goal_only=0.5, words_only=0.5),
    training=TrainingConfig(
        steps=300_000, batch_size=512, learning_rate=3e-4, warmup_steps=2000, weight_decay=0.1
    ),
)
