"""A made-up source with everything that a recording may have or lack; worker processes find it."""

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import simplejpeg

from octoverse.data.dataset import DataSet
from octoverse.data.source import Images, Source, check_index
from octoverse.episode import Calibration, Episode, Question, Tracks
from octoverse.errors import BadData


@dataclass(frozen=True, kw_only=True)
class MadeDrives:
    """Drives of a passenger car.

    Odd ones have a left camera. The path's last row is never known, nor is the first step's speed.
    """

    name: str = "made_drives"
    embodiment: str = "passenger_car"
    sizes: tuple[int, ...] = (5, 4, 6)
    shift: float = 0.0
    broken: int = -1
    """An episode that cannot be read."""
    height: int = 24
    stamp: str = ""

    def __len__(self) -> int:
        return len(self.sizes)

    def lengths(self) -> np.ndarray:
        return np.array(self.sizes, np.int64)

    def fingerprint(self) -> str:
        return f"{self.name}-{self.sizes}-{self.shift}-{self.stamp}"

    def episode(self, index: int) -> Episode:
        check_index(self, index)
        if index == self.broken:
            raise BadData(f"drive-{index}.bin: expected a drive, got nothing. Fetch it again.")
        steps, rng = self.sizes[index], np.random.default_rng(index)
        known = np.arange(steps) > 0
        future = np.tile(np.arange(64) < 63, (steps, 1))
        path = rng.normal(self.shift, 1, (steps, 64, 3)).astype(np.float32)
        path[:, 63] = np.nan
        cameras = ("front", "cross_left") if index % 2 else ("front",)
        pictures = {name: self._pictures(steps, index + len(name)) for name in cameras}
        return Episode(
            embodiment=self.embodiment,
            source=self.name,
            key=f"drive-{index}",
            times_ns=np.cumsum(rng.integers(80, 121, steps)) * 1_000_000,
            observation={
                **{name: _encoded(images) for name, images in pictures.items()},
                "speed": rng.normal(8, 1, (steps, 1)).astype(np.float32),
                "ego_history": rng.normal(size=(steps, 16, 3)).astype(np.float32),
                "command": np.full(steps, index % 4),
                "instruction": [f"turn [{index % 2}]"] * steps,
            },
            action={"path": path},
            observation_valid={"speed": known},
            action_valid={"path": future},
            calibration={
                "front": Calibration(
                    intrinsics=(30.0, 0.0, 16.0, 0.0, 30.0, 12.0, 0.0, 0.0, 1.0),
                    extrinsics=tuple(np.eye(4).ravel().tolist()),
                )
            },
            tracks=Tracks(
                step=np.array([0, 1]),
                identity=np.array(["a", "a"]),
                kind=np.array(["vehicle", "vehicle"]),
                pose=np.array([[9, 1, 0.1], [8, 1, 0.1]], np.float32),
                size=np.array([[4, 2, 1.5], [4, 2, 1.5]], np.float32),
                velocity=np.array([[1, 0], [np.nan, np.nan]], np.float32),
            ),
            questions=(Question(step=1, kind="planning", question="Go?", answer="Yes."),),
        )

    def _pictures(self, steps: int, seed: int) -> np.ndarray:
        """A soft pattern that moves, uint8 (steps, height, 32, 3)."""
        rows, columns = np.mgrid[: self.height, :32]
        time = np.arange(steps)[:, None, None]
        red = 128 + 60 * np.sin(rows / 5 + time / 3 + seed) + 40 * np.cos(columns / 6)
        return np.stack([red, 255 - red, np.full_like(red, 90)], -1).astype(np.uint8)


def _encoded(images: np.ndarray) -> Images:
    return Images(len(images), lambda i: simplejpeg.encode_jpeg(images[i]))


def open_drives(folder: str, split: str) -> Source:
    """Open the data set below: its folder must be there, and val has one drive."""
    if not Path(folder).is_dir():
        raise BadData(f"{folder}: expected made drives, found none.")
    return MadeDrives(sizes=(3,) if split == "val" else (5, 4, 6), stamp=split)


MADE_DRIVES = DataSet(
    name="made_drives",
    embodiment="passenger_car",
    open=open_drives,
    folder="made/drives",
    splits=("train", "val"),
)


def killed_at(moment: int) -> Callable[[], int]:
    """Let this process be killed as it calls or leaves a function for the `moment`th time.

    Moments are counted, not timed, so that they are the same ones however busy the machine is.

    Returns:
        What tells how many moments there have been; 0 as `moment` kills never.
    """
    passed = 0

    def count(*event: object) -> None:
        nonlocal passed
        passed += 1
        if passed == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count)
    return lambda: passed
