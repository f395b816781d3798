"""Bring every episode of a source to one form: what it lacks becomes zero, and is marked so."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from octoverse.data.conversion.plan import Plan
from octoverse.data.source import Images
from octoverse.embodiment import Embodiment, Instruction, PathGroup, State, stream_shape
from octoverse.episode import Episode


def completed(episode: Episode, plan: Plan, body: Embodiment) -> Episode:
    """The episode with every stream and group of a plan, and masks where the plan has them.

    What is not valid is zero, black or empty; images stay lazy.
    """
    steps = len(episode)
    observation: dict[str, Any] = {}
    observation_valid: dict[str, np.ndarray] = {}
    for name in plan.observation:
        valid = _valid(episode.observation_valid.get(name), name in episode.observation, steps)
        if name in plan.masked_observation:
            observation_valid[name] = valid
        values = episode.observation.get(name)
        if name in plan.sizes:
            shape = (*plan.sizes[name], 3)
            observation[name] = Images(steps, partial(_image, values, valid, shape))
        elif isinstance(body.observation[name], Instruction):
            words = [""] * steps if values is None else values
            observation[name] = [str(w) if ok else "" for w, ok in zip(words, valid, strict=True)]
        else:
            form = _form(body, name)
            observation[name] = _numbers(values, valid, (steps, *form[0]), form[1])
    action: dict[str, np.ndarray] = {}
    action_valid: dict[str, np.ndarray] = {}
    for name in plan.action:
        group = body.action[name]
        rows = (steps, group.steps) if isinstance(group, PathGroup) else (steps,)
        given = episode.action_valid.get(name)
        valid = _valid(given, name in episode.action, rows)
        if name in plan.masked_action:
            action_valid[name] = valid
        action[name] = _numbers(
            episode.action.get(name), valid, (*rows, group.size), np.dtype(np.float32)
        )
    return replace(
        episode,
        observation=observation,
        action=action,
        observation_valid=observation_valid,
        action_valid=action_valid,
    )


def _valid(given: Any, there: bool, shape: int | tuple[int, ...]) -> np.ndarray:
    if not there:
        return np.zeros(shape, bool)
    return (
        np.ones(shape, bool) if given is None else np.broadcast_to(np.asarray(given, bool), shape)
    )


def _form(body: Embodiment, name: str) -> tuple[tuple[int, ...], np.dtype]:
    stream = body.observation[name]
    shape = (len(stream.names),) if isinstance(stream, State) else stream_shape(stream)
    return shape, np.dtype(np.int64 if shape == () else np.float32)


def _numbers(values: Any, valid: np.ndarray, shape: tuple[int, ...], kind: np.dtype) -> np.ndarray:
    if values is None:
        return np.zeros(shape, kind)
    found = np.asarray(values).astype(kind).reshape(shape)
    spread = valid.reshape(valid.shape + (1,) * (found.ndim - valid.ndim))
    return np.where(spread, found, np.zeros((), kind))


def _image(
    values: Sequence[Any] | np.ndarray | None,
    valid: np.ndarray,
    shape: tuple[int, int, int],
    step: int,
) -> Any:
    if values is None or not valid[step]:
        return np.zeros(shape, np.uint8)
    return values[step]
