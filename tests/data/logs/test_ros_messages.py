import struct

import numpy as np
import pytest

from octoverse.data.logs.ros_messages import frame_in, stamp_of
from octoverse.errors import BadData
from octoverse.rotation import from_roll_pitch_yaw, rigid

QUARTER = from_roll_pitch_yaw(np.array(0.0), np.array(0.0), np.array(np.pi / 2))


@pytest.mark.parametrize(("order", "sign"), [(0, ">"), (1, "<")])
def test_stamps_are_read_in_either_order_of_bytes(order: int, sign: str) -> None:
    raw = bytes([0, order, 0, 0]) + struct.pack(f"{sign}iI", 1_700_000_000, 5) + b"more"
    assert stamp_of(raw) == 1_700_000_000_000_000_005


def test_frames_are_joined_through_what_they_share() -> None:
    frames = {
        "left": ("roof", rigid(QUARTER, np.array([0.0, 1, 0]))),
        "roof": ("base", rigid(np.eye(3), np.array([0.0, 0, 2]))),
        "axle": ("base", rigid(np.eye(3), np.array([-1.0, 0, 0]))),
    }
    found = frame_in("bag", frames, "axle", "left")
    # One ahead of what looks to the left from 1 m to the left is 2 m to the left.
    assert found @ [1, 0, 0, 1] == pytest.approx([1, 2, 2, 1])
    assert frame_in("bag", frames, "left", "axle") @ found == pytest.approx(np.eye(4))
    assert frame_in("bag", {}, "axle", "axle") == pytest.approx(np.eye(4))


def test_frames_that_nothing_joins_are_named() -> None:
    frames = {"a": ("b", np.eye(4)), "b": ("a", np.eye(4)), "c": ("d", np.eye(4))}
    with pytest.raises(
        BadData, match="bag: expected /tf_static to join the frame 'a' to 'c', got "
    ):
        frame_in("bag", frames, "c", "a")
