"""Read Lyft Level 5 prediction scenes (zarr): ego motion and other agents, 25 s at 10 Hz.

Which point ego_translation is nobody says: the data's own toolkit draws the car's box around it;
in the scene that is tested with it moves on bends as a point at the rear axle does (fitted 0.6 m
behind it, give or take 0.8), not as one in the middle of the car, 1.4 m ahead. It is taken for the
rear axle. Agents have no height, and get that of the ego. Times are those of the frames; a scene's
own start is 18 s before its first frame, as if leap seconds were left out. Images, maps and what
the traffic lights show are not read.

Source: woven-planet/l5kit, docs/data_format.rst and l5kit/rasterization/box_rasterizer.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import msgspec
import numpy as np

from octoverse.data.logs.drive import Agents, Drive, EgoMotion
from octoverse.data.logs.files import fingerprint_of
from octoverse.data.logs.rows import check_finite, check_increasing
from octoverse.data.logs.zarr_array import ZarrArray
from octoverse.errors import BadData, UnknownName


class _Attributes(msgspec.Struct):
    labels: list[str]


@dataclass(frozen=True, kw_only=True)
class LyftReader:
    """The scenes of one zarr folder."""

    folder: Path
    """Ends in .zarr; holds scenes, frames and agents."""

    def keys(self) -> Sequence[str]:
        """Host and start of each scene."""
        return list(self._scenes)

    def drive(self, key: str) -> Drive:
        """Read one scene.

        Raises:
            BadData: if it is damaged.
        """
        if key not in self._scenes:
            raise UnknownName(f"scene in {self.folder}", key, self._scenes)
        frames = self._array("frames").rows(*self._scenes[key])
        where = f"{self.folder}, scene {key}"
        if not len(frames):
            raise BadData(f"{where}: expected frames, found none. Fetch the data again.")
        check_increasing(where, "timestamp", frames["timestamp"])
        check_finite(where, "ego_translation", frames["ego_translation"])
        check_finite(where, "ego_rotation", frames["ego_rotation"])
        ego = EgoMotion(
            times_ns=frames["timestamp"].astype(np.int64),
            positions=frames["ego_translation"],
            rotations=frames["ego_rotation"],
        )
        return Drive(key=key, ego=ego, agents=self._agents(where, frames))

    def fingerprint(self) -> str:
        """Hash of what the arrays say of themselves and of the scenes."""
        folder = Path(self.folder)
        files = [*folder.glob("*/.zarray"), *folder.glob("scenes/[0-9]*"), *folder.glob(".zattrs")]
        return fingerprint_of(folder, files)

    def _agents(self, where: str, frames: np.ndarray) -> Agents:
        intervals = frames["agent_index_interval"]
        count = intervals[:, 1] - intervals[:, 0]
        if (count < 0).any() or (intervals[1:, 0] != intervals[:-1, 1]).any():
            raise BadData(
                f"{where}: expected each frame's agents after those of the one before, got other "
                "agent_index_interval. Fetch the data again."
            )
        rows = self._array("agents").rows(int(intervals[0, 0]), int(intervals[-1, 1]))
        check_finite(where, "centroid", rows["centroid"])
        check_finite(where, "yaw", rows["yaw"])
        height = np.repeat(frames["ego_translation"][:, 2], count)
        likeliest = rows["label_probabilities"].argmax(axis=1)
        return Agents(
            times_ns=np.repeat(frames["timestamp"], count),
            identity=rows["track_id"].astype(str),
            kind=self._labels[likeliest],
            positions=np.concatenate([rows["centroid"], height[:, None]], axis=1),
            headings=rows["yaw"].astype(np.float64),
            size=rows["extent"].astype(np.float64),
            velocity=rows["velocity"].astype(np.float64),
        )

    def _array(self, name: str) -> ZarrArray:
        return ZarrArray(folder=Path(self.folder) / name)

    @cached_property
    def _scenes(self) -> dict[str, tuple[int, int]]:
        if not (Path(self.folder) / "scenes").is_dir():
            raise BadData(
                f"{self.folder}: expected a zarr folder of Lyft Level 5 with scenes, frames and "
                "agents, found no scenes. Give the folder whose name ends in .zarr."
            )
        array = self._array("scenes")
        rows = array.rows(0, len(array))
        if not len(rows):
            raise BadData(f"{array.folder}: expected scenes, found none. Fetch the data again.")
        return {
            f"{row['host']}-{row['start_time']}": (int(first), int(last))
            for row in rows
            for first, last in [row["frame_index_interval"]]
        }

    @cached_property
    def _labels(self) -> np.ndarray:
        path = Path(self.folder) / ".zattrs"
        try:
            return np.array(msgspec.json.decode(path.read_bytes(), type=_Attributes).labels)
        except (OSError, msgspec.DecodeError) as error:
            raise BadData(
                f"{path}: expected the labels of the agents in JSON, got: {error}. Fetch the file."
            ) from error
