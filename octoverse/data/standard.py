"""How a data set's features become a body's streams and action groups: a declaration."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from octoverse.errors import BadConfig

Convert = Callable[..., np.ndarray | tuple[np.ndarray, np.ndarray]]
"""Is given one array (t, n) for each feature, and gives the numbers (t, a) in the body's units and
conventions; or those and which of them are real, bool (t,)."""


@dataclass(frozen=True, kw_only=True)
class Taken:
    """Where one stream or action group lies in an episode.

    Without `convert`, what is taken of the features stands side by side.
    """

    feature: str = ""
    """Name of a flat feature, such as steps/observation/state or observation.state."""
    features: tuple[str, ...] = ()
    """In place of `feature`, several of them."""
    start: int = 0
    stop: int | None = None
    """Numbers [start, stop) of each."""
    convert: Convert | None = None
    """A function of a module, not a lambda: it is named in the fingerprint of the data."""

    def __post_init__(self) -> None:
        if bool(self.feature) == bool(self.features):
            raise BadConfig(
                f"Taken needs either feature or features, got {self.feature!r} and {self.features}."
            )
        if self.convert is not None and "<" in self.convert.__qualname__:
            raise BadConfig(
                f"convert must be a function of a module, got {self.convert.__qualname__}. "
                "Give it a name, so that the data's fingerprint can tell it from others."
            )

    @property
    def names(self) -> tuple[str, ...]:
        """The features it is taken from."""
        return self.features or (self.feature,)

    @property
    def told(self) -> tuple[object, ...]:
        """All of it in plain types, for a fingerprint."""
        by = self.convert and f"{self.convert.__module__}:{self.convert.__qualname__}"
        return (self.names, self.start, self.stop, by)

    def numbers(self, *arrays: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """The stream or group from its features.

        Args:
            arrays: One (t, n) for each of `names`.

        Returns:
            float32 (t, a), and bool (t,) where not all of them are real.
        """
        rows = [array[:, self.start : self.stop] for array in arrays]
        if self.convert is None:
            found, real = np.concatenate(rows, axis=1) if len(rows) > 1 else rows[0], None
        else:
            made = self.convert(*rows)
            found, real = made if isinstance(made, tuple) else (made, None)
        return found.astype(np.float32, copy=False), real


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

    @property
    def told(self) -> tuple[object, ...]:
        """All of it in plain types, for a fingerprint."""
        return (
            self.embodiment,
            {name: taken.told for name, taken in self.observation.items()},
            {name: taken.told for name, taken in self.action.items()},
            dict(self.instruction),
            self.black_is_absent,
        )
