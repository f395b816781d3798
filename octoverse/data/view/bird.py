"""What is seen of a drive from above: paths, history and other agents, in the body's frame."""

from collections import Counter
from typing import Any

import numpy as np

from octoverse.embodiment import AccelerationCurvature, EgoHistory, Embodiment, Waypoints
from octoverse.episode import Episode
from octoverse.motion import roll_out

MOST_POINTS = 24
"""Of a path; points between are left out."""
_CAR = (3.7, 1.0, 1.9)
"""What is drawn for the body: from the rear axle to the front and to the back, and its width [m].
A common passenger car; the data do not say."""
_NEAREST, _FARTHEST = 15.0, 90.0
"""Bounds of how far ahead is shown [m]."""


def bird(episode: Episode, body: Embodiment, steps: range) -> dict[str, Any] | None:
    """What the view from above is told; None for what does not drive along paths.

    Args:
        episode: What is seen.
        body: Whose.
        steps: Which steps are shown.
    """
    paths = {k: v for k, v in body.action.items() if isinstance(v, Waypoints)}
    controls = {k: v for k, v in body.action.items() if isinstance(v, AccelerationCurvature)}
    histories = {k: v for k, v in body.observation.items() if isinstance(v, EgoHistory)}
    found: dict[str, Any] = {}
    for name in paths:
        if name in episode.action:
            valid = episode.action_valid.get(name)
            found["path"] = _points(episode.action[name], valid, steps)
    for name, group in controls.items():
        if name in episode.action and "speed" in episode.observation:
            speed = np.asarray(episode.observation["speed"])[:, 0]
            given = np.nan_to_num(episode.action[name])
            rolled, _ = roll_out(speed, given[..., 0], given[..., 1], 1 / group.hz)
            valid = episode.action_valid.get(name)
            if valid is not None:
                # A path is known only up to the first control that is not.
                valid = np.logical_and.accumulate(np.asarray(valid), axis=-1)
            found["rolled"] = _points(rolled, valid, steps)
    for name in histories:
        if name in episode.observation:
            valid = episode.observation_valid.get(name)
            values = np.asarray(episode.observation[name])
            found["history"] = _points(values, _spread(valid, values), steps)
    if not found and episode.tracks is None:
        return None
    agents, kinds = _agents(episode, steps)
    common = Counter(box[-1] for boxes in agents.values() for box in boxes).most_common(1)
    ahead = _ahead(found)
    return {
        **found,
        "agents": agents,
        "kinds": kinds,
        "common": common[0][0] if common else None,
        "car": _CAR[:2],
        "broad": _CAR[2],
        "ahead": ahead,
        "behind": ahead * 0.35,
        "aside": ahead * 0.5,
    }


def _spread(valid: np.ndarray | None, values: np.ndarray) -> np.ndarray | None:
    return None if valid is None else np.broadcast_to(valid[:, None], values.shape[:2])


def _points(values: np.ndarray, valid: np.ndarray | None, steps: range) -> list[Any]:
    """By step: points [x, y], or None where a path has none that is real."""
    rows = values.shape[1]
    picked = np.unique(np.linspace(0, rows - 1, min(rows, MOST_POINTS)).round().astype(int))
    found: list[Any] = []
    for step in steps:
        real = np.ones(rows, bool) if valid is None else np.asarray(valid[step])
        points = [
            [round(float(values[step, i, 0]), 2), round(float(values[step, i, 1]), 2)]
            for i in picked
            if real[i]
        ]
        found.append(points or None)
    return found


def _agents(episode: Episode, steps: range) -> tuple[dict[int, list[Any]], list[str]]:
    """Shown step to boxes: x, y, heading, length, width and which kind."""
    tracks = episode.tracks
    if tracks is None:
        return {}, []
    given = np.asarray(tracks.kind)
    kinds = sorted(set(given.tolist()))
    found: dict[int, list[Any]] = {}
    for row, step in enumerate(tracks.step.tolist()):
        if step % steps.step:
            continue
        x, y, heading = (float(v) for v in tracks.pose[row])
        if np.hypot(x, y) > 1.5 * _FARTHEST:
            continue
        long, broad = (float(v) for v in tracks.size[row, :2])
        kind = kinds.index(str(given[row]))
        box = [round(x, 2), round(y, 2), round(heading, 3), round(long, 2), round(broad, 2), kind]
        found.setdefault(step // steps.step, []).append(box)
    return found, [kind.lower().replace("_", " ") for kind in kinds]


def _ahead(found: dict[str, Any]) -> float:
    """How far ahead is shown: nearly all of nearly all paths [m]."""
    ends = [
        max(point[0] for point in points)
        for name in ("path", "rolled")
        for points in found.get(name, ())
        if points
    ]
    far = float(np.quantile(ends, 0.9)) * 1.15 if ends else 40.0
    return float(np.clip(far, _NEAREST, _FARTHEST))
