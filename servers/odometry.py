"""Where a car has been lately, from the ego history that each of its frames brings."""

from collections import deque

import numpy as np

from octoverse.motion import compose, inverse, relative, wrap


class Odometry:
    """Strings short histories together, so that an older frame of reference stays known.

    Args:
        hz: Rate of the ego history.
        keep: How far back to remember [s].
    """

    def __init__(self, hz: float, keep: float = 30.0) -> None:
        self._step_ns, self._keep_ns = 1e9 / hz, round(keep * 1e9)
        self._track: deque[tuple[int, np.ndarray]] = deque()
        self._arrays: tuple[np.ndarray, np.ndarray] | None = None
        """The track as times (n,) and poses (n, 3), once somebody has asked since the update."""

    def update(self, now_ns: int, history: np.ndarray) -> None:
        """Add the present.

        Args:
            now_ns: When the history was observed; the same time again changes nothing.
            history: Poses (steps, 3), oldest first, seen from the last one, which is now.
        """
        if self._track and now_ns <= self._track[-1][0]:
            return
        times = now_ns - self._step_ns * np.arange(len(history))[::-1]
        poses = np.asarray(history, np.float64)
        if self._track and self._track[-1][0] >= times[0]:
            last_ns, last = self._track[-1]
            poses = compose(compose(last, inverse(_read(times, poses, last_ns))), poses)
            poses, times = poses[times > last_ns], times[times > last_ns]
        else:  # the first, or too long ago: what lies before is not connected any more
            self._track.clear()
        self._track.extend(zip(np.round(times).astype(int).tolist(), poses, strict=True))
        while self._track[0][0] < now_ns - self._keep_ns:
            self._track.popleft()
        self._arrays = None

    def since(self, then_ns: int) -> np.ndarray | None:
        """Give the present pose (3,), as seen from where the body was then; None if not known."""
        if not self._track or not self._track[0][0] <= then_ns <= self._track[-1][0]:
            return None
        if self._arrays is None:
            times = np.array([time for time, _ in self._track], np.float64)
            self._arrays = times, np.stack([pose for _, pose in self._track])
        times, poses = self._arrays
        return relative(_read(times, poses, then_ns), poses[-1])

    def clear(self) -> None:
        """Forget everything."""
        self._track.clear()


def _read(times: np.ndarray, poses: np.ndarray, at_ns: int) -> np.ndarray:
    """Read a track (n, 3) off at a time that lies within it."""
    after = int(np.searchsorted(times, at_ns))
    if times[after] == at_ns or after == 0:
        return poses[after]
    before = after - 1
    share = (at_ns - times[before]) / (times[after] - times[before])
    step = poses[after] - poses[before]
    step[2] = wrap(step[2])
    return poses[before] + share * step
