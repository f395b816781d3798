from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from octoverse.data.doctor.finding import Finding

Fixture = Callable[..., Any]


def named(findings: list[Finding]) -> int:
    """How many numbers they are about."""
    return sum(len(finding.where.split(", ")) for finding in findings)


@pytest.mark.parametrize(
    ("columns", "factor", "words"),
    [
        (slice(0, 3), 1000.0, "the action is in millimetres and the state in metres"),
        (slice(3, 6), 180 / np.pi, "the action is in degrees and the state in radians"),
        (slice(0, 6), 1 / 25.0, "not in the state's unit, or is normalised"),
    ],
)
def test_deltas_in_another_unit_are_faults(
    make: Fixture, told: Fixture, changed: Fixture, columns: slice, factor: float, words: str
) -> None:
    def scaled(values: np.ndarray) -> np.ndarray:
        values = values.copy()
        values[:, columns] *= factor
        return values

    found = told(make("widowx", change=changed("action", "arm", scaled)))
    units = [f for f in found if f.check == "units"]
    assert named(units) == len(range(*columns.indices(6)))
    assert all(f.severity == "fault" and words in f.message for f in units)
    assert {f.check for f in found} <= {"units", "limits"}


def test_states_in_degrees_are_named_by_limits_and_by_the_action(
    make: Fixture, told: Fixture, changed: Fixture
) -> None:
    def degrees(values: np.ndarray) -> np.ndarray:
        values = values.copy()
        values[:, 3:6] *= 180 / np.pi
        return values

    found = told(make("widowx", change=changed("observation", "tool", degrees)))
    assert any("They look like degrees." in f.message for f in found if f.check == "limits")
    units = [f for f in found if f.check == "units"]
    assert named(units) == 3
    assert all("the state is in degrees and the action in radians" in f.message for f in units)


def test_joint_velocities_in_degrees_are_told_from_positions(
    make: Fixture, told: Fixture, changed: Fixture
) -> None:
    degrees = changed("action", "arm", lambda values: values * 180 / np.pi)
    found = told(make("dobot_cr5", change=degrees))
    units = [f for f in found if f.check == "units"]
    assert named(units) == 6 and all(f.severity == "fault" for f in units)


def test_clean_units_are_confirmed(make: Fixture, told: Fixture) -> None:
    found = [f for f in told(make("widowx"), "information") if f.check == "units"]
    assert "6 of 6 numbers can be held against the state" in found[0].message


def test_noise_is_not_taken_for_a_unit(make: Fixture, told: Fixture, changed: Fixture) -> None:
    rng = np.random.default_rng(0)

    def noise(values: np.ndarray) -> np.ndarray:
        return (rng.normal(0, 1e-4, values.shape)).astype(np.float32)

    source = make("widowx", change=changed("action", "arm", noise))
    assert [f for f in told(source) if f.check == "units"] == []
    (found,) = [f for f in told(source, "cannot be told") if f.check == "units"]
    assert "dx, dy, dz, droll, dpitch, dyaw" in found.message


def test_pedals_cannot_be_told(make: Fixture, told: Fixture) -> None:
    (found,) = [f for f in told(make("rc_car"), "cannot be told") if f.check == "units"]
    assert "Whether positive steering is left" in found.message


def test_positions_that_count_from_another_zero_are_a_suspicion(
    make: Fixture, told: Fixture, changed: Fixture
) -> None:
    def turn(values: np.ndarray) -> np.ndarray:
        values = values.copy()
        values[:, 3] = 0.2 * values[:, 3] + 1.2
        return values

    def narrow(values: np.ndarray) -> np.ndarray:
        values = values.copy()
        values[:, 3] = 0.2 * values[:, 3]
        return values

    action, state = changed("action", "arms", turn), changed("observation", "arms", narrow)
    (found,) = told(make("unitree_g1", change=lambda episode: state(action(episode))))
    assert (found.check, found.severity) == ("units", "suspicion")
    assert "at a distance of -1.2 rad: the two count from different zeros" in found.message
