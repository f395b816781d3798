"""One use of a module by a new body, and the use of the checkpoint's that it was made after."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from octoverse.config import PolicyConfig, ReadoutUse, TokenizerUse

Use = TypeVar("Use", TokenizerUse, ReadoutUse)


@dataclass(frozen=True)
class Taken(Generic[Use]):
    """How a new body uses one module."""

    use: Use
    after: Use | None
    """None where nothing of the checkpoint is like it."""
    config: Any
    """The module's."""


def own_key(key: str, body: str, known: PolicyConfig) -> str:
    """A key that the checkpoint does not have."""
    taken = {*known.tokenizers, *known.readouts}
    return f"{key}/{body}" if key in taken else key


def generic_config(key: str, wanted: Mapping[str, Any], known: Mapping[str, Any]) -> Any:
    """The config of a generic module; the checkpoint's where it has one of this key and kind."""
    return known[key] if type(known.get(key)) is type(wanted[key]) else wanted[key]
