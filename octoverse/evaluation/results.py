"""What a policy reached, row by row: counted, written to a file, read back, shown as a table."""

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec
import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

from octoverse.errors import BadData
from octoverse.evaluation.intervals import wilson
from octoverse.evaluation.rollout import Rollout
from octoverse.simulation.world import EnvironmentSpec

_PACKAGES = ("octoverse", "torch", "numpy", "mujoco", "gymnasium", "pyzmq")


class RowResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One row of a table of results: one environment, so many episodes."""

    success: float
    """Share of episodes that succeeded."""
    episodes: int
    low: float
    high: float
    """Wilson's 95 % interval."""
    ade: float | None = None
    """Mean distance [m] of the predicted path from the expert's over 3 s."""
    ade_constant_velocity: float | None = None
    """The same of going straight on."""
    expert: float | None = None
    """Success of the world's scripted expert on the same seeds."""
    random: float | None = None
    """Success of chance on the same seeds."""
    environment: str = ""
    environment_version: str = ""
    embodiment: str = ""
    fingerprint: str = ""
    """Of the embodiment's meaning."""
    model: str = ""
    """Name and hash of the weights."""
    seeds: tuple[int, int] | None = None
    """First and last; all between were played."""
    failed_seeds: tuple[int, ...] = ()
    protocol: str = ""
    transport: str = ""
    steps: float = 0.0
    """Mean length of an episode, in control steps."""
    latency_ms: dict[str, float] = {}
    """p50, p95 and p99, from asking for a chunk until it was there."""
    metrics: dict[str, float] = {}
    """What the world measured at the end, averaged over episodes."""
    versions: dict[str, str] = {}


def summarise(
    spec: EnvironmentSpec,
    rollouts: Sequence[Rollout],
    *,
    model: str,
    transport: str,
    expert: Sequence[Rollout] = (),
    random: Sequence[Rollout] = (),
) -> RowResult:
    """Count the episodes of one environment.

    Args:
        spec: Which environment.
        rollouts: One for each seed.
        model: Name and hash of the weights.
        transport: How the policy was asked, in words.
        expert: What the world's expert did on the same seeds, if it was asked.
        random: What chance did.

    Raises:
        ValueError: if there is no rollout.
    """
    successes = sum(one.success for one in rollouts)
    low, high = wilson(successes, len(rollouts))
    seeds = sorted(one.seed for one in rollouts)
    latencies = [ms for one in rollouts for ms in one.latencies_ms] or [0.0]
    return RowResult(
        success=successes / len(rollouts),
        episodes=len(rollouts),
        low=low,
        high=high,
        ade=_mean([d for one in rollouts for d in one.displacements]),
        ade_constant_velocity=_mean([d for one in rollouts for d in one.displacements_straight]),
        expert=_mean([one.success for one in expert]),
        random=_mean([one.success for one in random]),
        environment=spec.name,
        environment_version=spec.version,
        embodiment=spec.embodiment,
        fingerprint=spec.body.fingerprint,
        model=model,
        seeds=(seeds[0], seeds[-1]),
        failed_seeds=tuple(sorted(one.seed for one in rollouts if not one.success)),
        protocol=_protocol(spec, rollouts),
        transport=transport,
        steps=float(np.mean([one.steps for one in rollouts])),
        latency_ms={f"p{p}": round(float(np.percentile(latencies, p)), 2) for p in (50, 95, 99)},
        metrics={
            name: round(float(np.mean([one.metrics[name] for one in rollouts])), 5)
            for name in rollouts[0].metrics
        },
        versions=versions(),
    )


def versions() -> dict[str, str]:
    """The packages that decide a result, and Python."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def write(rows: Mapping[str, RowResult], path: Path) -> None:
    """Write rows by their name, as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(dict(rows)), indent=1) + b"\n")


def read(path: Path) -> dict[str, RowResult]:
    """Read rows that `write` wrote.

    Raises:
        BadData: if the file is not such a table.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, RowResult])
    except (OSError, msgspec.DecodeError) as error:
        raise BadData(
            f"{path}: expected results as octoverse eval writes them, got none: {error}. "
            "Make them again with: octoverse eval CHECKPOINT --out FILE"
        ) from error


def table(rows: Mapping[str, RowResult], title: str) -> Table:
    """All rows, for the terminal."""
    paths = any(row.ade is not None for row in rows.values())
    heads = ("row", "success", "95 %", "of")
    made = Table(*heads, title=title, box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    if paths:
        made.add_column("ADE (straight)")
    for head in ("expert", "chance", "p50, p95"):
        made.add_column(head)
    for name, row in rows.items():
        cells = [name, f"{row.success:.0%}", f"{row.low:.0%}-{row.high:.0%}", str(row.episodes)]
        cells += [path_error(row)] if paths else []
        cells += [percent(row.expert), percent(row.random)]
        latencies = [f"{row.latency_ms[p]:.0f}" for p in ("p50", "p95") if p in row.latency_ms]
        cells += [f"{', '.join(latencies)} ms" if latencies else "-"]
        made.add_row(*cells)
    return made


def path_error(row: RowResult) -> str:
    """The error of a path beside that of going straight on, in words; empty without a path."""
    if row.ade is None or row.ade_constant_velocity is None:
        return ""
    return f"{row.ade:.2f} ({row.ade_constant_velocity:.2f}) m"


def percent(share: float | None) -> str:
    """A share in words."""
    return "-" if share is None else f"{share:.0%}"


def _protocol(spec: EnvironmentSpec, rollouts: Sequence[Rollout]) -> str:
    every = max(one.executed for one in rollouts)
    chunks = "control step" if every == 1 else f"{every} control steps"
    words = (
        f"closed loop in simulated time at {spec.body.control_hz:g} Hz, a new chunk every "
        f"{chunks}, at most {spec.max_steps} steps"
    )
    if not rollouts[0].displacements:
        return words
    return f"{words}; paths compared with the expert's from the same place"


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
