"""Whether what is read back from a converted folder is what was converted."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
import numpy as np

from octoverse.data.source import Source
from octoverse.episode import Episode
from octoverse.errors import BadData
from octoverse.preprocess import decode

VIDEO_ERROR = 20.0
"""Largest mean absolute error of one frame of video, of 255; more is not what was encoded."""


class Checked(msgspec.Struct, kw_only=True):
    """What was compared."""

    copied: int = 0
    """Images that are the same bytes."""
    same: int = 0
    """Images that were not encoded before, and have the same pixels."""
    encoded: int = 0
    """Frames of video."""
    mean_error: float = 0.0
    """Of all frames of video together, mean absolute, of 255."""
    largest_error: float = 0.0
    """Of one frame."""

    def merge(self, other: "Checked") -> None:
        """Take in what was compared elsewhere."""
        frames = self.encoded + other.encoded
        if frames:
            self.mean_error += (other.mean_error - self.mean_error) * other.encoded / frames
        self.copied += other.copied
        self.same += other.same
        self.encoded = frames
        self.largest_error = max(self.largest_error, other.largest_error)


class Converts(Protocol):
    """Gives an episode as it was to be converted."""

    def episode(self, index: int) -> Episode:
        """The episode, its images as the source has them."""
        ...


@dataclass(frozen=True, kw_only=True)
class Pair:
    """What went in, and what came out."""

    work: Converts
    out: Source
    cameras: tuple[str, ...]


def compare(pair: Pair, index: int) -> tuple[int, Checked]:
    """Compare one episode.

    Returns:
        Its steps, and what was compared.

    Raises:
        BadData: if they differ, naming where.
    """
    given, got = pair.work.episode(index), pair.out.episode(index)
    where = f"'{pair.out.name}', episode {index} ({given.key})"
    _equal(where, "key", given.key, got.key)
    _equal(where, "times_ns", given.times_ns.tolist(), got.times_ns.tolist())
    checked = Checked()
    for side in ("observation", "action"):
        values, back = getattr(given, side), getattr(got, side)
        _equal(where, side, sorted(values), sorted(back))
        masks, masks_back = getattr(given, f"{side}_valid"), getattr(got, f"{side}_valid")
        for name in values:
            valid = _mask(masks, name, values[name])
            _arrays(f"{where}, mask of '{name}'", valid, _mask(masks_back, name, back[name]))
            if name in pair.cameras:
                checked.merge(_images(f"{where}, '{name}'", values[name], back[name]))
            elif _are_words(values[name]):
                _equal(where, name, values[name], list(back[name]))
            else:
                _arrays(f"{where}, '{name}'", values[name], back[name])
    _equal(where, "calibration", dict(given.calibration), dict(got.calibration))
    _equal(where, "questions", tuple(given.questions), tuple(got.questions))
    _tracks(where, given, got)
    return len(given), checked


def _mask(masks: Mapping[str, np.ndarray], name: str, values: Any) -> np.ndarray:
    if _are_words(values):
        # An empty instruction is none, with and without a mask.
        return np.array([bool(word) for word in values])
    valid = masks.get(name, True)
    return np.broadcast_to(valid, np.shape(valid) or (len(values),))


def _are_words(values: Any) -> bool:
    return isinstance(values, list) and isinstance(values[0], str)


def _images(where: str, given: Any, got: Any) -> Checked:
    checked = Checked()
    for step, (one, back) in enumerate(zip(given, got, strict=True)):
        if isinstance(back, bytes):
            if isinstance(one, bytes):
                same, kind = one == back, "copied"
            else:
                same, kind = np.array_equal(one, decode(back)), "same"
            if not same:
                raise BadData(
                    f"{where}, step {step}: expected the image that was converted, got another. "
                    "Delete the folder and convert again."
                )
            checked.merge(Checked(**{kind: 1}))
            continue
        image = decode(one) if isinstance(one, bytes) else one
        error = float(np.abs(image.astype(np.int16) - back.astype(np.int16)).mean())
        if error > VIDEO_ERROR:
            raise BadData(
                f"{where}, step {step}: expected a frame within {VIDEO_ERROR:g} of 255 of the "
                f"image that was converted, got one that differs by {error:.1f} on average. "
                "Convert into images, or with a better quality."
            )
        checked.merge(Checked(encoded=1, mean_error=error, largest_error=error))
    return checked


def _tracks(where: str, given: Episode, got: Episode) -> None:
    _equal(where, "tracks", given.tracks is None, got.tracks is None)
    if given.tracks is None or got.tracks is None:
        return
    for name in ("step", "identity", "kind", "pose", "size", "velocity"):
        _arrays(f"{where}, tracks.{name}", getattr(given.tracks, name), getattr(got.tracks, name))


def _arrays(where: str, given: Any, got: Any) -> None:
    one, back = np.asarray(given), np.asarray(got)
    numbers = one.dtype.kind == "f"
    if one.shape != back.shape or not np.array_equal(one, back, equal_nan=numbers):
        _differ(where, _short(one), _short(back))


def _equal(where: str, name: str, given: Any, got: Any) -> None:
    if given != got:
        _differ(f"{where}, {name}", _short(given), _short(got))


def _short(value: Any) -> str:
    words = " ".join(repr(value).split())
    return words if len(words) < 120 else f"{words[:117]}..."


def _differ(where: str, given: str, got: str) -> None:
    raise BadData(
        f"{where}: expected to read back {given}, got {got}. Delete the folder and convert again."
    )
