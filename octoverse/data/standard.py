"""How a public data set's features become a body's streams and action groups: a declaration."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Taken:
    """Where one stream or action group lies in an episode of RLDS."""

    feature: str
    """Name of the flat feature, such as steps/observation/state."""
    start: int = 0
    stop: int | None = None
    """Numbers [start, stop) of it."""


@dataclass(frozen=True, kw_only=True)
class Standard:
    """One data set in the conventions of one body."""

    embodiment: str
    observation: Mapping[str, Taken]
    action: Mapping[str, Taken]
    instruction: Mapping[str, str] = field(default_factory=dict)
    """Instruction stream to the feature with its words."""
    black_is_absent: tuple[str, ...] = ()
    """Cameras that are stored as black images where the scene had none."""
