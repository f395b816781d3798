"""Follow a path of waypoints: pure pursuit for the steering, the rows' spacing for the speed.

Source: Coulter, "Implementation of the Pure Pursuit Path Tracking Algorithm", CMU-RI-TR-92-01.
"""

from dataclasses import dataclass
from math import atan

import numpy as np

from octoverse.simulation.road_vehicle import WHEELBASE


@dataclass(frozen=True, kw_only=True)
class PathTracker:
    """Turns a path into a steering angle and an acceleration."""

    hz: float = 10.0
    look_ahead_time: float = 0.45
    """How far ahead to aim [s]."""
    look_ahead: tuple[float, float] = (2.5, 8.0)
    """Shortest and longest distance to aim at [m]."""
    horizon: float = 1.0
    """The time [s] within which the car is to be as far along as the path is."""

    def command(self, path: np.ndarray, speed: float) -> tuple[float, float]:
        """Choose what to ask the actuators for.

        Args:
            path: Rear-axle poses (t, 3) in the present frame, row i at (i + 1) / hz seconds.
            speed: Now [m/s].

        Returns:
            Steering angle [rad] and acceleration [m/s^2]; the vehicle limits both.
        """
        points = np.zeros((len(path) + 1, 2))
        points[1:] = path[:, :2]
        steps = np.diff(points, axis=0)
        travelled = np.concatenate([[0.0], np.cumsum(np.hypot(steps[:, 0], steps[:, 1]))])
        row = min(round(self.horizon * self.hz), len(path))
        # A path that leads backwards asks for a stop: the car does not reverse.
        wanted = travelled[row] if points[row, 0] > 0 else 0.0
        time = row / self.hz
        acceleration = 2 * (wanted - speed * time) / time**2
        reach = min(max(self.look_ahead_time * speed, self.look_ahead[0]), self.look_ahead[1])
        x = float(np.interp(reach, travelled, points[:, 0]))
        y = float(np.interp(reach, travelled, points[:, 1]))
        if travelled[-1] < reach:
            # Too short to aim at: go on towards its end, in proportion.
            x, y = _lengthen(x, y, reach)
        square = x * x + y * y
        curvature = 2 * y / square if x > 0 else 0.0
        return atan(WHEELBASE * curvature), float(acceleration)


def _lengthen(x: float, y: float, reach: float) -> tuple[float, float]:
    length = (x * x + y * y) ** 0.5
    if length < 0.05:
        return reach, 0.0
    return x / length * reach, y / length * reach
