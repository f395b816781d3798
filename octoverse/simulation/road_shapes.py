"""Triangles of what stands on and beside the road, float (n, 3, 3): n corners of x, y, z [m].

Seen from outside the corners run anticlockwise.
"""

import numpy as np

from octoverse.simulation.road_geometry import Road

Span = tuple[float, float]


def ribbon(road: Road, along: Span, across: Span, height: float, step: float) -> np.ndarray:
    """A flat band that follows the lane.

    Args:
        road: Whose lane it follows.
        along: From and to which distance from the start [m].
        across: From and to which offset [m]; left is positive, the smaller one first.
        height: Above the ground [m].
        step: Length of one piece [m].
    """
    distance = np.linspace(*along, max(round((along[1] - along[0]) / step), 1) + 1)
    edges = [road.aside(distance, offset) for offset in across]
    right, left = (np.insert(edge, 2, height, axis=1) for edge in edges)  # (n + 1, 3)
    near = np.stack([right[:-1], right[1:], left[:-1]], axis=1)
    far = np.stack([right[1:], left[1:], left[:-1]], axis=1)
    return np.concatenate([near, far])


def dashes(
    road: Road, along: Span, across: Span, height: float, on: float, off: float
) -> np.ndarray:
    """A broken band: `on` metres painted, `off` metres not; else as `ribbon`."""
    starts = np.arange(along[0], along[1] - on, on + off)
    bands = [ribbon(road, (start, start + on), across, height, on) for start in starts]
    return np.concatenate(bands)


def turned(profile: np.ndarray, sides: int) -> np.ndarray:
    """A solid of revolution about z.

    Args:
        profile: Radius and height [m] from the bottom up, (m, 2).
        sides: How many faces around.
    """
    angle = np.arange(sides + 1) * 2 * np.pi / sides
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=-1)  # (sides + 1, 2)
    points = np.empty((len(profile), sides + 1, 3))
    points[..., :2] = profile[:, None, :1] * ring
    points[..., 2] = profile[:, 1:]
    low, high = points[:-1], points[1:]
    first = np.stack([low[:, :-1], low[:, 1:], high[:, :-1]], axis=2)
    second = np.stack([low[:, 1:], high[:, 1:], high[:, :-1]], axis=2)
    triangles = np.concatenate([first.reshape(-1, 3, 3), second.reshape(-1, 3, 3)])
    return triangles[_area(triangles) > 1e-6]


def block(size: tuple[float, float, float]) -> np.ndarray:
    """A box [m] that stands on the ground, without its floor."""
    x, y, z = size[0] / 2, size[1] / 2, size[2]
    low = np.array([[-x, -y, 0], [x, -y, 0], [x, y, 0], [-x, y, 0]])
    high = low + np.array([0, 0, z])
    around = ((0, 1), (1, 2), (2, 3), (3, 0))
    first = [[low[i], low[j], high[i]] for i, j in around]
    second = [[low[j], high[j], high[i]] for i, j in around]
    top = [[high[0], high[1], high[2]], [high[0], high[2], high[3]]]
    return np.array([*first, *second, *top])


def gable(size: tuple[float, float, float], base: float) -> np.ndarray:
    """A roof [m] with its ridge along x, whose eaves are at height `base`."""
    x, y, z = size[0] / 2, size[1] / 2, size[2]
    a, b, c, d = ([-x, -y, base], [x, -y, base], [x, y, base], [-x, y, base])
    left, right = [-x, 0, base + z], [x, 0, base + z]
    faces = [[a, b, right], [a, right, left], [c, d, left], [c, left, right]]
    under = [[a, c, b], [a, d, c]]
    return np.array([*faces, [b, c, right], [d, a, left], *under], dtype=np.float64)


def place(
    triangles: np.ndarray, points: np.ndarray, heading: np.ndarray, scale: np.ndarray
) -> np.ndarray:
    """Set one copy of a shape at each of k places.

    Args:
        triangles: The shape, (n, 3, 3).
        points: Where, (k, 2) [m].
        heading: Turned by [rad], (k,).
        scale: Of each copy along its own x, y, z, (k, 3).

    Returns:
        All copies, (k * n, 3, 3).
    """
    copies = triangles[None] * scale[:, None, None]  # (k, n, 3, 3)
    c, s = np.cos(heading)[:, None, None], np.sin(heading)[:, None, None]
    x = c * copies[..., 0] - s * copies[..., 1] + points[:, None, None, 0]
    y = s * copies[..., 0] + c * copies[..., 1] + points[:, None, None, 1]
    return np.stack([x, y, copies[..., 2]], axis=-1).reshape(-1, 3, 3)


def _area(triangles: np.ndarray) -> np.ndarray:
    across = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    return np.linalg.norm(across, axis=1) / 2
