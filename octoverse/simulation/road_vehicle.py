"""A passenger car as a kinematic bicycle with actuator limits, and what shakes its steering.

Source: comfort and actuator figures of a passenger car as in nuPlan's and Waymax's vehicle models;
wheelbase 2.8 m.
"""

from dataclasses import dataclass
from math import cos, sin, tan

import numpy as np

WHEELBASE, TRACK = 2.8, 1.6


@dataclass(frozen=True, kw_only=True)
class VehicleLimits:
    """What the actuators can do."""

    steering: float = 0.55
    """Largest angle of the front wheels [rad]."""
    steering_rate: float = 0.8
    """[rad/s]."""
    acceleration: float = 2.5
    """[m/s^2]."""
    braking: float = 6.0
    """[m/s^2]."""
    jerk: float = 12.0
    """[m/s^3]."""


@dataclass(kw_only=True)
class Vehicle:
    """The state of the car: its rear axle's pose, speed, and where its actuators stand."""

    limits: VehicleLimits
    x: float = 0.0
    y: float = 0.0
    heading: float = 0.0
    speed: float = 0.0
    steering: float = 0.0
    acceleration: float = 0.0

    @property
    def pose(self) -> np.ndarray:
        """Pose (3,) of the rear axle."""
        return np.array([self.x, self.y, self.heading])

    @property
    def wheels(self) -> np.ndarray:
        """Where the four wheels touch the ground, (4, 2)."""
        along = np.array([0.0, 0.0, WHEELBASE, WHEELBASE])
        left = np.array([1.0, -1.0, 1.0, -1.0]) * TRACK / 2
        c, s = cos(self.heading), sin(self.heading)
        return np.stack([self.x + c * along - s * left, self.y + s * along + c * left], axis=-1)

    @property
    def lateral_acceleration(self) -> float:
        """Across the rear axle [m/s^2], positive to the left."""
        return self.speed**2 * tan(self.steering) / WHEELBASE

    def drive(self, steering: float, acceleration: float, dt: float) -> None:
        """Move on by dt [s] towards a steering angle [rad] and an acceleration [m/s^2].

        Whatever is asked for, the actuators stay within their limits; it does not reverse.
        """
        limits = self.limits
        steering = _clip(steering, -limits.steering, limits.steering)
        most = limits.steering_rate * dt
        self.steering += _clip(steering - self.steering, -most, most)
        acceleration = _clip(acceleration, -limits.braking, limits.acceleration)
        most = limits.jerk * dt
        self.acceleration += _clip(acceleration - self.acceleration, -most, most)
        before, heading = self.speed, self.heading
        after = before + self.acceleration * dt
        if after < 0.0:
            after = 0.0
            self.acceleration = max(self.acceleration, 0.0)
        self.speed = after
        self.heading += tan(self.steering) / WHEELBASE * (before + after) / 2 * dt
        self.x += dt / 2 * (before * cos(heading) + after * cos(self.heading))
        self.y += dt / 2 * (before * sin(heading) + after * sin(self.heading))


@dataclass(kw_only=True)
class SteeringNoise:
    """Pushes the steering away now and then, so that demonstrations show how to come back."""

    random: np.random.Generator
    scale: float
    """How strong; 1 makes lateral errors of about half a metre."""
    angle: float = 0.0
    remaining: int = 0

    def next(self) -> float:
        """What is added to the steering angle in the next control step [rad]."""
        if self.scale == 0.0:
            return 0.0
        if self.remaining == 0:
            push = self.random.random() < 0.4
            self.angle = float(self.random.uniform(-0.05, 0.05)) * push
            self.remaining = int(self.random.integers(4, 13))
        self.remaining -= 1
        return self.scale * self.angle


def _clip(value: float, low: float, high: float) -> float:
    return low if value < low else high if value > high else value
