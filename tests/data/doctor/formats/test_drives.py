import hashlib
import pickle
from dataclasses import dataclass, replace

import numpy as np
import pytest

from octoverse.data.doctor.finding import Finding
from octoverse.data.doctor.runner import examine
from octoverse.data.logs.drive import Drive, EgoMotion, Signal
from octoverse.data.logs.source import DriveSource

HZ, SECONDS, SPEED, BEND = 25.0, 20.0, 8.0, 0.02


@dataclass(frozen=True, kw_only=True)
class Reader:
    """One drive round a bend."""

    made: Drive

    def keys(self) -> list[str]:
        return [self.made.key]

    def drive(self, key: str) -> Drive:
        return self.made

    def fingerprint(self) -> str:
        return hashlib.sha256(pickle.dumps(self.made)).hexdigest()


def drive(times: np.ndarray, turned: float = 0.0) -> Drive:
    """Poses at those times [s]; turned by so much against where it goes [rad]."""
    heading = SPEED * BEND * times
    cos, sin = np.cos(heading + turned), np.sin(heading + turned)
    rotations = np.zeros((len(times), 3, 3))
    rotations[:, 0, 0], rotations[:, 0, 1] = cos, -sin
    rotations[:, 1, 0], rotations[:, 1, 1], rotations[:, 2, 2] = sin, cos, 1
    positions = np.stack([np.sin(heading), 1 - np.cos(heading), 0 * heading], axis=1) / BEND
    at = np.round(times * 1e9).astype(np.int64)
    return Drive(
        key="bend",
        ego=EgoMotion(times_ns=at, positions=positions, rotations=rotations),
        speed=Signal(times_ns=at, values=np.full((len(at), 1), SPEED)),
    )


def told(made: Drive) -> list[Finding]:
    return list(examine(DriveSource(reader=Reader(made=made), label="made")).findings)


def of_ego(found: list[Finding]) -> Finding:
    (one,) = [f for f in found if f.check == "drives" and "ego motion" in f.where]
    return one


@pytest.fixture
def times() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.arange(0, SECONDS, 1 / HZ) + rng.uniform(0, 1e-3, int(SECONDS * HZ))


def test_a_clean_drive_has_no_fault_but_its_lacking_camera(times: np.ndarray) -> None:
    found = told(drive(times))
    grave = [(f.check, f.where) for f in found if f.severity in ("fault", "suspicion")]
    assert grave == [("coverage", "front")]
    assert "It comes at 25 Hz, evenly" in of_ego(found).message


def test_an_irregular_clock_is_told(times: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    found = of_ego(told(drive(np.sort(times + rng.uniform(0, 0.04, len(times))))))
    assert found.severity == "information" and "irregularly" in found.message


def test_nominal_times_are_told_from_measured_ones() -> None:
    found = of_ego(told(drive(np.arange(0, SECONDS, 1 / HZ))))
    assert found.severity == "cannot be told" and "times are nominal" in found.message


def test_gaps_are_a_suspicion(times: np.ndarray) -> None:
    found = of_ego(told(drive(np.where(times > 12, times + 3, times))))
    assert found.severity == "suspicion"
    assert "It has 1 gaps of more than 0.5 s (up to 3.04 s)" in found.message


def test_a_frame_that_is_turned_is_a_fault(times: np.ndarray) -> None:
    found = told(drive(times, turned=0.5))
    faults = {(f.check, f.where) for f in found if f.severity == "fault"}
    assert ("motion", "path") in faults
    assert any("aside of its x: the frame is turned" in f.message for f in found)


def test_kilometres_an_hour_are_a_fault(times: np.ndarray) -> None:
    made = drive(times)
    assert made.speed is not None
    fast = replace(made.speed, values=np.asarray(made.speed.values) * 3.6)
    found = told(replace(made, speed=fast))
    assert any("km/h where m/s is declared" in f.message for f in found)


def test_stamps_that_coincide_are_a_suspicion(times: np.ndarray) -> None:
    union = np.sort(np.concatenate([times, times[::3] + 1e-8]))
    found = of_ego(told(drive(union)))
    assert found.severity == "suspicion"
    assert "Stamps that all but coincide are those of several clocks" in found.message
