"""Where the road runs: one right-hand lane drawn at random, and where points lie along it.

Curves are made of a clothoid in, an arc and a clothoid out, as roads are laid out.
Source of the widths: 3.6 m lanes of the AASHTO "Green Book"; every offset is to the left of the
centre of our own lane.
"""

from dataclasses import dataclass

import numpy as np

LANE_WIDTH = 3.6
STEP = 0.25
"""Distance between two samples of the centre line [m]."""
BEHIND, LENGTH, BEYOND = 20.0, 200.0, 80.0
"""How much road [m] lies behind the start, between start and end, and beyond the end."""
RADIUS = (12.0, 90.0)
"""Smallest and largest radius of an arc [m]."""
LONGEST_ARC = 45.0
"""Of a curve between its two clothoids [m], so that a road has several curves."""
APART = 26.0
"""Two places of the road that are not neighbours are at least this far apart [m]."""


@dataclass(frozen=True, kw_only=True)
class Road:
    """The centre of our own lane, sampled every STEP metres from BEHIND metres before the start."""

    poses: np.ndarray
    """(n, 3): x, y [m], heading [rad], not wrapped."""
    curvature: np.ndarray
    """(n,) [1/m], positive to the left."""

    @property
    def distance(self) -> np.ndarray:
        """Distance of each sample from the start along the lane [m], (n,)."""
        return np.arange(len(self.poses)) * STEP - BEHIND

    def pose_at(self, distance: np.ndarray) -> np.ndarray:
        """Poses (..., 3) of the lane's centre at distances (...) from the start."""
        place = np.clip((np.asarray(distance) + BEHIND) / STEP, 0, len(self.poses) - 1.001)
        index = place.astype(np.int64)
        share = (place - index)[..., None]
        return self.poses[index] * (1 - share) + self.poses[index + 1] * share

    def curvature_at(self, distance: float) -> float:
        """Curvature [1/m] of the lane's centre at a distance from the start."""
        index = int((distance + BEHIND) / STEP + 0.5)
        return float(self.curvature[min(max(index, 0), len(self.curvature) - 1)])

    def locate(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Find points (n, 2) along the lane.

        Returns:
            Distance from the start [m] and offset to the left of the lane's centre [m], each (n,).
        """
        dx = points[:, 0, None] - self.poses[:, 0]
        dy = points[:, 1, None] - self.poses[:, 1]
        nearest = np.argmin(dx * dx + dy * dy, axis=1)
        rows = np.arange(len(points))
        dx, dy, heading = dx[rows, nearest], dy[rows, nearest], self.poses[nearest, 2]
        along = np.cos(heading) * dx + np.sin(heading) * dy
        offset = np.cos(heading) * dy - np.sin(heading) * dx
        return nearest * STEP - BEHIND + along, offset

    def aside(self, distance: np.ndarray, offset: float | np.ndarray) -> np.ndarray:
        """Points (..., 2) at offsets [m], one or (...), to the left of the lane's centre."""
        pose = self.pose_at(distance)
        normal = np.stack([-np.sin(pose[..., 2]), np.cos(pose[..., 2])], axis=-1)
        return pose[..., :2] + np.asarray(offset)[..., None] * normal


def draw_road(random: np.random.Generator) -> Road:
    """Draw a road that does not come near itself; left and right are equally likely."""
    while True:
        road = lay_out(_draw_curvature(random))
        if _clear_of_itself(road.poses[:, :2]):
            return road


def lay_out(curvature: np.ndarray) -> Road:
    """Make the road of a curvature profile [1/m] sampled every STEP metres, (n,).

    It starts at the origin along x, BEHIND metres after its first sample.
    """
    turn = np.concatenate([[0.0], np.cumsum((curvature[1:] + curvature[:-1]) / 2 * STEP)])
    middle = (turn[1:] + turn[:-1]) / 2
    steps = np.stack([np.cos(middle), np.sin(middle)], axis=-1) * STEP
    points = np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)])
    origin = round(BEHIND / STEP)
    back = turn[origin]
    points = points - points[origin]
    x = np.cos(back) * points[:, 0] + np.sin(back) * points[:, 1]
    y = np.cos(back) * points[:, 1] - np.sin(back) * points[:, 0]
    return Road(poses=np.stack([x, y, turn - back], axis=-1), curvature=curvature)


def _draw_curvature(random: np.random.Generator) -> np.ndarray:
    pieces = [np.zeros(round((BEHIND + random.uniform(8, 20)) / STEP))]
    wanted = round((BEHIND + LENGTH + BEYOND) / STEP) + 1
    while sum(map(len, pieces)) < wanted:
        radius = np.exp(random.uniform(*np.log(RADIUS)))
        ramp = random.uniform(6.0, 14.0)
        # A clothoid of length l into radius r turns by l / 2r; so do both together by l / r.
        turn = random.uniform(np.radians(15), np.radians(110))
        arc = min(max(radius * turn - ramp, 0.0), LONGEST_ARC)
        rise = np.linspace(0, 1, round(ramp / STEP), endpoint=False)
        hump = np.concatenate([rise, np.ones(round(arc / STEP)), 1 - rise])
        straight = random.uniform(0.0, 30.0) if random.random() < 0.7 else 0.0
        pieces += [random.choice([-1, 1]) / radius * hump, np.zeros(round(straight / STEP))]
    return np.concatenate(pieces)[:wanted]


def _clear_of_itself(points: np.ndarray) -> bool:
    rough = points[:: round(4 / STEP)]
    gap = np.hypot(*(rough[:, None] - rough[None]).transpose(2, 0, 1))
    index = np.arange(len(rough))
    # Around the sharpest bend two places this far apart along the road are still neighbours.
    far = np.abs(index[:, None] - index) * 4 > 60
    return bool(gap[far].min() > APART)
