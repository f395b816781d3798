"""Velocities of other agents from where they were seen, for logs that do not state them."""

import numpy as np


def velocities(
    times_ns: np.ndarray, identity: np.ndarray, positions: np.ndarray, *, within: float
) -> np.ndarray:
    """Velocity over ground by difference: from the sighting before to the one after.

    At both ends of a track, and beside a gap, from the one neighbour that is left.

    Args:
        times_ns: int64 (m,).
        identity: (m,): which agent a row is of; no agent twice at one time.
        positions: (m, 3 or 2) in a frame that does not move [m].
        within: Neighbours further away in time [s] are not looked at.

    Returns:
        float64 (m, 2) [m/s], NaN where there is no neighbour.
    """
    code = np.unique(identity, return_inverse=True)[1]
    order = np.lexsort((times_ns, code))
    code, seconds, places = code[order], times_ns[order], positions[order, :2]
    row = np.arange(len(order))
    joined = (code[1:] == code[:-1]) & (np.diff(seconds) <= within * 1e9)
    first, last = row.copy(), row.copy()
    first[1:] -= joined
    last[:-1] += joined
    span = (seconds[last] - seconds[first]) / 1e9
    found = np.full((len(order), 2), np.nan)
    known = span > 0
    found[known] = (places[last] - places[first])[known] / span[known, None]
    back = np.empty_like(found)
    back[order] = found
    return back
