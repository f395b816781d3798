from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from octoverse.data.logs.check import check
from octoverse.data.logs.drive import Agents, CameraLog, EgoMotion, Signal
from octoverse.errors import BadData


def test_a_sound_drive_passes(drives: Any) -> None:
    check(drives.make(), "'made', drive d")


def test_agents_may_be_seen_at_one_time_but_not_out_of_order(drives: Any) -> None:
    check(drives.make(agents=agents([0, 0, 5])), "here")
    with pytest.raises(BadData, match="here: agents: expected times that increase, got -5e-09 s"):
        check(drives.make(agents=agents([0, 5, 0])), "here")
    with pytest.raises(BadData, match="one sample for each of 2 times, got 3 and 3 and 3"):
        check(drives.make(agents=replace(agents([0, 0, 5]), times_ns=np.array([0, 5]))), "here")


def agents(times: list[int]) -> Agents:
    count = len(times)
    return Agents(
        times_ns=np.array(times, np.int64),
        identity=np.array(["a"] * count),
        kind=np.array(["car"] * count),
        positions=np.zeros((count, 3)),
        headings=np.zeros(count),
        size=np.zeros((count, 3)),
        velocity=np.full((count, 2), np.nan),
    )


def test_samples_without_times_are_refused(drives: Any) -> None:
    signal = drives.make().speed
    short = Signal(times_ns=signal.times_ns[:-3], values=signal.values)
    with pytest.raises(BadData, match="here: speed: expected one sample for each of 298 times"):
        check(drives.make(speed=short), "here")
    camera = CameraLog(times_ns=signal.times_ns, images=[b""])
    with pytest.raises(BadData, match=r"camera 'front': .* each of 301 times, got 1\. A file"):
        check(drives.make(cameras={"front": camera}), "here")


def test_a_log_of_no_length_is_refused(drives: Any) -> None:
    nothing = Signal(times_ns=np.empty(0, np.int64), values=np.empty((0, 1)))
    with pytest.raises(BadData, match="steering: expected at least one sample, got none"):
        check(drives.make(steering=nothing), "here")


def test_a_clock_that_goes_back_is_refused(drives: Any) -> None:
    ego = drives.make().ego
    times = ego.times_ns.copy()
    times[7] = times[5]
    with pytest.raises(BadData, match=r"ego motion: .* got -0\.04 s from sample 6 to 7"):
        check(drives.make(ego=replace(ego, times_ns=times)), "here")
    with pytest.raises(BadData, match="expected times in int64 nanoseconds, got float64"):
        check(drives.make(ego=replace(ego, times_ns=times / 1.0)), "here")


def test_nan_is_refused_with_its_place(drives: Any) -> None:
    ego = drives.make().ego
    positions = ego.positions.copy()
    positions[3, 1] = np.nan
    with pytest.raises(
        BadData, match="ego positions: expected finite numbers, got nan in sample 3"
    ):
        check(drives.make(ego=replace(ego, positions=positions)), "here")


def test_a_wrong_shape_is_refused(drives: Any) -> None:
    flat = drives.make().speed
    flat = Signal(times_ns=flat.times_ns, values=flat.values[:, 0])
    with pytest.raises(BadData, match=r"speed: expected numbers of shape \(n, 1\), got float64"):
        check(drives.make(speed=flat), "here")


def test_what_is_no_rotation_is_refused(drives: Any) -> None:
    ego: EgoMotion = drives.make().ego
    with pytest.raises(BadData, match=r"expected rotation matrices .* 0\.99 away from one"):
        check(drives.make(ego=replace(ego, rotations=ego.rotations * 0.1)), "here")
