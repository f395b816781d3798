"""Driving logs of any format as episodes of a car."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import msgspec
import numpy as np

from octoverse.data.kept import SOURCES
from octoverse.data.logs.check import check
from octoverse.data.logs.clock import nanoseconds, runs, steps_at
from octoverse.data.logs.drive import Drive, DriveReader
from octoverse.data.logs.join import Join, Stretch
from octoverse.data.source import body_of, check_index
from octoverse.embodiment import PathGroup
from octoverse.episode import Episode
from octoverse.errors import BadConfig, BadData

_VERSION = 1
"""Of how drives are joined; raise it when the episodes of the same drives change."""


@dataclass(frozen=True, kw_only=True)
class DriveSource:
    """Drives, joined at the control rate of a body and cut where they have gaps.

    Steps follow the clock of the ego motion; without it of the front camera, or of whatever the
    drive has. A place without a frame or a sample near enough is invalid.
    """

    reader: DriveReader
    label: str
    """How mixtures call it."""
    embodiment: str = "passenger_car"
    split: Literal["all", "train", "val"] = "all"
    """By drives, where keys that share what stands before their last "/" stay together; a single
    recording is cut in time: val is its last part, and train ends one gap before."""
    held_out: float = 0.2
    """Share of the drives, or of the time, in val."""
    gap: float | None = None
    """Seconds left out between train and val of a single recording; by default the longest path
    that the body plans, at least 1 s. No future of train and no past of val reaches across."""
    tolerance: float = 0.06
    """How far a frame or a sample may be from its step [s]."""
    longest_gap: float = 0.5
    """Seconds without a sample that end an episode; nothing is interpolated across more."""

    @property
    def name(self) -> str:
        """How mixtures and reports call it."""
        return self.label

    def __len__(self) -> int:
        return len(self._stretches)

    def lengths(self) -> np.ndarray:
        """Steps of every episode, int64 (episodes,)."""
        return np.array([stretch.steps for stretch in self._stretches], np.int64)

    def fingerprint(self) -> str:
        """Hash of the logs and of how they are joined and split."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        told = (
            *(_VERSION, self.reader.fingerprint(), self.embodiment, body_of(self).fingerprint),
            *(self.split, self.held_out, self._gap, self.tolerance, self.longest_gap),
        )
        return hashlib.sha256(msgspec.json.encode(told)).hexdigest()[:16]

    def episode(self, index: int) -> Episode:
        """Join one stretch of a drive; its images are read when they are indexed.

        Raises:
            BadData: if the log is damaged.
        """
        check_index(self, index)
        return SOURCES.get((self._own, index), lambda: self._join(index), _bytes)

    @cached_property
    def _own(self) -> object:
        """Stands for this source among those that share what is kept."""
        return object()

    def _join(self, index: int) -> Episode:
        stretch = self._stretches[index]
        return Join(
            drive=self._drive(stretch.drive),
            body=body_of(self),
            stretch=stretch,
            tolerance=self.tolerance,
            longest_gap=self.longest_gap,
        ).episode(self.name)

    @property
    def _gap(self) -> float:
        if self.gap is not None:
            return self.gap
        groups = body_of(self).action.values()
        return max(1.0, *(g.steps / g.hz for g in groups if isinstance(g, PathGroup)), 0.0)

    def _drive(self, key: str) -> Drive:
        drive = self.reader.drive(key)
        check(drive, f"'{self.name}', drive {key}")
        return drive

    @cached_property
    def _stretches(self) -> tuple[Stretch, ...]:
        if not 0 < self.held_out < 1 or self._gap < 0:
            raise BadConfig(
                "held_out must be between 0 and 1 and gap at least 0 s, got "
                f"{self.held_out} and {self._gap}."
            )
        keys = list(self.reader.keys())
        groups = list(dict.fromkeys(_group(key) for key in keys))
        if self.split == "all" or len(groups) < 2:
            whole = [stretch for key in keys for stretch in self._found(key)]
            found = whole if self.split == "all" else self._cut(whole)
        else:
            # In the order of their hashes: the same drives whatever order they are listed in.
            groups.sort(key=lambda group: hashlib.sha256(group.encode()).digest())
            val = set(groups[: max(1, round(len(groups) * self.held_out))])
            wanted = [key for key in keys if (_group(key) in val) == (self.split == "val")]
            found = [stretch for key in wanted for stretch in self._found(key)]
        if not found:
            raise BadData(
                f"'{self.name}': nothing is left for the split '{self.split}' of {len(keys)} "
                "drives. Record more, or choose another held_out or gap."
            )
        return tuple(found)

    def _found(self, key: str) -> list[Stretch]:
        """The stretches of one drive."""
        drive = self._drive(key)
        clock, hz = _clock(drive), body_of(self).control_hz
        if clock is None:
            raise BadData(
                f"'{self.name}', drive {key}: expected ego motion, a camera, pedals, steering or "
                "speed, found none. The log is empty; leave it out."
            )
        parts = runs(clock, self.longest_gap)
        return [
            Stretch(
                drive=key,
                key=key if len(parts) == 1 else f"{key}#{number}",
                start_ns=first,
                steps=steps_at(first, last, hz),
                known_ns=(first, last),
            )
            for number, (first, last) in enumerate(parts)
        ]

    def _cut(self, whole: list[Stretch]) -> list[Stretch]:
        """The part of a single recording that belongs to this split."""
        hz = body_of(self).control_hz
        total = sum(stretch.steps for stretch in whole)
        start = round(total * (1 - self.held_out))
        stop = start - int(np.ceil(self._gap * hz - 1e-6))
        found, before = [], 0
        for one in whole:
            # Steps of this stretch at which val begins and train ends.
            begin, end = (int(np.clip(at - before, 0, one.steps)) for at in (start, stop))
            val_ns = one.start_ns + int(nanoseconds(begin / hz))
            first, last = one.known_ns
            if self.split == "val" and begin < one.steps:
                steps, known = one.steps - begin, (max(first, val_ns), last)
                found.append(_part(one, start_ns=val_ns, steps=steps, known_ns=known))
            elif self.split == "train" and end > 0:
                known = (first, min(last, val_ns - 1) if begin < one.steps else last)
                found.append(_part(one, start_ns=one.start_ns, steps=end, known_ns=known))
            before += one.steps
        return found


def _part(stretch: Stretch, **changed: Any) -> Stretch:
    return Stretch(drive=stretch.drive, key=stretch.key, **changed)


def _group(key: str) -> str:
    return key.rpartition("/")[0] or key


def _clock(drive: Drive) -> np.ndarray | None:
    cameras = drive.cameras
    front = cameras.get("front") or next(iter(cameras.values()), None)
    for signal in (drive.ego, front, drive.pedals, drive.steering, drive.speed):
        if signal is not None:
            return signal.times_ns
    return None


def _bytes(episode: Episode) -> int:
    arrays = (
        *episode.observation.values(),
        *episode.action.values(),
        *episode.action_valid.values(),
    )
    return sum(array.nbytes for array in arrays if isinstance(array, np.ndarray))
