"""Everything that says what a policy is: bodies, modules by key, trunk, window, image sizes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from octoverse import registry
from octoverse.errors import BadConfig
from octoverse.preprocess import PreprocessConfig
from octoverse.trunk.native import NativeTrunkConfig


@dataclass(frozen=True, kw_only=True)
class TokenizerUse:
    """One use of a tokenizer by a body. Bodies that name the same key share the module."""

    key: str
    """Which tokenizer, such as image/primary."""
    streams: Mapping[str, str]
    """For each of the tokenizer's inputs, the body's stream."""
    slot: str = ""
    """Where its tokens stand in the sequence (learned positions); its key unless said."""

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


@dataclass(frozen=True, kw_only=True)
class BodyConfig:
    """How one body enters the trunk and leaves it."""

    tokenizers: tuple[TokenizerUse, ...]
    readouts: tuple[ReadoutUse, ...]
    horizon: int = 8
    """Control steps in a chunk; a path group has its own."""


@dataclass(frozen=True, kw_only=True)
class WindowConfig:
    """How much of the past a policy sees."""

    frames: int = 1
    """Time steps in a window."""
    spacing: float | None = None
    """Seconds between them; None for one control step of the body."""


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
            twice = {place for place in places if places.count(place) > 1}
            if twice:
                raise BadConfig(
                    f"body '{name}' puts two groups of tokens at '{min(twice)}'. "
                    "Give one of them a slot of its own."
                )


def to_plain(config: PolicyConfig) -> dict[str, Any]:
    """The config in plain types, plug-ins by name, for config.json."""
    plain: dict[str, Any] = msgspec.to_builtins(config)
    for kind, table in (("tokenizer", config.tokenizers), ("readout", config.readouts)):
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
    parts = dict(plain)
    for kind in ("tokenizer", "readout"):
        parts[f"{kind}s"] = {
            key: _convert(entry["settings"], registry.load(kind, entry["name"]), f"{kind}s.{key}")
            for key, entry in plain[f"{kind}s"].items()
        }
    for name, type_ in (
        ("trunk", NativeTrunkConfig),
        ("bodies", dict[str, BodyConfig]),
        ("window", WindowConfig),
        ("preprocess", PreprocessConfig),
    ):
        parts[name] = _convert(plain[name], type_, name)
    return PolicyConfig(**parts)


def _convert(value: Any, type_: Any, where: str) -> Any:
    fields = getattr(type_, "__dataclass_fields__", None)
    unknown = sorted(set(value) - set(fields)) if fields else []
    if unknown:
        raise BadConfig(
            f"{where}: no setting named '{unknown[0]}'. Known: {', '.join(sorted(fields))}."
        )
    try:
        return msgspec.convert(value, type_)
    except msgspec.ValidationError as error:
        raise BadConfig(f"{where}: {error}.") from error
