"""The safe stop: what a body does when there is nothing to play."""

import math
from collections.abc import Mapping

import numpy as np

from octoverse.embodiment import Embodiment, Gripper, JointPosition, PathGroup, Waypoints
from octoverse.episode import Action
from octoverse.motion import relative


class Stopping:
    """One safe stop, from its beginning on.

    Args:
        body: Its `safe_stop` says what to do.
        now_ns: When it begins.
        speed: Of the body then [m/s].
        last: The last action; positions and grippers are held there.
        paths: Way (n, 3) to brake along for each group of waypoints, seen from where the body is;
            a group that is not named here brakes straight ahead.
    """

    def __init__(
        self,
        body: Embodiment,
        now_ns: int,
        speed: float,
        last: Action,
        paths: Mapping[str, np.ndarray],
    ) -> None:
        self.body, self.began_ns = body, now_ns
        self._speed, self._last, self._paths = speed, last, paths

    def action(self, now_ns: int, speed: float, moved: np.ndarray | None) -> Action | None:
        """Give one step of it.

        Args:
            now_ns: When the step begins.
            speed: Of the body now [m/s].
            moved: Its pose (3,) as seen from where the stop began, None if not known.

        Returns:
            The action, or None where a position is to be held that nobody knows.
        """
        stop = self.body.safe_stop
        # The history tells the speed late; slow down as planned, not by what it says.
        slowed = self._speed - stop.deceleration * (now_ns - self.began_ns) * 1e-9
        speed = max(0.0, min(speed, slowed))
        found: dict[str, np.ndarray] = {}
        for name, group in self.body.action.items():
            if isinstance(group, Waypoints):
                path = np.zeros((0, 3))
                if moved is not None and name in self._paths:
                    path = relative(moved, self._paths[name])
                slowing = stop.deceleration if stop.kind == "brake" else math.inf
                found[name] = brake(path, group.hz, speed, slowing, group.steps)
            elif stop.kind == "hold" and isinstance(group, JointPosition | Gripper):
                if name not in self._last:
                    return None
                found[name] = self._last[name]
            else:
                shape = (group.steps, group.size) if isinstance(group, PathGroup) else group.size
                found[name] = np.zeros(shape, np.float32)
        return found


def brake(path: np.ndarray, hz: float, speed: float, deceleration: float, steps: int) -> np.ndarray:
    """Follow a path ever more slowly until the body stands.

    Args:
        path: Poses (n, 3) in the present frame, some of which may lie behind; beyond the last it
            goes straight on.
        hz: Rate of the rows wanted.
        speed: At present [m/s].
        deceleration: How fast to slow down [m/s^2].
        steps: Rows wanted.

    Returns:
        float32 (steps, 3), row i at (i + 1) / hz seconds from now.
    """
    if len(path):
        path = path[int(np.argmin(np.hypot(path[:, 0], path[:, 1]))) :]
        path = path[np.maximum.accumulate(path[:, 0] > 0)]
    track = np.concatenate([np.zeros((1, 3)), path])
    leg = np.hypot(*np.diff(track[:, :2], axis=0).T)
    track = track[np.concatenate([[True], leg > 1e-6])]
    along = np.concatenate([[0.0], np.cumsum(leg[leg > 1e-6])])
    time = np.minimum(np.arange(1, steps + 1) / hz, speed / deceleration)
    slowed = 0.0 if math.isinf(deceleration) else 0.5 * deceleration * time**2
    way = speed * time - slowed
    heading = np.interp(way, along, np.unwrap(track[:, 2]))
    beyond = np.maximum(way - along[-1], 0.0)
    x = np.interp(way, along, track[:, 0]) + beyond * np.cos(track[-1, 2])
    y = np.interp(way, along, track[:, 1]) + beyond * np.sin(track[-1, 2])
    return np.stack([x, y, heading], axis=-1).astype(np.float32)
