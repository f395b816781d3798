"""Black, white and frozen images, and sizes other than declared."""

from collections import Counter
from collections.abc import Iterator

import numpy as np

from octoverse.data.doctor.finding import Finding
from octoverse.data.doctor.looking import Picture, Recording
from octoverse.data.doctor.sampling import series
from octoverse.embodiment import PathGroup, State

_BLACK, _WHITE = 8, 247
"""No pixel brighter, or none darker: compression makes black a little less black."""
_FROZEN = 0.1
"""Share of neighbours that are equal in every pixel while the body moves."""
_PAIRS = 8
"""Neighbours needed while it moves."""
_MOVED = 1e-3
"""Of a number's declared width in one step, above the noise of encoders."""
_ASPECT = 0.02


def cameras(recording: Recording) -> Iterator[Finding]:
    """Look at the sampled images of every camera."""
    for name in recording.body.cameras:
        pictures = recording.pictures.get(name, [])
        if pictures:
            yield from _empty(recording, name, pictures)
            yield from _frozen(recording, name, pictures)
            yield from _size(recording, name, pictures)


def _empty(recording: Recording, name: str, pictures: list[Picture]) -> Iterator[Finding]:
    for what, bad in (
        ("black", [p for p in pictures if p.high <= _BLACK]),
        ("white", [p for p in pictures if p.low >= _WHITE]),
        ("of one colour", [p for p in pictures if p.low == p.high and _BLACK < p.low < _WHITE]),
    ):
        if bad:
            everywhere = len(bad) == len(pictures)
            first = bad[0]
            at = f"{name}, episode {recording.episodes[first.episode].key}, step {first.step}"
            yield Finding(
                check="cameras",
                severity="fault",
                where=name if everywhere else at,
                message=f"{'All' if everywhere else len(bad)} of {len(pictures)} images looked at "
                f"are {what}.",
                evidence={what: len(bad), "images": len(pictures)},
                cure="Declare the camera absent where it saw nothing.",
            )


def _frozen(recording: Recording, name: str, pictures: list[Picture]) -> Iterator[Finding]:
    told = [p for p in pictures if p.next_digest and p.high > _BLACK and p.low < _WHITE]
    moving = [p for p in told if p.low < p.high and _moves(recording, p)]
    same = [p for p in moving if p.digest == p.next_digest]
    if len(moving) >= _PAIRS and len(same) / len(moving) > _FROZEN:
        first = same[0]
        yield Finding(
            check="cameras",
            severity="fault",
            where=f"{name}, episode {recording.episodes[first.episode].key}, step {first.step}",
            message=f"{len(same)} of {len(moving)} neighbouring images are equal in every pixel "
            "while the body moves: the camera is frozen, or slower than the clock says.",
            evidence={"equal": len(same), "neighbours": len(moving), "bound": _FROZEN},
            cure="Mask the repeated images, or record at the camera's rate.",
        )


def _moves(recording: Recording, picture: Picture) -> bool:
    """Whether any number of the body changes about an image."""
    episode, step = recording.episodes[picture.episode], picture.step
    span = slice(max(step - 1, 0), step + 2)
    for side in ("observation", "action"):
        for name, spec in getattr(recording.body, side).items():
            if isinstance(spec, State) or (side == "action" and not isinstance(spec, PathGroup)):
                values = series(episode, side, name)
                if values is not None and len(values[span]) > 1:
                    change = np.abs(np.diff(values[span], axis=0)).min(axis=0)
                    if (change > _MOVED * (np.array(spec.high) - np.array(spec.low))).any():
                        return True
    return False


def _size(recording: Recording, name: str, pictures: list[Picture]) -> Iterator[Finding]:
    declared = recording.body.cameras[name]
    sizes = Counter((p.height, p.width) for p in pictures)
    (height, width), _ = sizes.most_common(1)[0]
    if len(sizes) > 1:
        told = ", ".join(f"{h} x {w}" for h, w in sorted(sizes))
        yield Finding(
            check="cameras",
            severity="information",
            where=name,
            message=f"Its images differ in size (height x width): {told}.",
            evidence={"sizes": len(sizes)},
        )
    if (height, width) == (declared.height, declared.width):
        return
    stretched = abs((width / height) / (declared.width / declared.height) - 1)
    yield Finding(
        check="cameras",
        severity="information",
        where=name,
        message=f"Images are {height} x {width}, the body declares {declared.height} x "
        f"{declared.width}; they are resized"
        + (f", which stretches them by {stretched:.0%}." if stretched > _ASPECT else "."),
        evidence={"height": height, "width": width, "stretched by": round(stretched, 3)},
    )
