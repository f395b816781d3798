"""Refuse a drive whose numbers cannot be what they claim to be, in words."""

import numpy as np

from octoverse.data.logs.drive import Drive
from octoverse.errors import BadData


def check(drive: Drive, where: str) -> None:
    """Raise BadData unless every signal of a drive is complete, finite and in order of time.

    Args:
        drive: What a reader gave.
        where: Which drive of which data, for the message.
    """
    if drive.ego is not None:
        ego = drive.ego
        _times(f"{where}: ego motion", ego.times_ns, len(ego.positions), len(ego.rotations))
        _shape(f"{where}: ego positions", ego.positions, (3,))
        _shape(f"{where}: ego rotations", ego.rotations, (3, 3))
        square = ego.rotations @ np.swapaxes(ego.rotations, -1, -2)
        off = np.abs(square - np.eye(3)).max()
        if off > 1e-3:
            raise BadData(
                f"{where}: expected rotation matrices in the ego motion, got some that are "
                f"{off:.2g} away from one. Look at the order of the quaternions' numbers."
            )
    for name, width in (("speed", 1), ("steering", 1), ("pedals", 2)):
        signal = getattr(drive, name)
        if signal is not None:
            _times(f"{where}: {name}", signal.times_ns, len(signal.values))
            _shape(f"{where}: {name}", np.asarray(signal.values), (width,))
    for name in ("command", "instruction"):
        words = getattr(drive, name)
        if words is not None:
            _times(f"{where}: {name}", words.times_ns, len(words.values))
    for role, camera in drive.cameras.items():
        _times(f"{where}: camera '{role}'", camera.times_ns, len(camera.images))
    agents = drive.agents
    if agents is not None and len(agents.times_ns):
        rows = [agents.identity, agents.kind, agents.positions, agents.headings, agents.size]
        lengths = [len(row) for row in (*rows, agents.velocity)]
        _times(f"{where}: agents", agents.times_ns, *lengths, repeated=True)
        _shape(f"{where}: agents' positions", agents.positions, (3,))
        _shape(f"{where}: agents' headings", agents.headings, ())


def _times(where: str, times_ns: np.ndarray, *lengths: int, repeated: bool = False) -> None:
    if any(length != len(times_ns) for length in lengths):
        counts = " and ".join(map(str, lengths))
        raise BadData(
            f"{where}: expected one sample for each of {len(times_ns)} times, got {counts}. "
            "A file was cut short; fetch it again."
        )
    if not len(times_ns):
        raise BadData(
            f"{where}: expected at least one sample, got none. The log is empty; leave it out."
        )
    if times_ns.dtype != np.int64:
        raise BadData(f"{where}: expected times in int64 nanoseconds, got {times_ns.dtype}.")
    steps = np.diff(times_ns)
    backwards = np.flatnonzero(steps < 0 if repeated else steps <= 0)
    if len(backwards):
        i = int(backwards[0])
        raise BadData(
            f"{where}: expected times that increase, got {steps[i] / 1e9:g} s from sample {i} to "
            f"{i + 1}. The clock was set or the log is out of order; sort it, or cut it there."
        )


def _shape(where: str, values: np.ndarray, row: tuple[int, ...]) -> None:
    if values.shape[1:] != row or values.dtype.kind not in "fiu":
        raise BadData(
            f"{where}: expected numbers of shape (n, {', '.join(map(str, row))}), "
            f"got {values.dtype} {values.shape}."
        )
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        place = tuple(int(i) for i in bad[0])
        raise BadData(
            f"{where}: expected finite numbers, got {values[place]} in sample {place[0]}. "
            "Leave such samples out of the log; a gap is better than a guess."
        )
