"""LeRobot's statistics of an episode, and of a whole data set from those of its episodes.

octoverse scales by octoverse.data.statistics; these are for those who train with LeRobot.
Source: huggingface/lerobot, src/lerobot/datasets/compute_stats.py, version 0.6.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from octoverse.preprocess import decode

IMAGES_PER_EPISODE = 2
"""Images that are looked at for an episode's image statistics."""
_QUANTILES = {"q01": 0.01, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q99": 0.99}

Stats = dict[str, dict[str, np.ndarray]]
"""Feature to statistic to values: (n,), or (3, 1, 1) in [0, 1] for images."""


def episode_stats(
    columns: Mapping[str, np.ndarray], images: Mapping[str, Sequence[bytes | np.ndarray]]
) -> Stats:
    """Statistics of one episode; images are sampled evenly."""
    found = {}
    for key, values in columns.items():
        rows = values.reshape(len(values), -1) if values.ndim == 1 else values
        found[key] = _measured(rows.astype(np.float64))
    for key, encoded in images.items():
        looked = [encoded[i] for i in picked(len(encoded), IMAGES_PER_EPISODE)]
        seen = np.stack([(decode(x) if isinstance(x, bytes) else x)[::4, ::4] for x in looked])
        stats = _measured(seen.reshape(-1, 3) / 255.0)
        found[key] = {
            name: np.array([len(seen)]) if name == "count" else value.reshape(3, 1, 1)
            for name, value in stats.items()
        }
    return found


def picked(count: int, most: int) -> list[int]:
    """Up to `most` of `count` indices, evenly spread; the first is one of them."""
    return [int(i) for i in np.linspace(0, count - 1, min(most, count))]


class Totals:
    """Statistics of a growing data set.

    Quantiles of all episodes together cannot be had from theirs; like LeRobot, this keeps the
    smallest of the low ones and the largest of the high ones.
    """

    def __init__(self) -> None:
        self._known: Stats = {}

    def add(self, stats: Stats) -> None:
        """Take in one episode."""
        for key, new in stats.items():
            old = self._known.get(key)
            self._known[key] = dict(new) if old is None else _joined(old, new)

    def add_row(self, row: Mapping[str, Any]) -> None:
        """Take in one episode as the episodes' table tells it."""
        stats: Stats = {}
        for column, value in row.items():
            if column.startswith("stats/"):
                key, _, name = column.removeprefix("stats/").rpartition("/")
                stats.setdefault(key, {})[name] = np.array(value)
        self.add(stats)

    def stats(self) -> dict[str, dict[str, Any]]:
        """In plain types, for stats.json."""
        return {
            key: {name: value.tolist() for name, value in found.items()}
            for key, found in self._known.items()
        }


def _measured(rows: np.ndarray) -> dict[str, np.ndarray]:
    quantiles = np.quantile(rows, list(_QUANTILES.values()), axis=0)
    return {
        "min": rows.min(axis=0),
        "max": rows.max(axis=0),
        "mean": rows.mean(axis=0),
        "std": rows.std(axis=0),
        "count": np.array([len(rows)]),
        **dict(zip(_QUANTILES, quantiles, strict=True)),
    }


def _joined(old: Mapping[str, np.ndarray], new: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    count = old["count"] + new["count"]
    share = float(new["count"][0] / count[0])
    step = new["mean"] - old["mean"]
    variance = (1 - share) * old["std"] ** 2 + share * new["std"] ** 2
    joined = {
        "min": np.minimum(old["min"], new["min"]),
        "max": np.maximum(old["max"], new["max"]),
        "mean": old["mean"] + share * step,
        "std": np.sqrt(variance + share * (1 - share) * step**2),
        "count": count,
    }
    for name, quantile in _QUANTILES.items():
        pick = np.minimum if quantile <= 0.5 else np.maximum
        joined[name] = pick(old[name], new[name])
    return joined
