import torch

from octoverse import registry
from octoverse.embodiment import Embodiment
from octoverse.recipes.crossformer import CROSSFORMER
from octoverse.tokenizers.film_resnet import FilmResNetTokenizerConfig
from octoverse.trunk.block import Block

WIDOWX: Embodiment = registry.load("embodiment", "widowx")
ALOHA: Embodiment = registry.load("embodiment", "aloha")
CAR: Embodiment = registry.load("embodiment", "passenger_car")


def test_its_sizes_are_the_published_ones() -> None:
    config = CROSSFORMER.config([WIDOWX, ALOHA])
    trunk = config.trunk
    assert (trunk.layers, trunk.width, trunk.heads) == (12, 512, 8)
    assert trunk.width * trunk.mlp_ratio == 2048 and trunk.max_frames == 10
    assert (config.window.frames, config.preprocess.size("primary")) == (5, (224, 224))
    assert config.readouts["end effector delta + gripper/4x7"].token_count == 4
    assert config.readouts["joint position + gripper/100x14"].token_count == 100
    assert (config.bodies["widowx"].horizon, config.bodies["aloha"].horizon) == (4, 100)
    with torch.device("meta"):
        blocks = sum(p.numel() for p in Block(trunk).parameters()) * trunk.layers
        eyes = [
            sum(p.numel() for p in tokenizer.build(512).parameters())
            for tokenizer in config.tokenizers.values()
            if isinstance(tokenizer, FilmResNetTokenizerConfig)
        ]
    assert round(blocks / 1e6) == 38 and len(eyes) == 3
    assert all(17e6 < eye < 22e6 for eye in eyes)


def test_goals_are_stacked_and_words_modulate_where_the_original_does_so() -> None:
    config = CROSSFORMER.config([WIDOWX, ALOHA, CAR])
    inputs = {key: module.inputs for key, module in config.tokenizers.items()}
    assert inputs["primary/image/goal/instruction"] == ("image", "goal", "instruction")
    assert inputs["left_wrist/image/instruction"] == ("image", "instruction")
    assert inputs["front/image"] == ("image",)
    assert config.tokenizers["primary/image/goal/instruction"].tokens == 49
    read = {use.streams.get("image") for use in config.bodies["aloha"].tokenizers}
    assert {"high", "left_wrist", "right_wrist"} <= read and "low" not in read


def test_single_arms_read_no_state_and_others_do() -> None:
    config = CROSSFORMER.config([WIDOWX, ALOHA, CAR])
    states = {
        name: {use.streams["state"] for use in body.tokenizers if "state" in use.streams}
        for name, body in config.bodies.items()
    }
    assert states == {
        "widowx": set(),
        "aloha": {"joints", "grippers"},
        "passenger_car": {"speed"},
    }


def test_what_is_no_arm_has_a_head_of_its_own() -> None:
    config = CROSSFORMER.config([registry.load("embodiment", "google_robot"), CAR])
    made = {use.key: use.groups for use in config.bodies["google_robot"].readouts}
    assert made == {
        "end effector delta + gripper/4x7": ("arm", "gripper"),
        "twist/4x3": ("base",),
        "terminate/4x1": ("done",),
    }
    assert [use.key for use in config.bodies["passenger_car"].readouts] == ["waypoints/64x3"]
