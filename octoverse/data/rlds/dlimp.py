"""Records of a TFDS folder through dlimp: TensorFlow reads them in a process of its own.

For each data set, a process that opens it starts one reader process of about 0.6 GB. Reading in
order is fast; another order opens the data set anew for every episode.
"""

import atexit
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from multiprocessing import Pipe
from typing import Any

import numpy as np

from octoverse.data.rlds import address
from octoverse.data.rlds.example import Values
from octoverse.data.rlds.facts import Part
from octoverse.errors import BadConfig, BadData, MissingExtra, OctoverseError

_INSTALL = (
    "pip install tensorflow-cpu tensorflow-datasets, then "
    'pip install --no-deps "dlimp @ git+https://github.com/kvablack/dlimp"'
)


class Reader:
    """One reader process.

    Args:
        folder: The data set's; a local path or a gs:// address.
        command: What is run; it is given a file descriptor and the folder.
    """

    def __init__(
        self,
        folder: str,
        command: Sequence[str] = (sys.executable, "-m", "octoverse.data.rlds.dlimp_process"),
    ) -> None:
        self.folder, self.opened = folder, ("", -1)
        self._lock = threading.Lock()
        self._log = tempfile.TemporaryFile()
        self._connection, theirs = Pipe()
        # The reader leaves the accelerator to the training process.
        quiet = {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2"}
        self._process = subprocess.Popen(
            [*command, str(theirs.fileno()), folder],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._log,
            env=os.environ | quiet,
        )
        theirs.close()
        try:
            self._answer()
        except OctoverseError:
            self.close()
            raise

    def steps(self, split: str) -> list[int]:
        """Steps of every episode of a split."""
        with self._lock:
            self._connection.send(("steps", split))
            return list(self._answer())

    def episode(
        self, split: str, index: int, stop: int, names: Collection[str]
    ) -> dict[str, Values]:
        """Those features of one episode; asking for the next one goes on from there.

        Args:
            split: As it is recorded, without a slice.
            index: Of the episode in the split.
            stop: The split is read ahead up to this episode, which is not part of it.
            names: Flat names of the features.

        Raises:
            BadData: if dlimp or TensorFlow fail.
        """
        with self._lock:
            if self.opened != (split, index):
                self._connection.send(("open", f"{split}[{index}:{stop}]"))
                self._answer()
            self.opened = ("", -1)
            self._connection.send(("next", frozenset(names)))
            found: dict[str, Values] = self._answer()
            self.opened = (split, index + 1) if index + 1 < stop else ("", -1)
            return found

    def close(self) -> None:
        """End the process."""
        self._connection.close()
        self._process.kill()
        self._process.wait()
        self._log.close()

    def _answer(self) -> Any:
        try:
            kind, told = self._connection.recv()
        except (EOFError, OSError) as error:
            code = self._process.wait()
            self._log.seek(0)
            last = self._log.read().decode(errors="replace").strip().splitlines()[-3:]
            raise BadData(
                f"{self.folder}: the reader process (dlimp, TensorFlow) ended with code {code}: "
                f"{' | '.join(last) or 'it said nothing'}"
            ) from error
        if kind == "missing":
            raise MissingExtra(f"Reading {self.folder} through dlimp", told, install=_INSTALL)
        if kind == "error":
            raise BadData(f"{self.folder}: dlimp could not read it: {told}")
        return told


_READERS: dict[tuple[int, str], Reader] = {}
"""By process, because a forked one must not talk to the reader of its parent."""


@dataclass(frozen=True, kw_only=True)
class DlimpRecords:
    """The records of a split through dlimp; has the face of `native.Records`."""

    folder: str
    parts: tuple[Part, ...]
    steps: np.ndarray
    """int64 (episodes,)."""

    @classmethod
    def find(cls, folder: str, parts: tuple[Part, ...]) -> "DlimpRecords":
        """Count the steps of every episode; TensorFlow reads all of them for it.

        Raises:
            BadConfig: if TensorFlow does not open such addresses.
            MissingExtra: if dlimp or TensorFlow is not installed.
            BadData: if dlimp fails.
        """
        if address.local_path(folder) is None and not folder.startswith("gs://"):
            raise BadConfig(
                f"{folder}: the backend 'dlimp' opens local folders and gs://. "
                "Use the backend 'native', or copy the folder."
            )
        reader = _reader(folder)
        counts = [
            reader.steps(f"{part.split}[{part.first}:{part.first + part.take}]") for part in parts
        ]
        for part, count in zip(parts, counts, strict=True):
            if len(count) != part.take:
                raise BadData(
                    f"{part.file}: expected {part.take} episodes (dataset_info.json), got "
                    f"{len(count)}. The file was cut short; fetch it again."
                )
        return cls(folder=folder, parts=parts, steps=np.concatenate(counts).astype(np.int64))

    def where(self, index: int) -> str:
        """Where one episode lies, in words."""
        part, place = self._find(index)
        return f"{part.file}, record {part.skip + place}"

    def record(self, index: int, wanted: Collection[str]) -> Mapping[str, Values]:
        """Those features of one episode.

        Raises:
            BadData: if dlimp fails.
        """
        part, place = self._find(index)
        stop = part.first + part.take
        return _reader(self.folder).episode(part.split, part.first + place, stop, wanted)

    def lazy(self, index: int, values: Sequence[bytes]) -> Sequence[bytes]:
        """Byte strings as they are: they have come from the other process."""
        return values

    def _find(self, index: int) -> tuple[Part, int]:
        for part in self.parts:
            if index < part.take:
                return part, index
            index -= part.take
        raise IndexError(index)


def _reader(folder: str) -> Reader:
    key = (os.getpid(), folder)
    if key not in _READERS:
        if find_spec("dlimp") is None:
            raise MissingExtra(f"Reading {folder} through dlimp", "dlimp", install=_INSTALL)
        _READERS[key] = Reader(address.local_path(folder) or folder)
        atexit.register(_READERS[key].close)
    return _READERS[key]
