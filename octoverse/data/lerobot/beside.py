"""What LeRobot has no features for, in files of its own: calibration, other agents, questions."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from octoverse.data.kept import File, Kept, file_key, single
from octoverse.data.lerobot.metadata import unreadable
from octoverse.episode import Calibration, Episode, Question, Tracks

PATH = "meta/octoverse/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
"""One row for each episode of the data file of the same place; there is no file where no episode
has anything of it."""
EPISODE = "episode_index"
_NUMBERS = {"step": np.int64, "pose": np.float32, "size": np.float32, "velocity": np.float32}
_WIDTHS = {"pose": 3, "size": 3, "velocity": 2}
_TRACKS = {
    "step": pa.list_(pa.int64()),
    "identity": pa.list_(pa.string()),
    "kind": pa.list_(pa.string()),
    "pose": pa.list_(pa.float32()),
    "size": pa.list_(pa.float32()),
    "velocity": pa.list_(pa.float32()),
}
_SCHEMA = pa.schema(
    [
        (EPISODE, pa.int64()),
        ("calibration", pa.string()),
        ("questions", pa.string()),
        ("tracks", pa.struct(list(_TRACKS.items()))),
    ]
)


def row(number: int, episode: Episode) -> dict[str, Any]:
    """One episode's row."""
    tracks = episode.tracks
    return {
        EPISODE: number,
        "calibration": msgspec.json.encode(episode.calibration).decode(),
        "questions": msgspec.json.encode(list(episode.questions)).decode(),
        "tracks": None
        if tracks is None
        else {name: np.asarray(getattr(tracks, name)).reshape(-1).tolist() for name in _TRACKS},
    }


def is_empty(told: Mapping[str, Any]) -> bool:
    """Whether a row says nothing."""
    return told["calibration"] == "{}" and told["questions"] == "[]" and told["tracks"] is None


def table(told: Mapping[str, Any]) -> pa.Table:
    """A row as a table of its own."""
    return pa.Table.from_pylist([told], schema=_SCHEMA)


def read(folder: Path, fields: Mapping[str, Any], number: int) -> dict[str, Any]:
    """What stands beside an episode, as an Episode is given it.

    Args:
        folder: The data set's.
        fields: What the table of episodes says of it.
        number: Its episode_index.

    Raises:
        BadData: if the file is damaged.
    """
    spot = {name: fields.get(f"data/{name}") for name in ("chunk_index", "file_index")}
    if None in spot.values():
        return {}
    path = folder / PATH.format(**spot)
    if not path.exists():
        return {}
    try:
        key = file_key(path)
        file, places = _FILES.get(key, lambda: _opened(key), single)
        if number not in places:
            return {}
        (told,) = file.read_row_group(places[number]).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise unreadable(path, error) from error
    found: dict[str, Any] = {
        "calibration": msgspec.json.decode(told["calibration"], type=dict[str, Calibration]),
        "questions": tuple(msgspec.json.decode(told["questions"], type=list[Question])),
    }
    if told["tracks"] is not None:
        arrays = {name: _array(name, values) for name, values in told["tracks"].items()}
        found["tracks"] = Tracks(**arrays)
    return found


def _opened(file: File) -> tuple[pq.ParquetFile, dict[int, int]]:
    """A file, and the row group of each of its episodes."""
    opened = pq.ParquetFile(file[0], memory_map=False)
    numbers = opened.read(columns=[EPISODE])[EPISODE].to_pylist()
    return opened, {number: place for place, number in enumerate(numbers)}


def _array(name: str, values: list[Any]) -> np.ndarray:
    if name not in _NUMBERS:
        return np.array(values, dtype=np.str_)
    numbers = np.array(values, dtype=_NUMBERS[name])
    return numbers.reshape(-1, _WIDTHS[name]) if name in _WIDTHS else numbers


_FILES = Kept(8)
"""Files kept open, per process."""
