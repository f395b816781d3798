"""Files below meta/ of a LeRobot folder, and what its tables tell of one episode."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from octoverse.data.lerobot import format as form
from octoverse.errors import BadData


@dataclass(frozen=True, kw_only=True)
class Row:
    """One episode as the table of episodes tells it."""

    number: int
    """Its episode_index; the first need not be 0, and numbers may be left out."""
    length: int
    """Time steps."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """All that the table says of it."""


@dataclass(frozen=True, kw_only=True)
class Span:
    """The rows of one episode: all of a data file, or those that carry its episode_index."""

    path: Path
    number: int | None


@dataclass(frozen=True, kw_only=True)
class Clip:
    """The frames of one episode: a whole video file, or those from `start` [s] on."""

    path: Path
    start: float | None


def read_info(folder: Path) -> form.Info:
    """Read meta/info.json.

    Raises:
        BadData: if there is none, or of a version that is not read.
    """
    path = folder / form.INFO
    if not path.exists():
        raise BadData(
            f"{folder}: expected a LeRobot data set, found no {form.INFO}. "
            "Give the folder that holds data/ and meta/."
        )
    version = read_json(path, dict[str, Any]).get("codebase_version")
    if version not in form.VERSIONS:
        raise BadData(
            f"{path}: expected codebase_version {', '.join(form.VERSIONS[:-1])} or "
            f"{form.VERSIONS[-1]}, got {version}. Convert it with LeRobot's own scripts."
        )
    found: form.Info = read_json(path, form.Info)
    return found


def filled(template: str, info: Path, **values: Any) -> str:
    """A path of info.json with its places filled in."""
    try:
        return template.format(**values)
    except (KeyError, IndexError, ValueError) as error:
        raise BadData(
            f"{info}: expected a path with the places {', '.join(sorted(values))}, got "
            f"'{template}' ({error}). Correct it."
        ) from error


def read_json(path: Path, kind: Any) -> Any:
    """Read a metadata file.

    Raises:
        BadData: if it is missing or not what it claims to be.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise _missing(path, error) from error
    except msgspec.DecodeError as error:
        raise _wrong(path, error) from error


def read_lines(path: Path, kind: Any) -> list[Any]:
    """Read a metadata file with one JSON object on every line."""
    try:
        return msgspec.json.Decoder(kind).decode_lines(path.read_bytes())
    except OSError as error:
        raise _missing(path, error) from error
    except msgspec.DecodeError as error:
        raise _wrong(path, error) from error


def read_table(path: Path) -> pa.Table:
    """Read a small parquet file."""
    try:
        return pq.ParquetFile(path).read()
    except (OSError, pa.ArrowException) as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, why: object) -> BadData:
    """What to say of a parquet file that cannot be read."""
    return BadData(
        f"{path}: expected a parquet file, got: {why}. It is missing or was cut short; "
        "fetch it again."
    )


def counted(folder: Path, where: str, rows: Sequence[Row], total: int) -> None:
    """Raise BadData unless there are as many episodes as info.json says."""
    if len(rows) < total:
        raise BadData(
            f"{folder}: expected {total} episodes ({form.INFO}), got {len(rows)} in {where}. "
            "Fetch the missing files again."
        )


def _missing(path: Path, error: OSError) -> BadData:
    return BadData(f"{path}: expected this file, got: {error.strerror}. Fetch it again.")


def _wrong(path: Path, error: Exception) -> BadData:
    return BadData(f"{path}: expected LeRobot metadata, got: {error}. Fetch it again.")
