"""Writers of the formats that octoverse only reads, for tests of the readers."""

import io
import json
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simplejpeg
from PIL import Image

from octoverse.data.rlds.tfrecord import masked_checksum

Feature = list[bytes] | list[int] | np.ndarray
Spec = Mapping[str, tuple[str, tuple[int, ...]]]
"""Flat feature name, such as steps/observation/image, to its kind and the shape of one value.

Kinds are numpy's types (float32, float64, int32, uint8, bool, ...), text, jpeg and png, and
`png float32` for depth (h, w, 1), which TFDS stores as four bytes a pixel;
`zlib float32` and `bytes float32` for tensors that are stored as bytes, and `sequence float32`
for a feature with a number of values of its own at every step. What does not start with steps/
is one value for the episode.
"""
BRIDGE: Spec = {
    **{f"steps/observation/image_{i}": ("jpeg", (16, 16, 3)) for i in range(3)},
    "steps/observation/state": ("float32", (7,)),
    "steps/action": ("float32", (7,)),
    "steps/language_instruction": ("text", ()),
    "steps/is_first": ("bool", ()),
    "steps/is_last": ("bool", ()),
}


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
    """Writes a small TFDS folder as Bridge's is; features are changed without the metadata."""

    def write(folder: Path, lengths: tuple[int, ...] = (3, 5), **changed: Any) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        episodes = [_example(bridge_episode(n, i) | changed) for i, n in enumerate(lengths)]
        name = f"bridge_dataset-train.tfrecord-00000-of-{1:05d}"
        (folder / name).write_bytes(b"".join(_record(episode) for episode in episodes))
        told = _told_info("bridge_dataset", [_told_split("train", [len(lengths)])])
        (folder / "dataset_info.json").write_text(json.dumps(told))
        (folder / "features.json").write_text(json.dumps(_told_features(BRIDGE)))
        return folder

    return write


@pytest.fixture(scope="session")
def tfds_episode() -> Callable[..., dict[str, Any]]:
    """Makes an episode for `write_tfds` with random values: a spec, how many steps, a seed."""
    return _random_episode


@pytest.fixture(scope="session")
def write_tfds() -> Callable[..., Path]:
    """Writes a folder that tensorflow-datasets accepts; a second split joins the first.

    An episode is flat feature name to values: for each step, or one for what is not in steps.
    Images are arrays or encoded, texts are str. `shards` is how many files it makes.
    """

    def write(
        folder: Path,
        spec: Spec,
        episodes: Sequence[Mapping[str, Any]],
        *,
        name: str = "made",
        split: str = "train",
        shards: int = 1,
    ) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        edges = np.linspace(0, len(episodes), shards + 1).astype(int)
        for i, (start, stop) in enumerate(pairwise(edges)):
            path = folder / f"{name}-{split}.tfrecord-{i:05d}-of-{shards:05d}"
            parts = [_record(_example(_stored(spec, one))) for one in episodes[start:stop]]
            path.write_bytes(b"".join(parts))
        told = folder / "dataset_info.json"
        others = json.loads(told.read_text())["splits"] if told.exists() else []
        splits = [other for other in others if other["name"] != split]
        splits.append(_told_split(split, np.diff(edges).tolist()))
        told.write_text(json.dumps(_told_info(name, splits)))
        (folder / "features.json").write_text(json.dumps(_told_features(spec)))
        return folder

    return write


def _random_episode(spec: Spec, steps: int, seed: int = 0, **changed: Any) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    found: dict[str, Any] = {}
    for name, (kind, shape) in spec.items():
        many = name.startswith("steps/")
        size = ((steps,) if many else ()) + shape
        if name in ("steps/is_first", "steps/is_last", "steps/is_terminal"):
            found[name] = np.arange(steps) == (0 if name == "steps/is_first" else steps - 1)
        elif kind == "text":
            found[name] = ["lift the lid"] * steps if many else "an episode"
        elif kind.startswith("sequence"):
            found[name] = [_random(rng, kind.split()[1], (i % 3, *shape)) for i in range(steps)]
        else:
            found[name] = _random(rng, {"jpeg": "uint8", "png": "uint8"}.get(kind, kind), size)
    return found | changed


def _random(rng: np.random.Generator, kind: str, size: tuple[int, ...]) -> np.ndarray:
    dtype = np.dtype(kind.split()[-1])
    if dtype.kind == "f":
        return rng.normal(size=size).astype(dtype)
    return rng.integers(0, 2 if dtype.kind == "b" else 100, size).astype(dtype)


def _stored(spec: Spec, episode: Mapping[str, Any]) -> dict[str, Feature]:
    """One episode as TFDS flattens it into a tf.train.Example."""
    found: dict[str, Feature] = {}
    for name in sorted(spec):
        kind, values = spec[name][0], episode[name]
        rows = values if name.startswith("steps/") else [values]
        if kind in ("text", "jpeg", "png"):
            found[name] = [_encoded(kind, row) for row in rows]
        elif kind == "png float32":
            found[name] = [_encoded("png", np.asarray(row, np.float32).view("u1")) for row in rows]
        elif kind.startswith(("zlib ", "bytes ")):
            raw = [np.asarray(row, kind.split()[1]).tobytes() for row in rows]
            found[name] = [zlib.compress(row) for row in raw] if kind[0] == "z" else raw
        elif kind.startswith("sequence "):
            flat = np.concatenate([np.ravel(row) for row in rows]).astype(kind.split()[1])
            found[f"{name}/ragged_flat_values"] = _plain(flat)
            found[f"{name}/ragged_row_lengths_0"] = [len(row) for row in rows]
        else:
            found[name] = _plain(np.asarray(values, kind).ravel())
    return found


def _plain(values: np.ndarray) -> Feature:
    return values.astype(np.float32) if values.dtype.kind == "f" else values.astype(int).tolist()


def _encoded(kind: str, value: Any) -> bytes:
    if not isinstance(value, np.ndarray):
        return value.encode() if isinstance(value, str) else bytes(value)
    if kind == "jpeg" and value.shape[-1] == 3:
        return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(value)))
    with io.BytesIO() as file:
        Image.fromarray(value[..., 0] if value.shape[-1] == 1 else value).save(file, kind)
        return file.getvalue()


def _told_info(name: str, splits: list[dict[str, Any]]) -> dict[str, Any]:
    return {"name": name, "version": "1.0.0", "fileFormat": "tfrecord", "splits": splits}


def _told_split(name: str, lengths: list[int]) -> dict[str, Any]:
    return {
        "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
        "name": name,
        "numBytes": "1",
        "shardLengths": [str(count) for count in lengths],
    }


def _told_features(spec: Spec) -> dict[str, Any]:
    """features.json of a spec."""
    tree: dict[str, Any] = {}
    for name, (kind, shape) in spec.items():
        *path, leaf = name.split("/")
        inner = tree
        for part in path:
            inner = inner.setdefault(part, {})
        inner[leaf] = (kind, shape)
    features = _told(tree)
    steps = features["featuresDict"]["features"].get("steps")
    if steps:
        features["featuresDict"]["features"]["steps"] = _many("dataset_feature.Dataset", steps)
    return features


def _told(part: Any) -> dict[str, Any]:
    if isinstance(part, dict):
        inner = {name: _told(each) for name, each in part.items()}
        return _class("features_dict.FeaturesDict", featuresDict={"features": inner})
    kind, shape = part
    size = {"dimensions": [str(n) for n in shape]} if shape else {}
    if kind.startswith("sequence "):
        return _many("sequence_feature.Sequence", _told((kind.split()[1], shape)))
    if kind == "text":
        return _class("text_feature.Text", text={})
    if kind in ("jpeg", "png", "png float32"):
        form, _, dtype = kind.partition(" ")
        told = {"shape": size, "dtype": dtype or "uint8", "encodingFormat": form}
        return _class("image_feature.Image", image=told)
    encoding, _, dtype = kind.rpartition(" ")
    told = {"shape": size, "dtype": dtype, "encoding": encoding or "none"}
    return _class("tensor_feature.Tensor" if shape else "scalar.Scalar", tensor=told)


def _many(name: str, feature: dict[str, Any]) -> dict[str, Any]:
    return _class(name, sequence={"feature": feature, "length": "-1"})


def _class(name: str, **told: Any) -> dict[str, Any]:
    return {"pythonClassName": f"tensorflow_datasets.core.features.{name}", **told}


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
        "steps/is_first": ([1] + [0] * steps)[:steps],
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
