"""Read the boxes of other agents that belong to drives of KITTI raw: tracklet_labels.xml.

A box stands in the laser's frame (x forward, y left, z up) on the middle of its bottom. Velocities
are not in the file; they are found from where a box is one frame before and after.

Source: the raw data's development kit, readme.txt (tracklets) and tracklets/cpp/tracklets.h.
"""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from octoverse import rotation
from octoverse.data.logs.drive import Agents, EgoMotion
from octoverse.data.logs.tracking import velocities
from octoverse.errors import BadData

_POSE = ("tx", "ty", "tz", "rz")


def read_tracklets(
    path: Path, ego: EgoMotion, frames: np.ndarray, from_lidar: np.ndarray
) -> Agents:
    """Every box of a drive, in the fixed frame of its ego motion.

    Args:
        path: tracklet_labels.xml.
        ego: The drive's.
        frames: Number of the frame of each of its samples, int64 (n,); boxes of other frames are
            left out.
        from_lidar: (4, 4), from the laser's frame to the rear axle's.

    Raises:
        BadData: if the file is damaged.
    """
    rows = _rows(path)
    sample = {int(frame): i for i, frame in enumerate(frames)}
    rows = [row for row in rows if row[1] in sample]
    rows.sort(key=lambda row: (row[1], row[0]))
    at = np.array([sample[row[1]] for row in rows], np.int64)
    numbers = np.array([row[3] for row in rows], np.float64).reshape(-1, 7)
    size, place, turn = numbers[:, :3], numbers[:, 3:6], numbers[:, 6]
    middle = place + np.array([0, 0, 0.5]) * size[:, 2:]
    beside = middle @ from_lidar[:3, :3].T + from_lidar[:3, 3]
    zero = np.zeros_like(turn)
    turned = from_lidar[:3, :3] @ rotation.from_roll_pitch_yaw(zero, zero, turn)
    positions = np.einsum("nij,nj->ni", ego.rotations[at], beside) + ego.positions[at]
    times, identity = ego.times_ns[at], np.array([str(row[0]) for row in rows], np.str_)
    return Agents(
        times_ns=times,
        identity=identity,
        kind=np.array([row[2] for row in rows], np.str_),
        positions=positions,
        headings=rotation.heading_of(ego.rotations[at] @ turned),
        size=size,
        velocity=velocities(times, identity, positions, within=0.15),
    )


def _rows(path: Path) -> list[tuple[int, int, str, tuple[float, ...]]]:
    """Number of the box, frame, kind, and length, width, height, x, y, z, turn."""
    found = []
    try:
        root = ElementTree.fromstring(path.read_text())
        for number, item in enumerate(root.findall("tracklets/item")):
            first, kind = int(_word(item, "first_frame")), _word(item, "objectType")
            size = tuple(float(_word(item, name)) for name in "lwh")
            for after, pose in enumerate(item.findall("poses/item")):
                where = tuple(float(_word(pose, name)) for name in _POSE)
                if not np.isfinite(size + where).all():
                    raise ValueError(f"box {number} has numbers that are not finite")
                found.append((number, first + after, kind, size + where))
    except (ElementTree.ParseError, ValueError) as error:
        raise BadData(
            f"{path}: expected tracklets of KITTI raw (objectType, h, w, l, first_frame, poses): "
            f"{error}. The file was cut short; fetch it again, or leave it out."
        ) from error
    return found


def _word(item: ElementTree.Element, name: str) -> str:
    found = item.findtext(name)
    if found is None:
        raise ValueError(f"'{item.tag}' has no '{name}'")
    return found.strip()
