"""An episode as one page: films, plots and a view from above that move together.

The page is a file that needs nothing else: no network, no other file.
"""

from collections.abc import Sequence
from importlib import resources
from typing import Any, cast

import msgspec
import numpy as np

from octoverse.data.survey import picture_of
from octoverse.data.view.bird import bird
from octoverse.data.view.film import film
from octoverse.embodiment import (
    ActionGroup,
    Camera,
    Command,
    Embodiment,
    GoalImage,
    Instruction,
    PathGroup,
    State,
    kind_of,
)
from octoverse.episode import Episode

MOST_STEPS = 2400
"""Of longer episodes every second, third, ... step is shown."""


def page(episode: Episode, body: Embodiment) -> str:
    """Make the page of an episode."""
    template = resources.files("octoverse.data.view").joinpath("page.html").read_text("utf-8")
    told = msgspec.json.encode(content(episode, body)).decode()
    # A closing tag within words must not end the script that holds them.
    return template.replace("__EPISODE__", told.replace("</", "<\\/"))


def content(episode: Episode, body: Embodiment) -> dict[str, Any]:
    """What the page is told, in plain types."""
    stride = -(-len(episode) // MOST_STEPS)
    steps = range(0, len(episode), stride)
    times = (episode.times_ns[steps] - episode.times_ns[0]) / 1e9
    moving = len(times) > 1 and times[-1] > 0
    fps = float((len(times) - 1) / times[-1]) if moving else body.control_hz
    words, word = _words(episode, body, steps)
    facts = [body.name, _many(len(episode), "step"), f"{times[-1]:.2f} s", f"{fps * stride:.4g} Hz"]
    if stride > 1:
        facts.append(f"every {stride}. step is shown")
    return {
        "title": f"{episode.source} · {episode.key}",
        "facts": facts,
        "times": np.round(times, 4).tolist(),
        "fps": fps,
        "stride": stride,
        "steps": len(episode),
        "words": words,
        "word": word,
        "cameras": _cameras(episode, body, steps, fps),
        "groups": _groups(episode, body, steps),
        "bird": bird(episode, body, steps),
        "questions": [
            {
                "step": question.step // stride,
                "kind": question.kind,
                "question": question.question,
                "answer": question.answer,
            }
            for question in episode.questions
        ],
    }


def _words(episode: Episode, body: Embodiment, steps: range) -> tuple[list[str], list[int]]:
    """Instructions, and which of them holds at each step."""
    for name, stream in body.observation.items():
        if isinstance(stream, Instruction) and name in episode.observation:
            said = [str(episode.observation[name][step]) for step in steps]
            known = list(dict.fromkeys(said))
            return known, [known.index(one) for one in said]
    return [], [0] * len(steps)


def _cameras(episode: Episode, body: Embodiment, steps: range, fps: float) -> list[dict[str, Any]]:
    found = []
    for name, stream in body.observation.items():
        if not isinstance(stream, Camera | GoalImage) or name not in episode.observation:
            continue
        valid = np.asarray(episode.observation_valid.get(name, np.ones(len(episode), bool)))
        shown = valid[steps]
        if not shown.any():
            continue
        images = cast(Sequence[Any], episode.observation[name])
        picture = picture_of(images[int(np.argmax(valid))])
        found.append(
            {
                "name": name,
                "size": f"{picture.height} x {picture.width}",
                "film": film(images, valid, steps, fps),
                "valid": None if shown.all() else shown.tolist(),
            }
        )
    return found


def _groups(episode: Episode, body: Embodiment, steps: range) -> list[dict[str, Any]]:
    found = []
    for name, stream in body.observation.items():
        if isinstance(stream, State | Command) and name in episode.observation:
            valid = episode.observation_valid.get(name)
            values = np.asarray(episode.observation[name]).reshape(len(episode), -1)
            found.append(_group(name, stream, values, valid, steps, False))
    for name, group in body.action.items():
        if name not in episode.action:
            continue
        values, valid = episode.action[name], episode.action_valid.get(name)
        label = name
        if isinstance(group, PathGroup):
            row = _telling(group, valid)
            values, valid = values[:, row], None if valid is None else valid[:, row]
            label = f"{name}, {(row + 1) / group.hz:.3g} s ahead"
        found.append(_group(label, group, values, valid, steps, True))
    return found


def _telling(group: PathGroup, valid: np.ndarray | None) -> int:
    """One row of a path that tells of it: half of its time ahead, if that is mostly known."""
    half = group.steps // 2
    if valid is None:
        return half
    share = np.asarray(valid)[:, : half + 1].mean(axis=0)
    mostly = np.flatnonzero(share >= min(0.5, share.max()))
    return int(mostly[-1])


def _group(
    name: str,
    spec: State | Command | ActionGroup,
    values: np.ndarray,
    valid: np.ndarray | None,
    steps: range,
    action: bool,
) -> dict[str, Any]:
    real = np.ones(len(values), bool) if valid is None else np.asarray(valid)
    kind = kind_of(spec)
    numbers: list[dict[str, Any]] = []
    if isinstance(spec, Command):
        chosen = [int(values[s, 0]) if real[s] else None for s in steps]
        numbers.append({"name": name, "unit": "1", "values": chosen, "names": list(spec.names)})
    else:
        for i, (label, unit) in enumerate(zip(spec.names, spec.units, strict=True)):
            column = [_short(values[s, i]) if real[s] else None for s in steps]
            numbers.append({"name": label, "unit": unit, "values": column})
    return {
        "name": name,
        "kind": f"{kind}, action" if action else kind,
        "action": action,
        "numbers": numbers,
    }


def _many(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'s' if count != 1 else ''}"


def _short(value: Any) -> float:
    return float(f"{float(value):.5g}")
