"""Look at a data set: an even sample of its episodes and images, in bounded memory.

Numbers of the episodes looked at are kept, images only as what was measured on them.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from PIL import Image

from octoverse.data.doctor.finding import Finding, Looked, unreadable
from octoverse.data.doctor.sampling import evenly
from octoverse.data.doctor.tied import Tied, tied_groups
from octoverse.data.source import Source, body_of
from octoverse.embodiment import Camera, Embodiment
from octoverse.episode import Episode
from octoverse.errors import BadData
from octoverse.preprocess import decode

Tell = Callable[[str, int, int], None]
"""Is told what is being done, how much is done and how much there is."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """How much to look at."""

    episodes: int = 200
    """At most so many, spread evenly."""
    images: int = 100
    """About so many of each camera, as pairs of neighbours spread evenly."""
    everything: bool = False
    """All episodes and all images instead."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """What was measured on one image."""

    episode: int
    step: int
    height: int
    width: int
    low: int
    high: int
    mean: float
    digest: bytes
    """Of its pixels."""
    thumb: np.ndarray
    """float32 (8, 8), grey."""
    next_digest: bytes
    """Of the pixels of the frame after it."""


@dataclass(frozen=True, kw_only=True)
class Recording:
    """What the checks are given."""

    source: Source
    body: Embodiment
    lengths: np.ndarray
    """Steps of all episodes, int64."""
    indices: tuple[int, ...]
    """Which episodes were looked at."""
    episodes: tuple[Episode, ...]
    """Those, without their images."""
    pictures: dict[str, list[Picture]]
    """By camera; Picture.episode counts in `episodes`."""
    damaged: tuple[Finding, ...] = field(default=())
    """What could not be read."""

    @cached_property
    def tied(self) -> tuple[Tied, ...]:
        """The action groups of which the state measures something."""
        return tied_groups(self.body, self.episodes)

    @property
    def looked(self) -> Looked:
        """How much was looked at."""
        return Looked(
            episodes=len(self.episodes),
            of_episodes=len(self.lengths),
            steps=sum(len(episode) for episode in self.episodes),
            of_steps=int(self.lengths.sum()),
            images=sum(2 * len(pictures) for pictures in self.pictures.values()),
        )


def look_at(source: Source, look: Look, tell: Tell) -> Recording:
    """Read what the checks need.

    Raises:
        BadData: if there is no episode, or none that can be read.
    """
    body, lengths = body_of(source), source.lengths()
    if not len(lengths):
        raise BadData(f"'{source.name}': the data set has no episode.")
    chosen = evenly(len(lengths), len(lengths) if look.everything else look.episodes)
    pairs = max(1, look.images // (2 * len(chosen)))
    indices: list[int] = []
    kept: list[Episode] = []
    pictures: dict[str, list[Picture]] = {}
    damaged: list[Finding] = []
    for done, index in enumerate(chosen):
        tell("reading episodes", done, len(chosen))
        try:
            episode = source.episode(index)
            for name in body.cameras:
                if name in episode.observation:
                    places = len(episode) if look.everything else pairs
                    found = pictures.setdefault(name, [])
                    found += _pictures(episode, name, len(kept), places)
        except BadData as error:
            damaged.append(unreadable(index, error))
            continue
        numbers = {k: v for k, v in episode.observation.items() if not _is_camera(body, k)}
        indices.append(index)
        kept.append(replace(episode, observation=numbers))
    if not kept:
        raise BadData(f"'{source.name}': no episode can be read. {damaged[0].message}")
    return Recording(
        source=source,
        body=body,
        lengths=lengths,
        indices=tuple(indices),
        episodes=tuple(kept),
        pictures=pictures,
        damaged=tuple(damaged),
    )


def _is_camera(body: Embodiment, name: str) -> bool:
    return isinstance(body.observation.get(name), Camera)


def _pictures(episode: Episode, name: str, number: int, pairs: int) -> list[Picture]:
    images = episode.observation[name]
    seen = episode.observation_valid.get(name, np.ones(len(episode), bool))
    places = np.flatnonzero(seen)
    if not len(places):
        return []
    places = places[evenly(len(places), pairs)]
    found = []
    for step in places.tolist():
        here = _pixels(images[step])
        after = step + 1 if step + 1 < len(episode) and seen[step + 1] else step - 1
        there = _pixels(images[after]) if after >= 0 and seen[after] else None
        grey = Image.fromarray(here).convert("L").resize((8, 8), Image.Resampling.BOX)
        found.append(
            Picture(
                episode=number,
                step=step,
                height=here.shape[0],
                width=here.shape[1],
                low=int(here.min()),
                high=int(here.max()),
                mean=float(here.mean()),
                digest=_digest(here),
                thumb=np.asarray(grey, np.float32),
                next_digest=_digest(there) if there is not None else b"",
            )
        )
    return found


def _pixels(raw: bytes | np.ndarray) -> np.ndarray:
    return decode(raw) if isinstance(raw, bytes) else np.asarray(raw)


def _digest(pixels: np.ndarray) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(pixels).tobytes(), digest_size=16).digest()
