"""Writers of the formats that octoverse only reads, for tests of the readers."""

import json
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simplejpeg

from octoverse.data.rlds.tfrecord import masked_checksum

Feature = list[bytes] | list[int] | np.ndarray


@pytest.fixture(scope="session")
def write_records() -> Callable[[Path, list[bytes]], str]:
    """Writes a TFRecord file."""

    def write(path: Path, contents: list[bytes]) -> str:
        path.write_bytes(b"".join(_record(content) for content in contents))
        return str(path)

    return write


@pytest.fixture(scope="session")
def serialise() -> Callable[[Mapping[str, Feature]], bytes]:
    """Serialises a tf.train.Example."""
    return _example


@pytest.fixture(scope="session")
def write_rlds() -> Callable[..., Path]:
    """Writes a small Bridge-like TFDS folder."""

    def write(folder: Path, lengths: tuple[int, ...] = (3, 5), **changed: Any) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        episodes = [_example(bridge_episode(n, i) | changed) for i, n in enumerate(lengths)]
        name = f"small-train.tfrecord-00000-of-{1:05d}"
        (folder / name).write_bytes(b"".join(_record(episode) for episode in episodes))
        split = {"name": "train", "shardLengths": [str(len(lengths))]}
        info = {"name": "small", "fileFormat": "tfrecord", "splits": [split]}
        (folder / "dataset_info.json").write_text(json.dumps(info))
        return folder

    return write


def bridge_episode(steps: int, seed: int) -> dict[str, Feature]:
    """Features of one episode as Bridge has them; its third camera is black."""
    rng = np.random.default_rng(seed)
    pictures = [rng.integers(0, 256, (16, 16, 3), np.uint8) for _ in range(steps)]
    jpeg = [simplejpeg.encode_jpeg(picture) for picture in pictures]
    black = [simplejpeg.encode_jpeg(np.zeros((16, 16, 3), np.uint8))] * steps
    return {
        "steps/observation/image_0": jpeg,
        "steps/observation/image_1": jpeg[::-1],
        "steps/observation/image_2": black,
        "steps/observation/state": rng.normal(size=7 * steps).astype(np.float32),
        "steps/action": rng.normal(size=7 * steps).astype(np.float32),
        "steps/language_instruction": [b"lift the lid"] * steps,
        "steps/is_first": [1] + [0] * (steps - 1),
        "steps/is_last": [0] * steps,
    }


def _record(content: bytes) -> bytes:
    length = struct.pack("<Q", len(content))
    checks = (struct.pack("<I", masked_checksum(part)) for part in (length, content))
    return length + next(checks) + content + next(checks)


def _example(features: Mapping[str, Feature]) -> bytes:
    entries = (_field(1, name.encode()) + _field(2, _feature(v)) for name, v in features.items())
    return _field(1, b"".join(_field(1, entry) for entry in entries))


def _feature(values: Feature) -> bytes:
    if isinstance(values, np.ndarray):
        return _field(2, _field(1, values.astype("<f4").tobytes()))
    if values and isinstance(values[0], bytes):
        return _field(1, b"".join(_field(1, value) for value in values if isinstance(value, bytes)))
    return _field(
        3, _field(1, b"".join(_varint(value) for value in values if isinstance(value, int)))
    )


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    value &= 2**64 - 1
    found = b""
    while value >= 128:
        found += bytes([value & 127 | 128])
        value >>= 7
    return found + bytes([value])
