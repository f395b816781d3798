"""Even samples, and the numbers of an episode as one array."""

from typing import Literal

import numpy as np

from octoverse.episode import Episode


def evenly(count: int, wanted: int) -> list[int]:
    """At most `wanted` of the numbers below `count`, spread evenly, both ends among them."""
    return (
        np.unique(np.linspace(0, count - 1, min(count, max(wanted, 1))).round())
        .astype(int)
        .tolist()
    )


def series(
    episode: Episode, side: Literal["observation", "action"], name: str
) -> np.ndarray | None:
    """Numbers of one stream or group, float64 (t, ...), NaN where they are not valid."""
    given = getattr(episode, side)
    if name not in given:
        return None
    values = np.array(given[name], np.float64)
    valid = getattr(episode, f"{side}_valid").get(name)
    if valid is not None:
        values[~np.asarray(valid)] = np.nan
    return values
