"""When the steps of an episode were recorded."""

import numpy as np
import pyarrow as pa

from octoverse.data.lerobot import format as form
from octoverse.errors import BadData

REGULAR = 1e-4
"""A clock that is at most this far from its nominal one [s] is the nominal one in float32."""


def times_ns(table: pa.Table, fps: float, where: str) -> np.ndarray:
    """Times of an episode's steps, int64 (t,).

    They are the exact ones where a recording has them, else the timestamps: those that differ from
    the nominal clock by rounding alone are the nominal clock, all others stay as they are.

    Raises:
        BadData: if time does not go forward.
    """
    count = len(table)
    if form.TIME in table.column_names:
        times: np.ndarray = table[form.TIME].to_numpy().astype(np.int64)
    elif "timestamp" in table.column_names:
        column = table["timestamp"].combine_chunks()
        while pa.types.is_nested(column.type):
            column = column.flatten()
        stamps = column.to_numpy(zero_copy_only=False).astype(np.float64)
        if not np.isfinite(stamps).all():
            row = int(np.flatnonzero(~np.isfinite(stamps))[0])
            raise BadData(
                f"{where}: expected a time in every row, got {stamps[row]} in row {row}. "
                "Correct it, or leave the episode out."
            )
        nominal = stamps[0] + np.arange(count) / fps
        exact = nominal if np.abs(stamps - nominal).max() <= REGULAR else stamps
        times = np.round(exact * 1e9).astype(np.int64)
    else:
        times = np.round(np.arange(count) / fps * 1e9).astype(np.int64)
    back = np.flatnonzero(np.diff(times) <= 0)
    if back.size:
        row = int(back[0]) + 1
        raise BadData(
            f"{where}: expected time to go forward, got {times[row] / 1e9:.6f} s in row {row} "
            f"after {times[row - 1] / 1e9:.6f} s. Sort the rows, or leave the episode out."
        )
    return times
