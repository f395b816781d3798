"""Which topic of a ROS 2 bag is what: a declaration."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from octoverse.errors import BadConfig


@dataclass(frozen=True, kw_only=True)
class Number:
    """One number in the messages of a topic."""

    topic: str
    field: str = "data"
    """Where in the message, such as drive.steering_angle."""
    scale: float = 1.0
    """Times this it is in SI units, left positive: pi / 180 for degrees, negative where right is
    positive; for the steering wheel from the angle of the road wheels, the steering ratio."""


@dataclass(frozen=True, kw_only=True)
class Topics:
    """Which topic of a bag is what; what is not declared is absent."""

    cameras: Mapping[str, str] = field(default_factory=dict)
    """Role to a topic of Image (rgb8, bgr8, mono8) or CompressedImage."""
    camera_infos: Mapping[str, str] = field(default_factory=dict)
    """Role to a topic of CameraInfo; extrinsics come from /tf_static."""
    pose: str = ""
    """Ego motion: Odometry, or PoseStamped of the base frame."""
    twist: str = ""
    """Speed along x: TwistStamped or Odometry."""
    steering: Number | None = None
    """Angle of the steering wheel."""
    command: str = ""
    """String: left, straight, right or unknown."""
    instruction: str = ""
    """String."""
    base_frame: str = "base_link"
    """The vehicle's frame, x forward, y left, z up."""
    rear_axle: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Where the middle of the rear axle is in the base frame [m]."""
    clock: Literal["header", "log"] = "header"
    """Whether a message's time is that in its header, or that of its recording."""

    def __post_init__(self) -> None:
        loose = sorted(set(self.camera_infos) - set(self.cameras))
        if loose:
            raise BadConfig(
                f"camera_infos: expected roles that are in cameras ({', '.join(self.cameras)}), "
                f"got {', '.join(loose)}."
            )
