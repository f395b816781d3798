"""A checkpoint is a folder that describes itself: all that serving needs, and nothing half-written.

config.json, embodiments.json, statistics.json, versions.json and model.safetensors; a training run
adds trainer/. A run's folder holds checkpoints/step-N, of which the newest is meant.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from octoverse.config import PolicyConfig, from_plain, to_plain
from octoverse.embodiment import Embodiment
from octoverse.errors import BadCheckpoint, OctoverseError
from octoverse.normalize import BodyStatistics
from octoverse.policy import Policy

FORMAT = 1
_WEIGHTS = "model.safetensors"
_TOLD = 3
"""Tensors of one kind that an error names."""


@dataclass(frozen=True, kw_only=True)
class Description:
    """Everything in a checkpoint but its weights."""

    config: PolicyConfig
    bodies: Mapping[str, Embodiment]
    statistics: Mapping[str, BodyStatistics]


def save(
    policy: Policy,
    folder: Path,
    *,
    weights: Mapping[str, Tensor] | None = None,
    also: Callable[[Path], None] | None = None,
) -> None:
    """Write a checkpoint under a temporary name, sync it, then rename it.

    Args:
        policy: What to save.
        folder: Where; must not exist.
        weights: Instead of the policy's own, such as their running mean.
        also: Writes more files into the folder before it gets its name.

    Raises:
        BadCheckpoint: if `folder` exists.
    """
    if folder.exists():
        raise BadCheckpoint(f"{folder} exists. Give another folder, or move it away.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    waiting = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    shutil.rmtree(waiting, ignore_errors=True)
    waiting.mkdir()
    try:
        _write(policy, waiting, weights, also)
        os.replace(waiting, folder)
    except BaseException:
        shutil.rmtree(waiting, ignore_errors=True)
        raise


def _write(
    policy: Policy,
    waiting: Path,
    weights: Mapping[str, Tensor] | None,
    also: Callable[[Path], None] | None,
) -> None:
    state = policy.state_dict() if weights is None else weights
    save_file(
        {key: value.detach().cpu().contiguous() for key, value in state.items()},
        waiting / _WEIGHTS,
        {"format": "pt"},
    )
    content: dict[str, Any] = {
        "config.json": to_plain(policy.config),
        "embodiments.json": policy.bodies,
        "statistics.json": policy.body_statistics,
        "versions.json": {
            "format": FORMAT,
            "name": re.sub("-[0-9a-f]{8}$", "", policy.name),
            "weights_sha256": _hash(waiting / _WEIGHTS),
            "octoverse": version("octoverse"),
            "torch": str(torch.__version__),
        },
    }
    for name, value in content.items():
        (waiting / name).write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=1))
    # safetensors lets nobody but the owner read its file; a server may run as another user.
    (waiting / _WEIGHTS).chmod((waiting / "config.json").stat().st_mode)
    if also is not None:
        also(waiting)
    for path in [*waiting.rglob("*"), waiting]:
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


def load(folder: Path | str, device: str | torch.device = "cpu") -> Policy:
    """Read a policy, ready to act.

    Raises:
        BadCheckpoint: if a file is missing, damaged, or of a version that is not known.
    """
    folder = resolve(Path(folder))
    described, versions = describe(folder), _json(folder / "versions.json")
    try:
        policy = Policy(described.config, described.bodies, described.statistics)
    except OctoverseError as error:
        raise BadCheckpoint(f"{folder}: its files do not fit each other: {error}") from error
    weights = read_weights(folder)
    wrong = differences(policy.state_dict(), weights)
    if wrong:
        raise BadCheckpoint(
            f"{folder / _WEIGHTS}: expected the tensors that config.json describes, got others: "
            f"{'; '.join(wrong)}. The two files belong to different runs, or to another version of "
            f"octoverse: copy both again, or use octoverse {versions.get('octoverse', '?')}, which "
            "wrote them."
        )
    policy.load_state_dict(weights)
    policy.name = f"{versions['name']}-{versions['weights_sha256'][:8]}"
    return policy.to(device).eval()


def differences(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> list[str]:
    """In words: which tensors are missing, too many or of another shape, a few of each kind."""
    lacking = [f"'{name}' {tuple(expected[name].shape)}" for name in expected if name not in found]
    beyond = [f"'{name}' {tuple(found[name].shape)}" for name in found if name not in expected]
    other = [
        f"'{name}' expected {tuple(value.shape)}, found {tuple(found[name].shape)}"
        for name, value in expected.items()
        if name in found and found[name].shape != value.shape
    ]
    kinds = (("missing", lacking), ("not expected", beyond), ("of another shape", other))
    return [
        f"{len(names)} {kind} ({', '.join(sorted(names)[:_TOLD])}{', ...' * (len(names) > _TOLD)})"
        for kind, names in kinds
        if names
    ]


def describe(folder: Path) -> Description:
    """Read everything but the weights; `folder` is a checkpoint itself.

    Raises:
        BadCheckpoint: as `load`.
    """
    versions = _json(folder / "versions.json")
    if versions.get("format") != FORMAT:
        raise BadCheckpoint(
            f"{folder}: expected a checkpoint of format {FORMAT}, which octoverse "
            f"{version('octoverse')} reads, got format {versions.get('format')}, written by "
            f"octoverse {versions.get('octoverse', '?')}. Use that version, or train anew."
        )
    try:
        return Description(
            config=from_plain(_json(folder / "config.json")),
            bodies=_typed(folder / "embodiments.json", dict[str, Embodiment]),
            statistics=_typed(folder / "statistics.json", dict[str, BodyStatistics]),
        )
    except BadCheckpoint:
        raise
    except OctoverseError as error:
        raise BadCheckpoint(f"{folder / 'config.json'} cannot be used: {error}") from error


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Read the weights; `folder` is a checkpoint itself.

    Raises:
        BadCheckpoint: if they are missing or not what was written.
    """
    path = folder / _WEIGHTS
    cure = "It was cut short or changed; copy the folder again or use an older checkpoint."
    if not path.is_file():
        raise BadCheckpoint(f"{folder}: expected {_WEIGHTS}, found none. {cure}")
    if _hash(path) != _json(folder / "versions.json").get("weights_sha256"):
        raise BadCheckpoint(f"{path}: its hash is not the one in versions.json. {cure}")
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise BadCheckpoint(f"{path} cannot be read: {error}. {cure}") from error


def resolve(folder: Path) -> Path:
    """Find the checkpoint that is meant: the folder itself, or the newest of a run.

    Raises:
        BadCheckpoint: if there is none.
    """
    if (folder / "config.json").is_file() or (folder / _WEIGHTS).is_file():
        return folder
    found = steps(folder)
    if found:
        return found[-1]
    if not folder.exists():
        raise BadCheckpoint(f"{folder} does not exist. Give a checkpoint's or a run's folder.")
    raise BadCheckpoint(
        f"{folder}: expected a checkpoint (config.json, {_WEIGHTS}) or a run with checkpoints/, "
        "found neither. Train one with: octoverse train --recipe demo"
    )


def stamp(folder: Path) -> tuple[Path, int]:
    """Say which checkpoint is meant now, and when it was written [ns].

    Raises:
        BadCheckpoint: if there is none.
    """
    found = resolve(folder)
    return found, (found / "versions.json").stat().st_mtime_ns


def steps(run: Path) -> list[Path]:
    """The complete checkpoints of a run, oldest first."""
    return sorted((run / "checkpoints").glob("step-*"))


def _json(path: Path) -> dict[str, Any]:
    cure = "The checkpoint is incomplete; copy it again or use an older one."
    if not path.is_file():
        raise BadCheckpoint(f"{path.parent}: expected {path.name}, found none. {cure}")
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
    except ValueError as error:
        raise BadCheckpoint(f"{path} is not JSON: {error}. {cure}") from error
    if not isinstance(found, dict):
        raise BadCheckpoint(f"{path}: expected fields by name, got {type(found).__name__}. {cure}")
    return found


def _typed(path: Path, kind: Any) -> Any:
    try:
        return msgspec.convert(_json(path), kind)
    except msgspec.ValidationError as error:
        raise BadCheckpoint(
            f"{path}: {error}. It is of another version; see versions.json."
        ) from error


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
