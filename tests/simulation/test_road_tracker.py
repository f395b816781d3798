import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from octoverse.motion import relative, roll_out
from octoverse.simulation.road_tracker import PathTracker
from octoverse.simulation.road_vehicle import WHEELBASE, Vehicle, VehicleLimits

TRACKER = PathTracker()
paths = arrays.arrays(np.float32, (30, 3), elements=st.floats(-500, 500, width=32))


def arc(speed: float, curvature: float, acceleration: float = 0.0, steps: int = 30) -> np.ndarray:
    return roll_out(np.array(speed), np.full(steps, acceleration), np.full(steps, curvature), 0.1)[
        0
    ]


@given(paths, st.floats(0, 20))
def test_garbage_gives_finite_commands(path: np.ndarray, speed: float) -> None:
    assert np.isfinite(TRACKER.command(path, speed)).all()


@given(st.floats(2, 12), st.floats(-0.1, 0.1))
def test_an_arc_is_steered_at_its_own_curvature(speed: float, curvature: float) -> None:
    steering, _ = TRACKER.command(arc(speed, curvature), speed)
    assert np.tan(steering) / WHEELBASE == pytest.approx(curvature, abs=2e-3)


@given(st.floats(2, 12), st.floats(-1.5, 1.5))
def test_the_rows_spacing_gives_the_acceleration(speed: float, acceleration: float) -> None:
    _, wanted = TRACKER.command(arc(speed, 0.0, acceleration), speed)
    assert wanted == pytest.approx(acceleration, abs=1e-6)


def test_a_path_to_the_left_is_steered_left() -> None:
    path = arc(6.0, 0.0)
    path[:, 1] += 1.0
    left, _ = TRACKER.command(path, 6.0)
    right, _ = TRACKER.command(path * [1, -1, -1], 6.0)
    assert left > 0.05 and right == pytest.approx(-left)


@pytest.mark.parametrize("path", [np.zeros((30, 3)), arc(5.0, 0.0) * [-1, 1, 1]])
def test_a_path_that_stands_or_leads_backwards_brakes(path: np.ndarray) -> None:
    steering, acceleration = TRACKER.command(path, 8.0)
    assert steering == 0.0 and acceleration < -6.0


def test_it_starts_from_a_stand() -> None:
    steering, acceleration = TRACKER.command(arc(0.0, 0.05, 1.0), 0.0)
    assert acceleration == pytest.approx(1.0, abs=0.01) and steering > 0.05


def test_a_short_path_is_enough() -> None:
    steering, acceleration = TRACKER.command(np.array([[0.8, 0.0, 0.0]]), 8.0)
    assert steering == 0.0 and acceleration == pytest.approx(0.0, abs=1e-9)


def test_a_fixed_path_is_followed_from_its_side() -> None:
    path = arc(6.0, 0.03, steps=80)
    car = Vehicle(limits=VehicleLimits(), y=0.4, heading=-0.1, speed=6.0)
    for step in range(50):
        seen = relative(car.pose, path[step:])
        steering, acceleration = TRACKER.command(seen, car.speed)
        for _ in range(5):
            car.drive(steering, acceleration, 0.02)
    np.testing.assert_allclose(car.pose[:2], path[49, :2], atol=0.25)
