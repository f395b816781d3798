from math import tan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from octoverse.motion import roll_out
from octoverse.simulation.road_vehicle import (
    WHEELBASE,
    SteeringNoise,
    Vehicle,
    VehicleLimits,
)

LIMITS = VehicleLimits()
wild = st.floats(-1e6, 1e6)


@given(st.lists(st.tuples(wild, wild), min_size=1, max_size=40))
def test_no_command_breaks_the_actuators_limits(commands: list[tuple[float, float]]) -> None:
    car, dt = Vehicle(limits=LIMITS, speed=8.0), 0.02
    for steering, acceleration in commands:
        before = (car.steering, car.acceleration, car.speed)
        car.drive(steering, acceleration, dt)
        assert abs(car.steering) <= LIMITS.steering
        assert abs(car.steering - before[0]) <= LIMITS.steering_rate * dt + 1e-12
        assert -LIMITS.braking <= car.acceleration <= LIMITS.acceleration
        if car.speed > 0:
            assert abs(car.acceleration - before[1]) <= LIMITS.jerk * dt + 1e-12
        assert 0.0 <= car.speed <= before[2] + LIMITS.acceleration * dt


def test_it_drives_as_the_unicycle_of_its_curvature() -> None:
    car = Vehicle(limits=LIMITS, speed=6.0, steering=0.2)
    poses = []
    for _ in range(50):
        car.drive(0.2, 0.0, 0.02)
        poses.append(car.pose)
    curvature = np.full(50, tan(0.2) / WHEELBASE)
    expected, _ = roll_out(np.array(6.0), np.zeros(50), curvature, 0.02)
    np.testing.assert_allclose(poses, expected, atol=1e-9)


def test_braking_ends_at_a_stand_and_not_in_reverse() -> None:
    car = Vehicle(limits=LIMITS, speed=8.0)
    for _ in range(200):
        car.drive(0.0, -100.0, 0.02)
    assert car.speed == 0.0
    rest = car.x
    car.drive(0.0, -100.0, 0.02)
    assert car.x == rest
    assert 8**2 / 2 / LIMITS.braking < rest < 8**2 / 2 / LIMITS.braking + 5.0


def test_wheels_stand_around_the_rear_axle() -> None:
    car = Vehicle(limits=LIMITS, x=1.0, y=2.0, heading=np.pi / 2)
    expected = [[0.2, 2.0], [1.8, 2.0], [0.2, 4.8], [1.8, 4.8]]
    np.testing.assert_allclose(car.wheels, expected, atol=1e-12)


def test_lateral_acceleration_is_speed_times_yaw_rate() -> None:
    car = Vehicle(limits=LIMITS, speed=6.0, steering=0.2)
    heading = car.heading
    car.drive(0.2, 0.0, 0.02)
    assert car.lateral_acceleration == pytest.approx(6.0 * (car.heading - heading) / 0.02)


def test_steering_noise_pushes_both_ways_and_rests_between() -> None:
    noise = SteeringNoise(random=np.random.default_rng(0), scale=1.0)
    pushes = np.array([noise.next() for _ in range(20_000)])
    assert 0.4 < (pushes == 0).mean() < 0.8
    assert abs(pushes.mean()) < 0.002 and 0.01 < pushes.std() < 0.03
    assert np.abs(pushes).max() <= 0.05


def test_no_disturbance_is_no_noise() -> None:
    noise = SteeringNoise(random=np.random.default_rng(0), scale=0.0)
    assert [noise.next() for _ in range(50)] == [0.0] * 50
