"""Read RLDS data sets (TFDS folders of TFRecord files) without TensorFlow; images stay encoded.

Source: google-research/rlds, "Dataset Format"; tensorflow/datasets, "Format specifications".
"""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from octoverse import registry
from octoverse.data.dataset import DataSet
from octoverse.data.kept import SOURCES
from octoverse.data.rlds import address
from octoverse.data.rlds.black import is_black
from octoverse.data.rlds.dlimp import DlimpRecords
from octoverse.data.rlds.facts import Facts, read_facts
from octoverse.data.rlds.native import Records
from octoverse.data.rlds.standardise import check_declaration, standardise, taken_names
from octoverse.data.source import check_index
from octoverse.data.standard import Standard
from octoverse.embodiment import Embodiment
from octoverse.episode import Episode
from octoverse.errors import BadConfig, BadData, UnknownName

_PREFIX = "oxe/"
"""Before a data set's name in TFDS, where it is registered."""


@dataclass(frozen=True, kw_only=True)
class RldsSource:
    """One split of a TFDS folder, in the conventions of a body.

    RLDS leaves the action of an episode's last step undefined; where is_last says so, it is masked.
    """

    folder: Path | str
    """Holds dataset_info.json, features.json and the shards; any address that fsspec opens."""
    split: str = "train"
    """Or a part of one by whole episodes, such as train[:90%] and train[90%:]."""
    label: str = ""
    """How mixtures call it; the data set's name and split unless given."""
    standard: Standard | None = None
    """How its features become the body's; the declared one of the data set's name unless given."""
    cache: Path | str | None = None
    """A folder where the places and lengths of episodes are kept; nothing is written without."""
    backend: Literal["native", "dlimp"] = "native"
    """What reads the records; dlimp is TensorFlow's way, in a process of its own."""

    def __post_init__(self) -> None:
        if self.backend not in ("native", "dlimp"):
            raise UnknownName("backend", self.backend, ("native", "dlimp"))

    @property
    def name(self) -> str:
        """How mixtures and reports call it."""
        return self.label or f"{self._facts.name}/{self.split}"

    @property
    def embodiment(self) -> str:
        """Name of the body that it was recorded with."""
        return self._declared.embodiment

    def __len__(self) -> int:
        return sum(part.take for part in self._facts.parts)

    def lengths(self) -> np.ndarray:
        """Steps of every episode, int64 (episodes,); reads and checks every record once."""
        empty = np.flatnonzero(self._records.steps == 0)
        if len(empty):
            raise self._no_steps(int(empty[0]))
        return self._records.steps.copy()

    def fingerprint(self) -> str:
        """Hash of the metadata, the shards' sizes and the declaration."""
        return self._fingerprint

    def episode(self, index: int) -> Episode:
        """Read one episode's numbers; an image is read when it is indexed.

        Raises:
            BadData: if its record is damaged or lacks what the declaration names.
        """
        check_index(self, index)
        return SOURCES.get((self._key, index), partial(self._open, index), _size)

    def _open(self, index: int) -> Episode:
        records, steps = self._records, int(self._records.steps[index])
        if not steps:
            raise self._no_steps(index)
        parts = standardise(
            records.record(index, self._wanted),
            self._facts.features,
            self._declared,
            self._body,
            steps,
            f"{records.where(index)} (episode {index} of {self.split})",
            partial(records.lazy, index),
        )
        for name in self._declared.black_is_absent:
            if name in parts["observation"] and is_black(parts["observation"][name][0]):
                del parts["observation"][name]
        for values in [*parts["observation"].values(), *parts["action"].values()]:
            if isinstance(values, np.ndarray):
                values.flags.writeable = False
        times_ns = np.round(np.arange(steps) * (1e9 / self._body.control_hz)).astype(np.int64)
        return Episode(
            embodiment=self.embodiment,
            source=self.name,
            key=f"{self.split}/{index}",
            times_ns=times_ns,
            **parts,
        )

    def _no_steps(self, index: int) -> BadData:
        return BadData(
            f"{self._records.where(index)} (episode {index} of {self.split}): expected at least "
            "one step, got none. Prepare the data set again without this episode, or leave it out "
            "with a slice of the split."
        )

    @cached_property
    def _facts(self) -> Facts:
        return read_facts(str(self.folder), self.split)

    @cached_property
    def _records(self) -> Records | DlimpRecords:
        if self.backend == "dlimp":
            return DlimpRecords.find(str(self.folder), self._facts.parts)
        cache = None if self.cache is None else Path(self.cache)
        return Records.find(self._facts.parts, self._facts.metadata, cache)

    @cached_property
    def _stamps(self) -> list[tuple[int, str]]:
        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(lambda part: address.stamp(part.file), self._facts.parts))

    @cached_property
    def _declared(self) -> Standard:
        return self.standard or _declared_as(self._facts.name)

    @cached_property
    def _body(self) -> Embodiment:
        body: Embodiment = registry.load("embodiment", self._declared.embodiment)
        check_declaration(self._declared, body, self._facts.features, str(self.folder))
        return body

    @cached_property
    def _wanted(self) -> frozenset[str]:
        # The body checks the declaration first.
        _ = self._body
        return taken_names(self._declared, self._facts.features)

    @cached_property
    def _fingerprint(self) -> str:
        cut = [(part.split, part.first, part.take) for part in self._facts.parts]
        sizes = [size for size, _ in self._stamps]
        return _hash([self._facts.metadata, cut, sizes, self._declared.told])[:16]

    @cached_property
    def _key(self) -> str:
        """Of what is kept in a process; unlike the fingerprint, it knows where the files lie."""
        names = [str(self.folder), self.split, self.label, self.backend]
        return _hash([names, self._stamps, self._facts.metadata, self._declared.told])


def _declared_as(name: str) -> Standard:
    """The declaration of the data set that TFDS calls so: that of the data set oxe/name."""
    entries = [entry for entry in registry.names("dataset") if entry.startswith(_PREFIX)]
    known = [entry.removeprefix(_PREFIX) for entry in entries]
    if name not in known:
        raise UnknownName("RLDS data set that is declared", name, known)
    declared: DataSet = registry.load("dataset", _PREFIX + name)
    if declared.standard is None:
        raise BadConfig(f"The data set '{declared.name}' has no standard; give RldsSource one.")
    return declared.standard


def _hash(told: Any) -> str:
    return hashlib.sha256(msgspec.json.encode(told, order="sorted")).hexdigest()


def _size(episode: Episode) -> int:
    """Bytes that an episode takes, about; images that are read lazily stay in the file."""
    found = 2000
    for values in [*episode.observation.values(), *episode.action.values()]:
        found += values.nbytes if isinstance(values, np.ndarray) else 16 * len(values)
        if isinstance(values, list):
            found += sum(len(value) for value in values)
    return found
