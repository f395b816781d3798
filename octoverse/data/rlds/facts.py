"""What a TFDS folder says of itself: its features, and the files of a split.

tensorflow-datasets reads the metadata; what is passed on are plain facts, so worker processes do
not import it. Metadata that lie elsewhere are copied into a local folder first.
"""

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from octoverse.data.rlds import address
from octoverse.errors import BadData, UnknownName
from octoverse.registry import missing_extra

_METADATA = ("dataset_info.json", "features.json")


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One feature of an episode."""

    kind: Literal["numbers", "image", "text", "other"]
    """What octoverse cannot read is other, such as audio or tensors of several open sizes."""
    dtype: str
    """Of the values, once decoded."""
    shape: tuple[int | None, ...]
    """Of one value: one of these for each step, or one for the episode."""
    per_step: bool = True
    ragged: bool = False
    """Whether every step has a number of such values of its own."""
    encoding: Literal["none", "bytes", "zlib"] = "none"
    """How a tensor is stored."""

    @property
    def words(self) -> str:
        """What it is, in words."""
        kind = {"image": "encoded images, ", "text": "text, ", "other": "other, "}
        many = " for each step" if self.per_step else ""
        any_number = "any number of " if self.ragged else ""
        return f"{any_number}{kind.get(self.kind, '')}{self.dtype} {self.shape}{many}"


@dataclass(frozen=True, kw_only=True)
class Part:
    """Episodes [skip, skip + take) of one file."""

    file: str
    skip: int
    take: int
    total: int
    split: str
    """That the file belongs to."""
    first: int
    """Which episode of that split is the first taken."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the metadata say of a data set and of one of its splits."""

    name: str
    features: Mapping[str, Feature]
    """By flat name, such as steps/observation/image_0."""
    parts: tuple[Part, ...]
    metadata: str
    """Hash of the metadata."""


def read_facts(folder: str, split: str) -> Facts:
    """Read a folder's metadata.

    Args:
        folder: Holds dataset_info.json and features.json; any address that fsspec opens.
        split: Such as train, or a slice of one, such as train[:90%], as TFDS writes it.

    Raises:
        BadData: if it is no TFDS folder, or the split is empty.
        UnknownName: if there is no such split.
        MissingExtra: if tensorflow-datasets or what the address needs is not installed.
    """
    told = {name: _metadata(folder, name) for name in _METADATA}
    file_format = told["dataset_info.json"][1].get("fileFormat") or "tfrecord"
    if file_format != "tfrecord":
        raise BadData(
            f"{folder}: expected tfrecord files, got {file_format}. "
            "Prepare the data set again with file_format='tfrecord'."
        )
    with tempfile.TemporaryDirectory() as copy:
        for name, (content, _) in told.items():
            Path(copy, name).write_bytes(content)
        info = _info(folder, copy)
        parts = _parts(folder, info, split)
        features: dict[str, Feature] = {}
        _walk(features, "", info.features)
    hashed = hashlib.sha256(b"".join(content for content, _ in told.values())).hexdigest()
    return Facts(name=info.name, features=features, parts=parts, metadata=hashed[:16])


def _metadata(folder: str, name: str) -> tuple[bytes, Any]:
    path = address.join(folder, name)
    try:
        content = address.read_all(path)
        return content, msgspec.json.decode(content)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BadData(
            f"{folder}: expected a TFDS folder, found no {name}. "
            "Give the folder of one version, such as bridge_dataset/1.0.0."
        ) from error
    except msgspec.DecodeError as error:
        raise BadData(f"{path}: expected JSON, got: {error}. Fetch it again.") from error


def _info(folder: str, copy: str) -> Any:
    try:
        import tensorflow_datasets as tfds
    except ModuleNotFoundError as error:
        missing = missing_extra(f"Reading {folder}", error)
        if missing:
            raise missing from error
        raise
    try:
        return tfds.builder_from_directory(copy).info
    except Exception as error:
        raise BadData(
            f"{folder}: expected metadata that tensorflow-datasets reads without TensorFlow "
            f"(dataset_info.json, features.json), got {type(error).__name__}: {error}. Features "
            "such as Audio need TensorFlow: prepare the data set again without them."
        ) from error


def _parts(folder: str, info: Any, split: str) -> tuple[Part, ...]:
    for part in split.split("+"):
        base = part.partition("[")[0].strip()
        if base not in info.splits:
            raise UnknownName(f"split of '{folder}'", base, info.splits)
    try:
        files = list(info.splits[split].file_instructions)
    except Exception as error:
        raise BadData(
            f"{folder}: expected a split such as train, train[:90%] or train[10:], "
            f"got {split!r}: {error}"
        ) from error
    if not files:
        raise BadData(
            f"{folder}: expected episodes in the split '{split}', got none (dataset_info.json). "
            "Choose another split, or prepare the data set again."
        )
    starts = {
        Path(path).name: (name, int(start))
        for name, told in info.splits.items()
        for path, start in zip(told.filepaths, np.cumsum([0, *told.shard_lengths]), strict=False)
    }
    found = []
    for one in files:
        file = Path(one.filename).name
        base, start = starts[file]
        found.append(
            Part(
                file=address.join(folder, file),
                skip=one.skip,
                take=one.take,
                total=one.examples_in_shard,
                split=base,
                first=start + one.skip,
            )
        )
    return tuple(found)


def _walk(
    found: dict[str, Feature], name: str, feature: Any, steps: bool = False, ragged: bool = False
) -> None:
    """Add the leaves of a tree of TFDS features under their flat names."""
    from tensorflow_datasets.core import features as kinds

    if isinstance(feature, kinds.FeaturesDict):
        for key, inner in feature.items():
            _walk(found, f"{name}/{key}" if name else key, inner, steps, ragged)
    elif isinstance(feature, kinds.Sequence) and name == "steps":
        _walk(found, name, feature.feature, True, ragged)
    elif isinstance(feature, kinds.Sequence) and steps and not ragged:
        _walk(found, name, feature.feature, True, True)
    else:
        found[name] = _leaf(feature, steps, ragged)


def _leaf(feature: Any, steps: bool, ragged: bool) -> Feature:
    from tensorflow_datasets.core import features as kinds

    told = feature.get_tensor_info()
    if not isinstance(told, kinds.TensorInfo):
        return Feature(kind="other", dtype=type(feature).__name__, shape=(), per_step=steps)
    kind: Literal["numbers", "image", "text", "other"] = "other"
    encoding: Literal["none", "bytes", "zlib"] = "none"
    dtype = "str" if told.np_dtype.kind in "OSU" else told.np_dtype.name
    if isinstance(feature, kinds.Image):
        kind = "other" if ragged else "image"
    elif isinstance(feature, kinds.Tensor):
        encoding = getattr(feature.to_json_content(), "encoding", None) or "none"
        open_sizes = any(size is None for size in told.shape)
        if dtype == "str":
            kind = "other" if ragged else "text"
        elif (
            told.np_dtype.kind in "fiub" and not open_sizes and not (ragged and encoding != "none")
        ):
            kind = "numbers"
    return Feature(
        kind=kind,
        dtype=dtype,
        shape=tuple(told.shape),
        per_step=steps,
        ragged=ragged,
        encoding=encoding,
    )
