"""Read DriveLM: questions and answers about key frames of nuScenes, with their six images.

Without the tables of nuScenes a key frame has no time of its own: that of its front image stands
for it, and neither ego motion nor calibration is known. Objects in the texts are named as in
<c1,CAM_FRONT,714.3,503.6>: number, camera and pixel.

Source: OpenDriveLab/DriveLM, docs/data_details.md and challenge/README.md.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath

import msgspec
import numpy as np

from octoverse.data.logs.drive import CameraLog, Drive, TimedQuestion
from octoverse.data.logs.files import fingerprint_of, image_files
from octoverse.data.logs.nuscenes import ROLES, NuScenesReader
from octoverse.data.logs.rows import check_increasing
from octoverse.errors import BadData, UnknownName

KINDS = {"behavior": "behaviour"}
"""Other kinds are called as in the file: perception, prediction, planning."""
_STAMP = re.compile(r"__(\d+)\.\w+$")


class _Pair(msgspec.Struct):
    question: str = msgspec.field(name="Q")
    answer: str = msgspec.field(name="A")


class _KeyFrame(msgspec.Struct):
    pairs: dict[str, list[_Pair]] = msgspec.field(name="QA")
    images: dict[str, str] = msgspec.field(name="image_paths")


class _Scene(msgspec.Struct):
    key_frames: dict[str, _KeyFrame]


@dataclass(frozen=True, kw_only=True)
class DriveLMReader:
    """The scenes of one file of questions."""

    file: Path
    """Such as v1_1_train_nus.json."""
    images: Path
    """Holds `nuscenes`, which the file speaks of as ../nuscenes."""
    tables: NuScenesReader | None = None
    """Where given, drives are those of nuScenes, asked about at their key frames."""

    def keys(self) -> Sequence[str]:
        """Tokens of the scenes."""
        return list(self._scenes)

    def drive(self, key: str) -> Drive:
        """Read one scene.

        Raises:
            BadData: if it is damaged, or the tables have no such scene or key frame.
        """
        if key not in self._scenes:
            raise UnknownName(f"scene in {self.file}", key, self._scenes)
        frames = self._scenes[key].key_frames
        if not frames:
            raise BadData(
                f"{self.file}, scene {key}: expected key frames, found none. Leave it out."
            )
        if self.tables is not None:
            return self._joined(key, frames, self.tables)
        times = {token: self._time(frame, "CAM_FRONT") for token, frame in frames.items()}
        ordered = dict(sorted(frames.items(), key=lambda item: times[item[0]]))
        return Drive(
            key=key,
            cameras={
                ROLES.get(channel, channel): self._camera(key, channel, ordered)
                for channel in next(iter(ordered.values())).images
            },
            questions=_questions(ordered, times),
        )

    def fingerprint(self) -> str:
        """Hash of the questions, and of the tables."""
        own = fingerprint_of(Path(self.file).parent, [Path(self.file)])
        return own if self.tables is None else f"{own}-{self.tables.fingerprint()}"

    def _joined(self, key: str, frames: dict[str, _KeyFrame], tables: NuScenesReader) -> Drive:
        scene = next((s for name in tables.keys() if (s := tables.scene(name)).token == key), None)
        lost = set(frames) - set(scene.samples) if scene is not None else set(frames)
        if scene is None or lost:
            raise BadData(
                f"{self.file}, scene {key}: expected its key frame {min(lost)} in the tables of "
                f"{tables.version}, found none such. Give the version that has all scenes asked "
                "about, such as v1.0-trainval."
            )
        times = {token: scene.samples[token] * 1000 for token in frames}
        ordered = dict(sorted(frames.items(), key=lambda item: times[item[0]]))
        return replace(tables.drive(scene.name), key=key, questions=_questions(ordered, times))

    def _camera(self, key: str, channel: str, frames: dict[str, _KeyFrame]) -> CameraLog:
        times = np.array([self._time(frame, channel) for frame in frames.values()], np.int64)
        check_increasing(f"{self.file}, scene {key}", f"the time of {channel}", times)
        files = [self._file(frame.images[channel]) for frame in frames.values()]
        return CameraLog(times_ns=times, images=image_files(files, f"{self.file}"))

    def _time(self, frame: _KeyFrame, channel: str) -> int:
        path = frame.images.get(channel, "")
        found = _STAMP.search(path)
        if found is None:
            raise BadData(
                f"{self.file}: expected an image of {channel} whose name ends in its time, such as "
                f"n015__CAM_FRONT__1533280039162460.jpg, got {path!r}. Fetch the file again."
            )
        return int(found.group(1)) * 1000

    def _file(self, path: str) -> Path:
        parts = [part for part in PurePosixPath(path).parts if part != ".."]
        return Path(self.images).joinpath(*parts)

    @cached_property
    def _scenes(self) -> dict[str, _Scene]:
        path = Path(self.file)
        if not path.is_file():
            raise BadData(f"{path}: expected DriveLM's questions in JSON, found no file. Fetch it.")
        try:
            found = msgspec.json.decode(path.read_bytes(), type=dict[str, _Scene])
        except msgspec.MsgspecError as error:
            raise BadData(
                f"{path}: expected scenes with key_frames, QA and image_paths in JSON: {error}. "
                "Fetch the file again."
            ) from error
        if not found:
            raise BadData(f"{path}: expected scenes, found none. Fetch the file again.")
        return found


def _questions(frames: dict[str, _KeyFrame], times: dict[str, int]) -> list[TimedQuestion]:
    return [
        TimedQuestion(
            at_ns=times[token],
            kind=KINDS.get(kind, kind),
            question=pair.question,
            answer=pair.answer,
        )
        for token, frame in frames.items()
        for kind, pairs in frame.pairs.items()
        for pair in pairs
    ]
