"""A scripted driver: plans back to the lane's centre, and slows down for curves.

It replans at every step from where the car is. Its laws have no memory and no end point, so a car
that follows the plan is given the same plan again: offset and speed error decay with the distance
and the time, each by a law of its own.
"""

from dataclasses import dataclass
from math import atan2, cos, exp, pi, sin, tan

import numpy as np

from octoverse.simulation.road_geometry import BEHIND, STEP, Road


@dataclass(frozen=True, kw_only=True)
class ExpertConfig:
    """How the scripted driver likes to drive."""

    cruise: float = 8.0
    """Speed on a straight road [m/s]."""
    lateral_acceleration: float = 2.0
    """Accepted in a curve [m/s^2]."""
    acceleration: float = 1.2
    """Out of a curve [m/s^2]."""
    braking: float = 1.5
    """Before a curve [m/s^2]."""
    return_distance: float = 6.0
    """Over which an offset decays, critically damped [m]."""
    return_time: float = 1.5
    """Over which a speed error decays [s]."""


def speed_profile(road: Road, config: ExpertConfig) -> np.ndarray:
    """Speed [m/s] wanted at every sample of the road, (n,).

    It depends on the curves ahead only as far as braking for them takes.
    """
    bend = np.maximum(np.abs(road.curvature), 1e-6)
    square = np.minimum(config.cruise**2, config.lateral_acceleration / bend)
    gain = 2 * np.arange(len(square)) * STEP
    # A limit on acceleration makes v^2 a ramp along the road, forwards and backwards.
    late = np.minimum.accumulate((square + config.braking * gain)[::-1])[::-1]
    square = np.minimum(square, late - config.braking * gain)
    early = np.minimum.accumulate(square - config.acceleration * gain)
    square = np.minimum(square, early + config.acceleration * gain)
    window = round(5.0 / STEP)
    padded = np.pad(np.sqrt(square), window, mode="edge")
    kernel = np.hanning(2 * window + 1)
    return np.convolve(padded, kernel / kernel.sum(), mode="valid")


class RoadExpert:
    """Plans paths along one road."""

    def __init__(self, road: Road, config: ExpertConfig | None = None) -> None:
        self.road, self.config = road, config or ExpertConfig()
        self.profile = speed_profile(road, self.config)

    def speed_at(self, distance: float) -> float:
        """Speed [m/s] that the driver wants at a distance from the start."""
        place = min(max((distance + BEHIND) / STEP, 0.0), len(self.profile) - 1.001)
        index = int(place)
        low, high = self.profile[index], self.profile[index + 1]
        return float(low + (place - index) * (high - low))

    def plan(self, pose: np.ndarray, speed: float, steps: int, hz: float) -> np.ndarray:
        """Plan from a state of the car.

        Args:
            pose: Rear axle (3,) in the road's frame.
            speed: Now [m/s].
            steps: How many waypoints.
            hz: Their rate.

        Returns:
            Poses (steps, 3) in the rear-axle frame; row i is (i + 1) / hz seconds on.
        """
        where, aside = self.road.locate(pose[None, :2])
        start, offset = float(where[0]), float(aside[0])
        lane_heading = float(self.road.pose_at(where)[0, 2])
        error = (float(pose[2]) - lane_heading + pi) % (2 * pi) - pi
        # The frame along the lane has no answer for a car that stands across it.
        slope = tan(min(max(error, -1.0), 1.0)) * (1 - self.road.curvature_at(start) * offset)
        rows = self._along(start, offset, slope, speed, steps, 1 / hz)  # (steps, 3)
        lane = self.road.pose_at(rows[:, 0])
        bend = np.interp(rows[:, 0], self.road.distance, self.road.curvature)
        heading = lane[:, 2] + np.arctan2(rows[:, 2], 1 - bend * rows[:, 1]) - pose[2]
        dx = lane[:, 0] - rows[:, 1] * np.sin(lane[:, 2]) - pose[0]
        dy = lane[:, 1] + rows[:, 1] * np.cos(lane[:, 2]) - pose[1]
        c, s = cos(pose[2]), sin(pose[2])
        wrapped = (heading + pi) % (2 * pi) - pi
        return np.stack([c * dx + s * dy, c * dy - s * dx, wrapped], axis=-1)

    def _along(
        self, start: float, offset: float, slope: float, speed: float, steps: int, dt: float
    ) -> np.ndarray:
        """Distance, offset and slope of the offset at each step, (steps, 3)."""
        config, rows = self.config, np.empty((steps, 3))
        reach = config.return_distance
        distance, aside, lean, wanted = start, offset, slope, self.speed_at(start)
        for i in range(steps):
            # How the wanted speed changes along the way is followed, an error of it decays.
            ahead = self.speed_at(distance + speed * dt)
            pull = (ahead - wanted) / dt + (wanted - speed) / config.return_time
            after = max(speed + min(max(pull, -3.0), 2.0) * dt, 0.0)
            stretch = 1 - self.road.curvature_at(distance) * aside
            pace = cos(atan2(lean, stretch)) / max(stretch, 0.2)
            distance += (speed + after) / 2 * dt * pace
            speed, wanted = after, self.speed_at(distance)
            gone = distance - start
            decay = exp(-gone / reach)
            bow = slope + offset / reach
            aside = (offset + bow * gone) * decay
            lean = (slope - bow * gone / reach) * decay
            rows[i] = distance, aside, lean
        return rows
