"""Planar motion: frames, roll-outs, simple predictions and paths that grow old.

A pose is x [m], y [m], heading [rad] along the last axis; x forward, y left.

Source: the unicycle's roll-out and its fit to a path are those of Alpamayo-R1 (NVlabs/alpamayo,
2025), the fit with its constants.
"""

import numpy as np

from octoverse.least_squares import roughness, solve_ridged


def wrap(angle: np.ndarray) -> np.ndarray:
    """Bring angles [rad] into [-pi, pi)."""
    return (np.asarray(angle) + np.pi) % (2 * np.pi) - np.pi


def compose(frame: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """Express poses that are given in `frame` in the frame that `frame` itself is given in.

    Args:
        frame: Poses (..., 3).
        pose: Poses (..., 3); both broadcast.

    Returns:
        Poses (..., 3), heading in [-pi, pi).
    """
    frame, pose = np.asarray(frame), np.asarray(pose)
    points = transform(frame, pose[..., :2])
    heading = wrap(frame[..., 2] + pose[..., 2])
    return np.concatenate([points, heading[..., None]], axis=-1)


def inverse(pose: np.ndarray) -> np.ndarray:
    """Poses (..., 3) that undo others: composing a pose with its inverse gives zero."""
    pose = np.asarray(pose)
    x, y, cos, sin = pose[..., 0], pose[..., 1], np.cos(pose[..., 2]), np.sin(pose[..., 2])
    return np.stack([-x * cos - y * sin, x * sin - y * cos, wrap(-pose[..., 2])], axis=-1)


def relative(frame: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """Express poses (..., 3) as seen from `frame`, where both are given in one frame."""
    frame, pose = np.asarray(frame), np.asarray(pose)
    # The difference first: far from the origin it keeps digits that an inverse would lose.
    gap = pose - frame
    cos, sin = np.cos(frame[..., 2]), np.sin(frame[..., 2])
    x = cos * gap[..., 0] + sin * gap[..., 1]
    y = cos * gap[..., 1] - sin * gap[..., 0]
    return np.stack([x, y, wrap(gap[..., 2])], axis=-1)


def transform(frame: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Express points (..., 2) that are given in `frame` in the frame that `frame` is given in."""
    frame, points = np.asarray(frame), np.asarray(points)
    cos, sin = np.cos(frame[..., 2]), np.sin(frame[..., 2])
    x = frame[..., 0] + cos * points[..., 0] - sin * points[..., 1]
    y = frame[..., 1] + sin * points[..., 0] + cos * points[..., 1]
    return np.stack([x, y], axis=-1)


def roll_out(
    speed: np.ndarray, acceleration: np.ndarray, curvature: np.ndarray, dt: float
) -> tuple[np.ndarray, np.ndarray]:
    """Drive a unicycle from the origin.

    Args:
        speed: At the start [m/s], (...).
        acceleration: Kept for one step each [m/s^2], (..., t).
        curvature: Kept for one step each [1/m], (..., t); that of a bicycle is
            tan(steering) / wheelbase.
        dt: Length of a step [s].

    Returns:
        Poses (..., t, 3) and speeds (..., t) at the end of each step.
    """
    acceleration, curvature = np.asarray(acceleration), np.asarray(curvature)
    after = np.asarray(speed)[..., None] + np.cumsum(acceleration, axis=-1) * dt
    before = after - acceleration * dt
    turn = curvature * before * dt + 0.5 * curvature * acceleration * dt**2
    heading = np.cumsum(turn, axis=-1)
    last = heading - turn
    x = np.cumsum(dt / 2 * (before * np.cos(last) + after * np.cos(heading)), axis=-1)
    y = np.cumsum(dt / 2 * (before * np.sin(last) + after * np.sin(heading)), axis=-1)
    return np.stack([x, y, wrap(heading)], axis=-1), after


def fit_unicycle(path: np.ndarray, speed: np.ndarray, dt: float) -> tuple[np.ndarray, np.ndarray]:
    """Find the controls that drive a unicycle along a path: `roll_out`, turned round.

    Four least squares, each with a penalty on roughness: headings, speeds, accelerations,
    curvatures. On a smooth path the roll-out comes back within 1 to 3 mm on average, with 3 cm of
    noise within 2 to 4 cm; but noise makes accelerations jump, at the start above all, since the
    speed there is given. Nothing is clipped: who makes labels leaves out those beyond the limits.

    Args:
        path: Poses (..., t, 3) at the end of each step, seen from the pose at the start.
        speed: At the start [m/s], (...), as `fit_speed` finds it.
        dt: Length of a step [s].

    Returns:
        Accelerations [m/s^2] and curvatures [1/m], both (..., t).
    """
    path, speed = np.asarray(path, np.float64), np.asarray(speed, np.float64)
    if path.ndim < 2 or not path.shape[-2] or path.shape[-1] != 3:
        raise ValueError(f"a path must be (..., steps, 3) poses, got shape {path.shape}.")
    heading, gap = _fit_headings(path, dt)
    v = _fit_speeds(heading, gap, dt, speed)
    rough = roughness(v.shape[-1] - 1, 2, 1e-4 / dt**4)
    acceleration = solve_ridged(np.eye(len(rough)) + rough, np.diff(v, axis=-1) / dt, 1e-4)
    arc = dt * v[..., :-1] + 0.5 * dt**2 * acceleration
    turned = np.diff(heading, axis=-1)
    curvature = solve_ridged((arc**2)[..., None] * np.eye(len(rough)) + rough, arc * turned, 1e-4)
    return acceleration, curvature


def fit_speed(history: np.ndarray, dt: float) -> np.ndarray:
    """Find the speed at the end of a history, by the fit of `fit_unicycle`.

    Args:
        history: Poses (..., h, 3), h >= 2, oldest first, the last one now and zero.
        dt: Time between them [s].

    Returns:
        Speed now along x [m/s], (...).
    """
    back = _history(history)[..., -2::-1, :].astype(np.float64)
    # Backwards in time it is a path from here.
    return _fit_speeds(*_fit_headings(back, -dt), -dt)[..., 0]


def _fit_headings(path: np.ndarray, dt: float) -> tuple[np.ndarray, np.ndarray]:
    """Headings (..., t + 1) from 0 at the start, and displacements (..., t, 2) of each step."""
    start = np.zeros_like(path[..., :1, :])
    rows = np.concatenate([start, path], axis=-2)
    yaw = np.unwrap(rows[..., 2], axis=-1)
    rough = roughness(yaw.shape[-1], 3, 1e-6 / dt**6)[1:, 1:]
    found = solve_ridged(np.eye(len(rough)) + rough, yaw[..., 1:], 1e-8)
    heading = np.concatenate([start[..., 2], found], axis=-1)
    return heading, np.diff(rows[..., :2], axis=-2)


def _fit_speeds(
    heading: np.ndarray, gap: np.ndarray, dt: float, first: np.ndarray | None = None
) -> np.ndarray:
    """Speeds (..., t + 1), along the headings, whose means over each step make its gap."""
    ahead = np.stack([np.cos(heading), np.sin(heading)], axis=-1)
    size = heading.shape[-1]
    known = np.zeros((*heading.shape, size)) + roughness(size, 3, 1e-6 / dt**6)
    aim = np.zeros_like(heading)
    step = np.arange(size - 1)
    beside = (ahead[..., :-1, :] * ahead[..., 1:, :]).sum(-1)
    known[..., step, step] += 1
    known[..., step + 1, step + 1] += 1
    known[..., step, step + 1] += beside
    known[..., step + 1, step] += beside
    aim[..., :-1] += (ahead[..., :-1, :] * gap).sum(-1) * 2 / dt
    aim[..., 1:] += (ahead[..., 1:, :] * gap).sum(-1) * 2 / dt
    if first is None:
        return solve_ridged(known, aim, 1e-4)
    aim = aim[..., 1:] - known[..., 1:, 0] * first[..., None]
    later = solve_ridged(known[..., 1:, 1:], aim, 1e-4)
    return np.concatenate([first[..., None], later], axis=-1)


def constant_velocity(history: np.ndarray, hz: float, steps: int, future_hz: float) -> np.ndarray:
    """Predict straight on at the present speed and heading.

    Args:
        history: Poses (..., h, 3) at `hz`, h >= 2, the last one now and zero.
        hz: Rate of the history.
        steps: How many poses to predict.
        future_hz: Their rate.

    Returns:
        Poses (..., steps, 3); row i is (i + 1) / future_hz seconds from now.
    """
    return _predict(history, hz, steps, future_hz, turning=False)


def constant_turn(history: np.ndarray, hz: float, steps: int, future_hz: float) -> np.ndarray:
    """Predict the present speed and yaw rate kept; arguments and result as constant_velocity."""
    return _predict(history, hz, steps, future_hz, turning=True)


def _predict(
    history: np.ndarray, hz: float, steps: int, future_hz: float, *, turning: bool
) -> np.ndarray:
    history = _history(history)
    last = relative(history[..., -1, :], history[..., -2, :])
    half = last[..., 2] / 2
    # np.sinc(a / pi) is sin(a) / a: chord over arc, also where the arc is straight.
    arc = (last[..., 0] * np.cos(half) + last[..., 1] * np.sin(half)) / np.sinc(half / np.pi)
    speed = -hz * arc
    rate = -hz * last[..., 2] if turning else np.zeros_like(speed)
    time = np.arange(1, steps + 1) / future_hz
    heading = rate[..., None] * time
    chord = speed[..., None] * time * np.sinc(heading / 2 / np.pi)
    poses = [chord * np.cos(heading / 2), chord * np.sin(heading / 2), wrap(heading)]
    return np.stack(poses, axis=-1)


def _history(history: np.ndarray) -> np.ndarray:
    history = np.asarray(history)
    if history.ndim < 2 or history.shape[-2] < 2 or history.shape[-1] != 3:
        raise ValueError(
            f"history must be (..., at least 2, 3) poses, got shape {history.shape}. "
            "A speed needs two poses."
        )
    return history


def resample(path: np.ndarray, hz: float, times: np.ndarray) -> np.ndarray:
    """Read a path off at other times.

    Between rows it is linear, from the origin at time 0; before and after it goes straight on
    at the speed of its first and last piece.

    Args:
        path: Poses (t, 3), row i at (i + 1) / hz seconds.
        hz: Rate of the path.
        times: When to read it [s], (n,).

    Returns:
        Poses (n, 3).
    """
    path = _checked(path)
    rows = np.concatenate([np.zeros((1, 3)), path])
    place = np.asarray(times, dtype=np.float64) * hz
    start = np.clip(np.floor(place).astype(np.int64), 0, len(rows) - 2)
    share = (place - start)[..., None]
    step = rows[1:] - rows[:-1]
    found = rows[start] + share * step[start]
    # Angles go the short way round, and stay as they are where the path goes on straight.
    found[..., 2] = rows[start, 2] + np.clip(share[..., 0], 0, 1) * wrap(step[start, 2])
    found[..., 2] = wrap(found[..., 2])
    return found.astype(path.dtype)


def shift_path(
    waypoints: np.ndarray, hz: float, elapsed: float, displacement: np.ndarray
) -> np.ndarray:
    """Express an older path at a later moment.

    What is past is dropped, the rest is seen from where the body is now, and the end goes
    straight on at its last speed, so that the number of rows stays.

    Args:
        waypoints: Poses (t, 3), row i at (i + 1) / hz seconds after the old moment.
        hz: Their rate.
        elapsed: Time from the old moment to the later one [s].
        displacement: Pose (3,) of the body at the later moment in its old frame.

    Returns:
        Poses (t, 3), row i at (i + 1) / hz seconds after the later moment, in the later frame.
    """
    if elapsed < 0:
        raise ValueError(f"elapsed must be at least 0 s, got {elapsed:g} s.")
    times = elapsed + np.arange(1, len(waypoints) + 1) / hz
    moved = resample(waypoints, hz, times)
    return relative(displacement, moved).astype(moved.dtype)


def average_displacement(
    predicted: np.ndarray, actual: np.ndarray, hz: float, seconds: float
) -> np.ndarray:
    """Average displacement error: mean distance [m] over every step up to `seconds`.

    Args:
        predicted: Poses or points (..., t, 2 or 3), row i at (i + 1) / hz seconds.
        actual: The same of what happened, or of what an expert would do.
        hz: Rate of both.
        seconds: How far ahead to look.

    Returns:
        Metres, (...).
    """
    predicted, actual, steps = np.asarray(predicted), np.asarray(actual), round(seconds * hz)
    shortest = min(predicted.shape[-2], actual.shape[-2])
    if not 1 <= steps <= shortest:
        raise ValueError(
            f"{seconds:g} s at {hz:g} Hz are {steps} rows, got {shortest}. "
            "Predict further, or look less far ahead."
        )
    gap = predicted[..., :steps, :2] - actual[..., :steps, :2]
    return np.hypot(gap[..., 0], gap[..., 1]).mean(axis=-1)


def _checked(path: np.ndarray) -> np.ndarray:
    path = np.asarray(path)
    if path.ndim != 2 or path.shape[-1] != 3 or not len(path):
        raise ValueError(f"a path must be (steps, 3) poses, got shape {path.shape}.")
    return path
