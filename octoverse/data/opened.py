"""An opened episode: its numbers checked, as arrays, ready to be cut at any step."""

from typing import Any

import numpy as np

from octoverse.calibration import numbers_of
from octoverse.data.windows import dtype_of
from octoverse.embodiment import (
    Camera,
    Embodiment,
    GoalImage,
    Instruction,
    PathGroup,
    stream_shape,
)
from octoverse.episode import Episode
from octoverse.errors import BadData, SpecMismatch
from octoverse.preprocess import size_of


class OpenedEpisode:
    """Numbers as arrays of the body's shapes; images and words as the source gives them.

    Raises:
        BadData: if it is empty, its times do not increase, a stream or group has another length or
            shape than the body says, or a number that counts is not finite.
    """

    def __init__(self, episode: Episode, body: Embodiment) -> None:
        self.episode, self.body = episode, body
        self.times = np.asarray(episode.times_ns, np.int64)
        self.numbers: dict[str, np.ndarray] = {}
        self.valid: dict[str, np.ndarray] = {}
        self.action: dict[str, np.ndarray] = {}
        self.action_valid: dict[str, np.ndarray] = {}
        self._where = f"'{episode.source}', episode {episode.key}"
        self._calibration: dict[str, np.ndarray | None] = {}
        self._check_times()
        for name, stream in body.observation.items():
            if name not in episode.observation:
                continue
            values = episode.observation[name]
            self._check_count(name, len(values))
            self.valid[name] = self._mask(name, episode.observation_valid.get(name), ())
            if not isinstance(stream, Camera | GoalImage | Instruction):
                shape = stream_shape(stream)
                self.numbers[name] = self._numbers(
                    name, values, shape, dtype_of(stream), self.valid[name]
                )
        for name, group in body.action.items():
            if name not in episode.action:
                continue
            lead = (group.steps,) if isinstance(group, PathGroup) else ()
            self._check_count(name, len(episode.action[name]))
            real = self._mask(name, episode.action_valid.get(name), lead)
            self.action_valid[name] = real
            self.action[name] = self._numbers(
                name, episode.action[name], (*lead, group.size), np.float32, real
            )

    def __len__(self) -> int:
        return len(self.times)

    @property
    def nbytes(self) -> int:
        """Memory that it holds: its numbers, and images where they are not read lazily."""
        parts = (self.numbers, self.valid, self.action, self.action_valid)
        held = sum(values.nbytes for part in parts for values in part.values())
        for values in self.episode.observation.values():
            if isinstance(values, np.ndarray):
                held += values.nbytes
            elif isinstance(values, list | tuple):
                held += sum(
                    one.nbytes if isinstance(one, np.ndarray) else len(one)
                    for one in values
                    if one is not None
                )
        return held + self.times.nbytes

    def calibration(self, camera: str) -> np.ndarray | None:
        """The numbers of a camera's calibration, float32 (16,); None where they are not known.

        Raises:
            BadData: if they are damaged, or the first image is.
        """
        if camera not in self._calibration:
            self._calibration[camera] = self._calibrated(camera)
        return self._calibration[camera]

    def _calibrated(self, camera: str) -> np.ndarray | None:
        seen = np.flatnonzero(self.valid[camera]) if camera in self.valid else np.zeros(0)
        if camera not in self.episode.calibration or not len(seen):
            return None
        try:
            size = size_of(self.episode.observation[camera][int(seen[0])])
            return numbers_of(camera, self.episode.calibration[camera], *size)
        except (BadData, SpecMismatch) as error:
            raise BadData(f"{self._where}, '{camera}': {error}") from error

    def _check_times(self) -> None:
        if not len(self.times):
            raise BadData(
                f"{self._where}: expected at least one time step, got none. "
                "Leave this episode out of the data set."
            )
        backwards = np.flatnonzero(np.diff(self.times) <= 0)
        if backwards.size:
            step = int(backwards[0])
            raise BadData(
                f"{self._where}: expected times that increase, got {self.times[step]} ns and then "
                f"{self.times[step + 1]} ns at step {step + 1}. Look at the recorder's clock; sort "
                "or split the episode there."
            )

    def _check_count(self, name: str, count: int) -> None:
        if count != len(self.times):
            raise BadData(
                f"{self._where}, '{name}': expected {len(self.times)} values, one per time step, "
                f"got {count}."
            )

    def _mask(self, name: str, known: np.ndarray | None, lead: tuple[int, ...]) -> np.ndarray:
        shape = (len(self.times), *lead)
        if known is None:
            return np.ones(shape, bool)
        if known.shape != shape:
            raise BadData(f"{self._where}, '{name}': expected a mask {shape}, got {known.shape}.")
        return np.asarray(known, bool)

    def _numbers(
        self, name: str, values: Any, shape: tuple[int, ...], dtype: type, real: np.ndarray
    ) -> np.ndarray:
        found: np.ndarray = np.asarray(values, dtype)
        if found.shape != (len(self.times), *shape):
            raise BadData(
                f"{self._where}, '{name}': expected {(len(self.times), *shape)}, got {found.shape}."
            )
        if found.dtype.kind != "f":
            return found
        spread = real.reshape(real.shape + (1,) * (found.ndim - real.ndim))
        bad = np.argwhere(~np.isfinite(found) & spread)
        if bad.size:
            step, *place = bad[0].tolist()
            raise BadData(
                f"{self._where}, '{name}': expected finite numbers, got "
                f"{found[tuple(bad[0])]} in dimension {', '.join(map(str, place))} of step {step}. "
                "Mark such steps invalid or leave the episode out."
            )
        return found if real.all() else np.where(spread, found, 0).astype(dtype)
