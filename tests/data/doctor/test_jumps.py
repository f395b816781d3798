from collections.abc import Callable
from typing import Any

import numpy as np

Fixture = Callable[..., Any]


def test_a_glitch_is_a_fault_with_its_place(make: Fixture, told: Fixture, changed: Fixture) -> None:
    def glitch(values: np.ndarray) -> np.ndarray:
        values = values.copy()
        values[30, 2] += 0.9
        return values

    (found,) = told(make("widowx", change=changed("observation", "tool", glitch)))
    assert (found.check, found.severity) == ("jumps", "fault")
    assert found.where == "tool.z, episode 0, step 30"
    assert "It jumps 12 times" in found.message and "a sensor that glitches" in found.message


def test_a_small_glitch_is_told_from_smooth_motion(
    make: Fixture, told: Fixture, changed: Fixture
) -> None:
    def glitch(values: np.ndarray) -> np.ndarray:
        values = values.copy()
        values[30, 2] += 0.3
        return values

    (found,) = told(make("widowx", change=changed("observation", "tool", glitch)))
    assert (found.check, found.severity) == ("jumps", "fault")
    assert found.where == "tool.z, episode 0, step 30"
    assert "It leaps aside 6 times for a single step" in found.message


def test_fast_motion_is_no_jump(make: Fixture, told: Fixture, changed: Fixture) -> None:
    def dash(values: np.ndarray) -> np.ndarray:
        values = values.copy()
        values[:, 2] = 0.8 * np.tanh((np.arange(len(values)) - 30) / 2)
        return values

    found = told(make("widowx", change=changed("observation", "tool", dash)))
    assert [f for f in found if f.check == "jumps"] == []


def test_a_splice_is_a_suspicion(make: Fixture, told: Fixture, changed: Fixture) -> None:
    def splice(values: np.ndarray) -> np.ndarray:
        values = values.copy()
        values[30:, 2] += 0.6
        return values

    (found,) = told(make("widowx", change=changed("observation", "tool", splice)))
    assert (found.check, found.severity) == ("jumps", "suspicion")
    assert "two recordings in one" in found.message


def test_an_angle_that_wraps_is_no_fault(make: Fixture, told: Fixture, changed: Fixture) -> None:
    def wrap(values: np.ndarray) -> np.ndarray:
        values = values.copy()
        values[:, 5] = (values[:, 5] + 3.1 + np.pi) % (2 * np.pi) - np.pi
        return values

    source = make("widowx", change=changed("observation", "tool", wrap))
    assert told(source) == []
    (found,) = [f for f in told(source, "information") if f.check == "jumps"]
    assert found.where == "tool.yaw" and "The angle wraps round" in found.message


def test_a_commanded_position_that_leaps_is_a_fault(
    make: Fixture, told: Fixture, changed: Fixture
) -> None:
    def glitch(values: np.ndarray) -> np.ndarray:
        values = values.copy()
        values[30, 2] += 1.0
        return values

    found = told(make("unitree_g1", change=changed("action", "arms", glitch)))
    assert [(f.check, f.severity) for f in found] == [("jumps", "fault")]
    assert found[0].where == "arms.left_shoulder_yaw, episode 0, step 30"
