"""Simple predictions that a policy has to beat: the mean, the last action, constant velocity."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from octoverse.embodiment import EgoHistory, Embodiment, PathGroup, Waypoints, rate_of
from octoverse.episode import Episode
from octoverse.motion import constant_velocity
from octoverse.normalize import Statistics

Prediction = tuple[np.ndarray, np.ndarray]
"""Chunks for n steps, (n, h or 1, a), and for which of the n steps there is one, bool (n,)."""

MEAN, LAST_ACTION, STRAIGHT_ON = "training mean", "last action", "constant velocity"
LAST_ACTION_SECONDS = 2.0
"""How far ahead repeating the last action is judged, or to the end of a shorter chunk."""
STRAIGHT_ON_SECONDS = 3.0
"""How far ahead constant velocity is judged, or to the end of a shorter path."""


@dataclass(frozen=True, kw_only=True)
class Simple:
    """One simple prediction of one action group."""

    name: str
    rows: int
    """Rows of the chunk that are judged."""
    seconds: float
    """What they last."""
    predict: Callable[[Episode, np.ndarray], Prediction]
    """From an episode and n of its steps."""


def simple_predictions(
    body: Embodiment, group: str, rows: int, statistics: Statistics
) -> list[Simple]:
    """The simple predictions that this group of this body can have.

    Args:
        body: The body.
        group: Its action group.
        rows: Rows h of a chunk.
        statistics: Of the group in the training data.
    """
    spec = body.action[group]
    hz = rate_of(spec, body)

    def judged(name: str, seconds: float, predict: Callable[..., Prediction]) -> Simple:
        count = min(rows, round(seconds * hz))
        return Simple(name=name, rows=count, seconds=count / hz, predict=predict)

    found = [judged(MEAN, rows / hz, partial(_mean, np.array(statistics.mean)))]
    if not isinstance(spec, PathGroup):
        found.append(judged(LAST_ACTION, LAST_ACTION_SECONDS, partial(_last_action, group)))
    history = _history(body)
    if isinstance(spec, Waypoints) and history is not None:
        straight = partial(_straight_on, history, body, spec)
        found.append(judged(STRAIGHT_ON, STRAIGHT_ON_SECONDS, straight))
    return found


def _history(body: Embodiment) -> str | None:
    for name, stream in body.observation.items():
        if isinstance(stream, EgoHistory) and stream.steps > 1:
            return name
    return None


def _mean(mean: np.ndarray, episode: Episode, steps: np.ndarray) -> Prediction:
    return np.tile(mean, (len(steps), 1, 1)), np.ones(len(steps), bool)


def _last_action(group: str, episode: Episode, steps: np.ndarray) -> Prediction:
    """The action of the step before: the newest that was done when the observation was made."""
    actions = episode.action[group]
    valid = episode.action_valid.get(group, np.ones(len(episode), bool))
    before = np.maximum(steps - 1, 0)
    return np.asarray(actions)[before][:, None], valid[before] & (steps > 0)


def _straight_on(
    history: str, body: Embodiment, spec: Waypoints, episode: Episode, steps: np.ndarray
) -> Prediction:
    if history not in episode.observation:
        return np.zeros((len(steps), 1, spec.size)), np.zeros(len(steps), bool)
    stream = body.observation[history]
    assert isinstance(stream, EgoHistory)
    poses = np.asarray(episode.observation[history])[steps]
    seen = episode.observation_valid.get(history, np.ones(len(episode), bool))[steps]
    return constant_velocity(poses, stream.hz, spec.steps, spec.hz), seen
