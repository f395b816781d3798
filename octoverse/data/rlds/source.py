"""Read RLDS data sets (TFDS folders of TFRecord files) without TensorFlow; images stay encoded.

Source: google-research/rlds, "Dataset Format"; tensorflow/datasets, "Format specifications".
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import fsspec
import msgspec
import numpy as np

from octoverse.data.oxe.bridge_dataset import BRIDGE
from octoverse.data.rlds import tfrecord
from octoverse.data.rlds.example import Values, parse
from octoverse.data.source import body_of, check_index
from octoverse.data.standard import Standard, Taken
from octoverse.embodiment import Camera, Embodiment
from octoverse.episode import Episode
from octoverse.errors import BadData, UnknownName
from octoverse.preprocess import decode

_STANDARDS = {"widowx": BRIDGE}
_STEP_COUNT = "steps/is_first"
"""Every RLDS episode has it, one per step."""
_LAST = "steps/is_last"


@dataclass(frozen=True, kw_only=True)
class RldsSource:
    """One split of a TFDS folder, in the conventions of a body.

    RLDS leaves the action of an episode's last step undefined; where is_last says so, it is masked.
    """

    folder: Path | str
    """Holds dataset_info.json, features.json and the shards; any address that fsspec opens."""
    split: str = "train"
    embodiment: str = "widowx"
    label: str = ""
    """How mixtures call it; the data set's name and split unless given."""
    standard: Standard | None = None
    """How its features become the body's; the built-in one for the embodiment unless given."""

    @property
    def name(self) -> str:
        """How mixtures and reports call it."""
        return self.label or f"{self._info['name']}/{self.split}"

    def __len__(self) -> int:
        return len(self._places)

    def lengths(self) -> np.ndarray:
        """Steps of every episode, int64 (episodes,); reads every record once."""
        return self._lengths.copy()

    def fingerprint(self) -> str:
        """Hash of the metadata, the shards' sizes and the declaration."""
        return self._fingerprint

    def episode(self, index: int) -> Episode:
        """Read one episode.

        Raises:
            BadData: if its record is damaged or lacks what the declaration names.
        """
        check_index(self, index)
        path, offset = self._places[index]
        where = f"{path}, record at byte {offset}"
        features = self._parse(path, offset)
        count, body, declared = self._count(features, where), self._body, self._declared
        observation: dict[str, Any] = {}
        observation_valid: dict[str, np.ndarray] = {}
        for name, taken in declared.observation.items():
            if isinstance(body.observation[name], Camera):
                images = self._bytes(features, taken.feature, count, where)
                if name not in declared.black_is_absent or decode(images[0]).any():
                    observation[name] = images
            else:
                observation[name] = self._numbers(features, taken, count, where)
        for name, feature in declared.instruction.items():
            words = [w.decode() for w in self._bytes(features, feature, count, where)]
            observation[name] = words
            said = np.array([bool(word) for word in words])
            if not said.all():
                observation_valid[name] = said
        last = np.asarray(features.get(_LAST, np.zeros(count)), bool)
        masks = {name: ~last for name in declared.action} if last.any() else {}
        return Episode(
            embodiment=self.embodiment,
            source=self.name,
            key=f"{self.split}/{index}",
            times_ns=np.round(np.arange(count) * (1e9 / body.control_hz)).astype(np.int64),
            observation=observation,
            action={
                name: self._numbers(features, taken, count, where)
                for name, taken in declared.action.items()
            },
            observation_valid=observation_valid,
            action_valid=masks,
        )

    @cached_property
    def _declared(self) -> Standard:
        if self.standard is None and self.embodiment not in _STANDARDS:
            raise UnknownName("built-in RLDS declaration", self.embodiment, _STANDARDS)
        return self.standard or _STANDARDS[self.embodiment]

    @cached_property
    def _body(self) -> Embodiment:
        return body_of(self)

    @cached_property
    def _info(self) -> dict[str, Any]:
        return self._json("dataset_info.json")

    @cached_property
    def _shards(self) -> list[tuple[str, int]]:
        """Address and count of episodes of every shard of the split."""
        splits = {split["name"]: split for split in self._info["splits"]}
        if self.split not in splits:
            raise UnknownName(f"split of '{self.folder}'", self.split, splits)
        counts = [int(count) for count in splits[self.split].get("shardLengths", [])]
        known = {
            "DATASET": self._info["name"],
            "SPLIT": self.split,
            "FILEFORMAT": self._info.get("fileFormat", "tfrecord"),
        }
        if known["FILEFORMAT"] != "tfrecord":
            raise BadData(
                f"{self.folder}: expected tfrecord shards, got {known['FILEFORMAT']}. "
                "Prepare the data set again with file_format='tfrecord'."
            )
        template = splits[self.split].get("filepathTemplate") or (
            "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
        )
        return [
            (
                f"{self.folder}/"
                + template.format(**known, SHARD_X_OF_Y=f"{i:05d}-of-{len(counts):05d}"),
                count,
            )
            for i, count in enumerate(counts)
        ]

    @cached_property
    def _places(self) -> list[tuple[str, int]]:
        """Shard and byte of every episode."""
        found = []
        for path, count in self._shards:
            starts = tfrecord.offsets(path)
            if len(starts) != count:
                raise BadData(
                    f"{path}: expected {count} episodes (dataset_info.json), got {len(starts)}. "
                    "The file was cut short or belongs to another version; fetch it again."
                )
            found += [(path, start) for start in starts]
        return found

    @cached_property
    def _lengths(self) -> np.ndarray:
        counts = [
            self._count(self._parse(path, offset), f"{path}, record at byte {offset}")
            for path, offset in self._places
        ]
        return np.array(counts, np.int64)

    @cached_property
    def _fingerprint(self) -> str:
        sizes = []
        for path, _ in self._shards:
            system, plain = fsspec.core.url_to_fs(path)
            sizes.append(system.size(plain))
        told = [self._info, self.split, sizes, self._declared.told]
        return hashlib.sha256(msgspec.json.encode(told, order="sorted")).hexdigest()[:16]

    def _json(self, name: str) -> Any:
        path = f"{self.folder}/{name}"
        try:
            with fsspec.open(path, "rb") as file:
                return msgspec.json.decode(file.read())
        except FileNotFoundError as error:
            raise BadData(
                f"{self.folder}: expected a TFDS folder, found no {name}. "
                "Give the folder of one version, such as bridge_dataset/1.0.0."
            ) from error
        except msgspec.DecodeError as error:
            raise BadData(f"{path}: expected JSON, got: {error}. Fetch it again.") from error

    def _parse(self, path: str, offset: int) -> dict[str, Values]:
        try:
            return parse(tfrecord.read(path, offset))
        except BadData as error:
            if str(error).startswith(path):
                raise
            raise BadData(f"{path}, record at byte {offset}: {error}") from error

    def _count(self, features: dict[str, Values], where: str) -> int:
        if _STEP_COUNT not in features or not len(features[_STEP_COUNT]):
            raise BadData(
                f"{where}: expected an RLDS episode with {_STEP_COUNT}, got the features "
                f"{', '.join(sorted(features)) or 'none'}."
            )
        return len(features[_STEP_COUNT])

    def _get(self, features: dict[str, Values], name: str, where: str) -> Values:
        if name not in features:
            raise UnknownName(f"feature in {where},", name, features)
        return features[name]

    def _bytes(self, features: dict[str, Values], name: str, count: int, where: str) -> list[bytes]:
        values = self._get(features, name, where)
        if not isinstance(values, list) or len(values) != count:
            raise BadData(
                f"{where}, '{name}': expected {count} byte strings, got {len(values)} "
                f"{'of them' if isinstance(values, list) else 'numbers'}."
            )
        return values

    def _numbers(
        self, features: dict[str, Values], taken: Taken, count: int, where: str
    ) -> np.ndarray:
        values = self._get(features, taken.feature, where)
        if isinstance(values, list) or not values.size or values.size % count:
            raise BadData(
                f"{where}, '{taken.feature}': expected numbers for {count} steps, got "
                f"{len(values)} values."
            )
        rows = values.reshape(count, -1)
        return rows[:, taken.start : taken.stop].astype(np.float32, copy=False)
