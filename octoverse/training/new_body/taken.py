"""A new body beside those of a checkpoint, and what it takes of their modules."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from octoverse.config import PolicyConfig, ReadoutUse, TokenizerUse
from octoverse.embodiment import Embodiment

Use = TypeVar("Use", TokenizerUse, ReadoutUse)


@dataclass(frozen=True)
class Taken(Generic[Use]):
    """How a new body uses one module."""

    use: Use
    after: Use | None
    """None where nothing of the checkpoint is like it."""
    config: Any
    """The module's."""


class Beside:
    """One new body beside the bodies of a checkpoint.

    Args:
        body: The new one.
        others: The checkpoint's, those most like it first.
        known: The checkpoint's config.
        generic: The body's config where nothing of the checkpoint is like it.
    """

    def __init__(
        self,
        body: Embodiment,
        others: Mapping[str, Embodiment],
        known: PolicyConfig,
        generic: PolicyConfig,
    ) -> None:
        self._body, self._others, self._known, self._generic = body, others, known, generic


def own_key(key: str, body: str, known: PolicyConfig) -> str:
    """A key that the checkpoint does not have."""
    taken = {*known.tokenizers, *known.readouts}
    return f"{key}/{body}" if key in taken else key


def generic_config(key: str, wanted: Mapping[str, Any], known: Mapping[str, Any]) -> Any:
    """The config of a generic module; the checkpoint's where it has one of this key and kind."""
    return known[key] if type(known.get(key)) is type(wanted[key]) else wanted[key]
