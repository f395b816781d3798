"""Everything that says what a policy is: bodies, modules by key, trunk, window, image sizes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from octoverse import registry
from octoverse.errors import BadConfig
from octoverse.preprocess import PreprocessConfig
from octoverse.trunk.config import NativeTrunkConfig


@dataclass(frozen=True, kw_only=True)
class TokenizerUse:
    """One use of a tokenizer by a body. Bodies that name the same key share the module."""

    key: str
    """Which tokenizer, such as image/primary."""
    streams: Mapping[str, str]
    """For each of the tokenizer's inputs, the body's stream."""
    slot: str = ""
    """Where its tokens stand in the sequence (learned positions); its key unless said."""
    repeat: bool = False
    """Whether a task's tokens stand again in every step, as Octo's."""

    @property
    def place(self) -> str:
        """Name of its tokens in the sequence."""
        return self.slot or self.key


@dataclass(frozen=True, kw_only=True)
class ReadoutUse:
    """One use of a readout by a body: it makes these action groups, side by side."""

    key: str
    """Which readout, such as end_effector."""
    groups: tuple[str, ...]
    every_step: bool = False
    """Whether its tokens stand at every step of the window, as Octo's; the newest one answers."""
    size: int = 0
    """Numbers a of the readout, where it has more than these groups: the rest is masked."""


@dataclass(frozen=True, kw_only=True)
class BodyConfig:
    """How one body enters the trunk and leaves it."""

    tokenizers: tuple[TokenizerUse, ...]
    readouts: tuple[ReadoutUse, ...]
    horizon: int = 8
    """Control steps in a chunk; a path group has its own."""

    def __post_init__(self) -> None:
        if self.horizon < 1:
            raise ValueError(f"horizon must be at least 1, got {self.horizon}.")


@dataclass(frozen=True, kw_only=True)
class WindowConfig:
    """How much of the past a policy sees."""

    frames: int = 1
    """Time steps in a window."""
    spacing: float | None = None
    """Seconds between them; None for one control step of the body."""

    def __post_init__(self) -> None:
        if self.frames < 1 or (self.spacing is not None and not self.spacing > 0):
            raise ValueError(
                f"frames must be at least 1 and spacing above 0 s, got {self.frames} and "
                f"{self.spacing}."
            )


@dataclass(frozen=True, kw_only=True)
class PolicyConfig:
    """One policy. Which weights are shared is what the keys say."""

    trunk: NativeTrunkConfig = field(default_factory=NativeTrunkConfig)
    bodies: Mapping[str, BodyConfig]
    tokenizers: Mapping[str, Any]
    """Key to a tokenizer's config."""
    readouts: Mapping[str, Any]
    """Key to a readout's config."""
    window: WindowConfig = field(default_factory=WindowConfig)
    preprocess: PreprocessConfig = field(default_factory=PreprocessConfig)

    def __post_init__(self) -> None:
        for name, body in self.bodies.items():
            for kind, uses, known in (
                ("tokenizer", body.tokenizers, self.tokenizers),
                ("readout", body.readouts, self.readouts),
            ):
                for use in uses:
                    if use.key not in known:
                        raise BadConfig(
                            f"body '{name}' uses the {kind} '{use.key}', which is not configured. "
                            f"Configured: {', '.join(sorted(known))}."
                        )
            places = [use.place for use in body.tokenizers] + [use.key for use in body.readouts]
            for use in body.tokenizers:
                if use.repeat and self.tokenizers[use.key].role != "task":
                    raise BadConfig(
                        f"body '{name}' repeats '{use.key}', which already stands in every step. "
                        "Only a task's tokens can be repeated."
                    )
            twice = {place for place in places if places.count(place) > 1}
            if twice:
                raise BadConfig(
                    f"body '{name}' puts two groups of tokens at '{min(twice)}'. "
                    "Give one of them a slot of its own."
                )


def to_plain(config: PolicyConfig) -> dict[str, Any]:
    """The config in plain types, plug-ins by name, for config.json."""
    plain: dict[str, Any] = msgspec.to_builtins(config)
    for kind, table in _plugins(config.tokenizers, config.readouts):
        plain[f"{kind}s"] = {
            key: {"name": registry.name_of(kind, type(module)), "settings": plain[f"{kind}s"][key]}
            for key, module in table.items()
        }
    return plain


def from_plain(plain: Mapping[str, Any]) -> PolicyConfig:
    """The config that `to_plain` wrote; refuses fields that it does not know.

    Raises:
        UnknownName: if a plug-in is not installed.
        BadConfig: if a field is missing, of the wrong type or unknown.
    """
    _check_fields(plain, PolicyConfig.__dataclass_fields__, "the config")
    parts = dict(plain)
    for kind, table in _plugins(plain["tokenizers"], plain["readouts"]):
        parts[f"{kind}s"] = {}
        for key, entry in _convert(table, dict[str, _PlugIn], f"{kind}s").items():
            type_ = registry.load(kind, entry.name)
            parts[f"{kind}s"][key] = _convert(entry.settings, type_, f"{kind}s.{key}")
    for name, type_ in (
        ("trunk", NativeTrunkConfig),
        ("bodies", dict[str, BodyConfig]),
        ("window", WindowConfig),
        ("preprocess", PreprocessConfig),
    ):
        parts[name] = _convert(plain[name], type_, name)
    return PolicyConfig(**parts)


class _PlugIn(msgspec.Struct):
    """A plug-in's config in plain types."""

    name: str
    settings: dict[str, Any]


def _plugins(tokenizers: Any, readouts: Any) -> tuple[tuple[registry.Kind, Any], ...]:
    return ("tokenizer", tokenizers), ("readout", readouts)


def _convert(value: Any, type_: Any, where: str) -> Any:
    try:
        found = msgspec.convert(value, type_)
    except msgspec.ValidationError as error:
        raise BadConfig(f"{where}: {error}.") from error
    _check_known(value, msgspec.to_builtins(found), where)
    return found


def _check_known(given: Any, kept: Any, where: str) -> None:
    """Refuse settings, however deep, that were dropped because nothing knows them."""
    if isinstance(given, Mapping) and isinstance(kept, Mapping):
        unknown = sorted(set(given) - set(kept))
        if unknown:
            raise BadConfig(
                f"{where}: no setting named '{unknown[0]}'. Known: {', '.join(sorted(kept))}."
            )
        for name, value in given.items():
            _check_known(value, kept[name], f"{where}.{name}")
    elif isinstance(given, list | tuple) and isinstance(kept, list | tuple):
        for i, (one, other) in enumerate(zip(given, kept, strict=True)):
            _check_known(one, other, f"{where}.{i}")


def _check_fields(given: Any, expected: Iterable[str], where: str) -> None:
    """Refuse anything that has not just these fields."""
    if not isinstance(given, Mapping):
        raise BadConfig(f"{where}: expected settings by name, got {type(given).__name__}.")
    for name in sorted(set(expected) ^ set(given)):
        wrong = (
            f"no setting named '{name}'" if name in given else f"the setting '{name}' is missing"
        )
        raise BadConfig(f"{where}: {wrong}. Known: {', '.join(sorted(expected))}.")
