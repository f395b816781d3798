"""Read donkeycar tubs (version 2): camera, steering and throttle of a small RC car.

donkeycar counts steering to the left as negative; here 1 is full left.
Source: autorope/donkeycar, donkeycar/parts/tub_v2.py and datastore_v2.py, version 4 to 5.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from octoverse.data.source import Images, body_of, check_index
from octoverse.episode import Episode
from octoverse.errors import BadConfig, BadData

IMAGE, STEERING, THROTTLE, MODE = "cam/image_array", "user/angle", "user/throttle", "user/mode"


class _Record(msgspec.Struct, kw_only=True):
    index: int = msgspec.field(name="_index")
    session: str | None = msgspec.field(name="_session_id", default=None)
    image: str = msgspec.field(name=IMAGE)
    steering: float = msgspec.field(name=STEERING)
    throttle: float = msgspec.field(name=THROTTLE)
    mode: str = msgspec.field(name=MODE, default="user")


@dataclass(frozen=True, kw_only=True)
class DonkeycarSource:
    """A tub, cut into episodes where records were deleted or the session changes.

    Times are nominal (20 Hz), since a converted tub holds the times of its conversion. Steps that
    an autopilot drove (user/mode) have no valid action.
    """

    folder: Path
    """Holds manifest.json."""
    split: Literal["all", "train", "val"] = "all"
    """val is the last part of the tub, train what is before it, less a gap."""
    held_out: float = 0.2
    """Share of the records in val."""
    gap: int = 16
    """Records left out before val, so that no action chunk of train reaches into it."""
    label: str = ""
    """How mixtures call it; the folder's name and split unless given."""
    embodiment: str = "rc_car"

    @property
    def name(self) -> str:
        """How mixtures and reports call it."""
        return self.label or f"{Path(self.folder).name}/{self.split}"

    def __len__(self) -> int:
        return len(self._runs)

    def lengths(self) -> np.ndarray:
        """Steps of every episode, int64 (episodes,)."""
        return np.array([len(run) for run in self._runs], np.int64)

    def fingerprint(self) -> str:
        """Hash of the catalogue and the split."""
        told = [self.embodiment, [[msgspec.to_builtins(r) for r in run] for run in self._runs]]
        return hashlib.sha256(msgspec.json.encode(told)).hexdigest()[:16]

    def episode(self, index: int) -> Episode:
        """Read one episode; its images are read, encoded, when they are indexed.

        Raises:
            BadData: if the tub is damaged; indexing an image that is missing raises it too.
        """
        check_index(self, index)
        run = self._runs[index]
        names = [record.image for record in run]
        images = partial(_read, Path(self.folder), names, run[0].index)
        by_hand = np.array([record.mode == "user" for record in run])
        return Episode(
            embodiment=self.embodiment,
            source=self.name,
            key=f"{run[0].index}-{run[-1].index}",
            times_ns=np.round(np.arange(len(run)) * (1e9 / body_of(self).control_hz)).astype(
                np.int64
            ),
            observation={"front": Images(len(run), images)},
            action={"pedals": pedals([r.steering for r in run], [r.throttle for r in run])},
            action_valid={} if by_hand.all() else {"pedals": by_hand},
        )

    @cached_property
    def _runs(self) -> list[list[_Record]]:
        kept = self._kept()
        if self.split != "all":
            if not 0 < self.held_out < 1 or self.gap < 0:
                raise BadConfig(
                    "held_out must be between 0 and 1 and gap at least 0, got "
                    f"{self.held_out} and {self.gap}."
                )
            start = round(len(kept) * (1 - self.held_out))
            kept = kept[start:] if self.split == "val" else kept[: max(start - self.gap, 0)]
            if not kept:
                raise BadData(
                    f"{self.folder}: nothing is left for the split '{self.split}'. "
                    "Record more, or choose another held_out or gap."
                )
        runs: list[list[_Record]] = []
        for record in kept:
            last = runs[-1][-1] if runs else None
            if last is None or (record.index, record.session) != (last.index + 1, last.session):
                runs.append([])
            runs[-1].append(record)
        return runs

    def _kept(self) -> list[_Record]:
        manifest = self._manifest()
        records: list[_Record] = []
        for name in manifest["paths"]:
            path = Path(self.folder) / name
            if not path.exists():
                raise BadData(f"{path}: the manifest names this catalogue, found none. Fetch it.")
            for number, line in enumerate(path.read_bytes().splitlines(), 1):
                try:
                    records.append(msgspec.json.decode(line, type=_Record))
                except msgspec.DecodeError as error:
                    raise BadData(
                        f"{path}, line {number}: expected a record in JSON with {IMAGE}, "
                        f"{STEERING} and {THROTTLE}, got {line[:60]!r}: {error}. "
                        "Fetch the file again, or delete the line."
                    ) from error
        expected = manifest["current_index"] - 1
        if not records or records[-1].index != expected:
            got = f"{records[-1].index} as the last" if records else "none"
            raise BadData(
                f"{self.folder}: expected records up to {expected} (manifest.json), got {got}. "
                "The tub is empty or was cut short; fetch it again."
            )
        deleted = set(manifest.get("deleted_indexes", ()))
        return [record for record in records if record.index not in deleted]

    def _manifest(self) -> dict[str, Any]:
        path = Path(self.folder) / "manifest.json"
        if not path.exists():
            raise BadData(
                f"{self.folder}: expected a donkeycar tub, found no manifest.json. Give the folder "
                "that holds it; tubs of version 1 are converted by donkeycar's convert_to_tub_v2."
            )
        try:
            # The fifth line says where the records are; those before describe the inputs.
            found = msgspec.json.decode(path.read_bytes().splitlines()[4], type=dict[str, Any])
            assert isinstance(found["paths"], list) and isinstance(found["current_index"], int)
        except (IndexError, KeyError, AssertionError, msgspec.DecodeError) as error:
            raise BadData(
                f"{path}: expected five lines of JSON, the last with paths and current_index. "
                "The file was cut short; fetch it again."
            ) from error
        return found


def _read(folder: Path, names: Sequence[str], first: int, index: int) -> bytes:
    path = folder / "images" / names[index]
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadData(
            f"{path}: record {first + index} names this image, got: {error.strerror}. Fetch it, or "
            "delete the record with: donkey tubclean."
        ) from error


def pedals(steering: list[float], throttle: list[float]) -> np.ndarray:
    """From donkeycar's steering (left negative) and throttle to ours (left positive).

    Returns:
        float32 (t, 2): steering, throttle.
    """
    return np.stack([-np.asarray(steering), np.asarray(throttle)], axis=1).astype(np.float32)
