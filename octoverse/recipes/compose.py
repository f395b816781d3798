"""Compose a policy for any bodies from two choices: how streams are read and actions are made."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from octoverse.config import BodyConfig, PolicyConfig, ReadoutUse, TokenizerUse, WindowConfig
from octoverse.embodiment import (
    Command,
    EgoHistory,
    Embodiment,
    GoalImage,
    Instruction,
    PathGroup,
    Route,
    State,
    Stream,
)
from octoverse.errors import BadConfig
from octoverse.preprocess import PreprocessConfig
from octoverse.tokenizers.command import CommandTokenizerConfig
from octoverse.tokenizers.ego_history import EgoHistoryTokenizerConfig
from octoverse.tokenizers.language import LanguageTokenizerConfig
from octoverse.tokenizers.route import RouteTokenizerConfig
from octoverse.tokenizers.state import StateTokenizerConfig
from octoverse.trunk.config import NativeTrunkConfig


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How one stream is read. Bodies that give the same key share the tokenizer."""

    key: str
    config: Any
    """The tokenizer's config."""
    inputs: Mapping[str, str]
    """The tokenizer's inputs to the body's streams."""
    slot: str = ""
    repeat: bool = False


@dataclass(frozen=True, kw_only=True)
class Writing:
    """How some action groups are made. Bodies that give the same key share the readout."""

    key: str
    config: Any
    """The readout's config."""
    groups: tuple[str, ...]
    every_step: bool = False
    size: int = 0


def compose(
    bodies: Sequence[Embodiment],
    *,
    trunk: NativeTrunkConfig,
    read: Callable[[Embodiment, str, Stream], Reading | None],
    write: Callable[[Embodiment], Sequence[Writing]],
    horizon: int | Callable[[Embodiment], int] = 8,
    window: WindowConfig | None = None,
    preprocess: PreprocessConfig | None = None,
) -> PolicyConfig:
    """Make the config of a policy for these bodies.

    Args:
        bodies: Their specs.
        trunk: The trunk that they share.
        read: For a body's stream, by name and spec, how it is read; None where it is not, or is
            read together with another.
        write: How a body's actions are made; every group must be made once.
        horizon: Control steps in a chunk; a path group has its own.
        window: How much of the past is seen.
        preprocess: Sizes of images.

    Raises:
        BadConfig: if one key stands for two different tokenizers or readouts.
    """
    tokenizers: dict[str, Any] = {}
    readouts: dict[str, Any] = {}
    configs: dict[str, BodyConfig] = {}
    for body in bodies:
        uses: list[TokenizerUse] = []
        for name, stream in body.observation.items():
            found = read(body, name, stream)
            if found is not None:
                _keep(tokenizers, found.key, found.config, body)
                again = any(use.place == (found.slot or found.key) for use in uses)
                uses.append(
                    TokenizerUse(
                        key=found.key,
                        streams=found.inputs,
                        slot=f"{found.slot or found.key}:{name}" if again else found.slot,
                        repeat=found.repeat,
                    )
                )
        made = []
        for one in write(body):
            _keep(readouts, one.key, one.config, body)
            made.append(
                ReadoutUse(key=one.key, groups=one.groups, every_step=one.every_step, size=one.size)
            )
        configs[body.name] = BodyConfig(
            tokenizers=tuple(uses),
            readouts=tuple(made),
            horizon=horizon(body) if callable(horizon) else horizon,
        )
    return PolicyConfig(
        trunk=trunk,
        bodies=configs,
        tokenizers=tokenizers,
        readouts=readouts,
        window=window or WindowConfig(),
        preprocess=preprocess or PreprocessConfig(),
    )


def simple(body: Embodiment, name: str, stream: Stream) -> Reading | None:
    """How numbers, words and routes are usually read, most as one token. None for images."""
    match stream:
        case State(names=names):
            config: Any = StateTokenizerConfig(size=len(names))
            return Reading(key=f"state/{name}/{len(names)}", config=config, inputs={"state": name})
        case EgoHistory(steps=steps):
            config = EgoHistoryTokenizerConfig(steps=steps)
            return Reading(key=f"ego_history/{steps}", config=config, inputs={"history": name})
        case Instruction():
            config = LanguageTokenizerConfig()
            return Reading(key="language", config=config, inputs={"instruction": name})
        case Command(names=names):
            config = CommandTokenizerConfig(size=len(names))
            return Reading(
                key=f"command/{name}/{len(names)}", config=config, inputs={"command": name}
            )
        case Route(points=points):
            config = RouteTokenizerConfig(points=points)
            return Reading(key=f"route/{points}", config=config, inputs={"route": name})
        case _:
            return None


def instruction(body: Embodiment) -> str | None:
    """Name of the stream that has the body's instruction."""
    return next((n for n, s in body.observation.items() if isinstance(s, Instruction)), None)


def goal_of(body: Embodiment, camera: str) -> str | None:
    """Name of the goal image of one camera."""
    return next(
        (
            name
            for name, stream in body.observation.items()
            if isinstance(stream, GoalImage) and stream.camera == camera
        ),
        None,
    )


def joined(body: Embodiment) -> list[tuple[str, ...]]:
    """The action groups of a body that can be made side by side: those of equal rows."""
    paths = [(name,) for name, group in body.action.items() if isinstance(group, PathGroup)]
    steps = tuple(name for name, group in body.action.items() if not isinstance(group, PathGroup))
    return [steps, *paths] if steps else [*paths]


def _keep(known: dict[str, Any], key: str, config: Any, body: Embodiment) -> None:
    if known.setdefault(key, config) != config:
        raise BadConfig(
            f"'{key}' is {known[key]} for one body and {config} for '{body.name}'. "
            "Modules that differ need keys that differ."
        )
