"""A policy for any body, from what its spec says: where `embodiments check` and new robots start.

Cameras share an image tokenizer by role, so that a new robot's wrist camera begins with what other
wrist cameras taught; readouts are shared by what a group is and how many numbers it has.
"""

from octoverse.config import BodyConfig, PolicyConfig, ReadoutUse, TokenizerUse
from octoverse.embodiment import (
    Camera,
    Command,
    EgoHistory,
    Embodiment,
    GoalImage,
    Instruction,
    PathGroup,
    Route,
    State,
    Stream,
    Waypoints,
)
from octoverse.preprocess import PreprocessConfig
from octoverse.readouts.regression import RegressionConfig
from octoverse.tokenizers.command import CommandTokenizerConfig
from octoverse.tokenizers.ego_history import EgoHistoryTokenizerConfig
from octoverse.tokenizers.image import ImageTokenizerConfig
from octoverse.tokenizers.language import LanguageTokenizerConfig
from octoverse.tokenizers.state import StateTokenizerConfig
from octoverse.trunk.native import NativeTrunkConfig

SIDE = 64
"""Of every image, in pixels."""


def policy_config(
    *bodies: Embodiment, horizon: int = 8, preprocess: PreprocessConfig | None = None
) -> PolicyConfig:
    """Make the config of a small policy for these bodies.

    Routes and goal images have no built-in tokenizer yet and are not read.

    Args:
        bodies: Their specs.
        horizon: Control steps in a chunk; a path group has its own.
        preprocess: Sizes of images; every image is 64 x 64 if not given.
    """
    images = preprocess or PreprocessConfig(height=SIDE, width=SIDE)
    tokenizers: dict[str, object] = {}
    readouts: dict[str, object] = {}
    configs = {}
    for body in bodies:
        uses: list[TokenizerUse] = []
        for name, stream in body.observation.items():
            found = _tokenizer(name, stream, images)
            if found is not None:
                key, config, role = found
                tokenizers[key] = config
                slot = f"{key}:{name}" if any(use.key == key for use in uses) else ""
                uses.append(TokenizerUse(key=key, streams={role: name}, slot=slot))
        made: list[ReadoutUse] = []
        for name, group in body.action.items():
            rows = group.steps if isinstance(group, PathGroup) else horizon
            key = f"{type(group).__struct_config__.tag}/{rows}x{group.size}"
            if any(use.key == key for use in made):
                key = f"{key}/{name}"
            driven = isinstance(group, Waypoints) and "speed" in body.observation
            if isinstance(group, Waypoints) and not driven:
                key = f"{key}/scaled"  # not the weights of cars whose speed is known
            readouts[key] = RegressionConfig(codec="constant_velocity" if driven else "scaled")
            made.append(ReadoutUse(key=key, groups=(name,)))
        configs[body.name] = BodyConfig(
            tokenizers=tuple(uses), readouts=tuple(made), horizon=horizon
        )
    return PolicyConfig(
        trunk=NativeTrunkConfig(width=128, layers=3, heads=4),
        bodies=configs,
        tokenizers=tokenizers,
        readouts=readouts,
        preprocess=images,
    )


def _tokenizer(
    name: str, stream: Stream, images: PreprocessConfig
) -> tuple[str, object, str] | None:
    """Key, config and the tokenizer's own name for the stream that it reads."""
    match stream:
        case Camera():
            height, width = images.size(stream.role)
            return f"image/{stream.role}", ImageTokenizerConfig(height=height, width=width), "image"
        case State():
            size = len(stream.names)
            return f"state/{name}/{size}", StateTokenizerConfig(size=size), "state"
        case EgoHistory():
            config = EgoHistoryTokenizerConfig(steps=stream.steps)
            return f"ego_history/{stream.steps}", config, "history"
        case Instruction():
            return "language", LanguageTokenizerConfig(), "instruction"
        case Command():
            size = len(stream.names)
            return f"command/{name}/{size}", CommandTokenizerConfig(size=size), "command"
        case Route() | GoalImage():
            return None
