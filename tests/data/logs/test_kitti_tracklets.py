from pathlib import Path

import numpy as np
import pytest

from octoverse import rotation
from octoverse.data.logs.drive import EgoMotion
from octoverse.data.logs.kitti_tracklets import read_tracklets
from octoverse.errors import BadData

LIDAR = rotation.rigid(np.eye(3), np.array([0.76, 0.0, 1.43]))


def ego() -> EgoMotion:
    """10 frames, 5 m/s to the north from (100, 200)."""
    time, zero = np.arange(10) / 10, np.zeros(10)
    return EgoMotion(
        times_ns=np.round(time * 1e9).astype(np.int64),
        positions=np.stack([zero + 100, 200 + 5 * time, zero], axis=1),
        rotations=rotation.from_roll_pitch_yaw(zero, zero, zero + np.pi / 2),
    )


def item(kind: str, first: int, poses: list[tuple[float, float, float]]) -> str:
    rows = "".join(
        f"<item><tx>{x}</tx><ty>{y}</ty><tz>-1.73</tz><rx>0</rx><ry>0</ry><rz>{turn}</rz></item>"
        for x, y, turn in poses
    )
    return (
        f"<item><objectType>{kind}</objectType><h>1.5</h><w>1.8</w><l>4.2</l>"
        f"<first_frame>{first}</first_frame><poses><count>9</count>{rows}</poses></item>"
    )


def write(path: Path, *items: str) -> Path:
    path.write_text(
        "<!DOCTYPE boost_serialization><boost_serialization><tracklets><count>1</count>"
        f"{''.join(items)}</tracklets></boost_serialization>"
    )
    return path


def test_a_box_stands_in_the_frame_of_the_drive(tmp_path: Path) -> None:
    # A parked car 10 m ahead of the laser at first, 3 m to the left, that looks to the left.
    parked = [(10 - 0.5 * i, 3.0, np.pi / 2) for i in range(4)]
    path = write(tmp_path / "t.xml", item("Car", 2, parked), item("Pedestrian", 9, [(5, 0, 0)] * 3))
    found = read_tracklets(path, ego(), np.arange(10), LIDAR)
    assert found.kind.tolist() == ["Car"] * 4 + ["Pedestrian"], "frames beyond the drive are left"
    assert (found.times_ns / 1e8).round().tolist() == [2, 3, 4, 5, 9]
    # The road is 0.30 m below the axle, the middle of the box 0.75 m above the road.
    np.testing.assert_allclose(found.positions[:4], [[97, 211.76, 0.45]] * 4, atol=1e-9)
    np.testing.assert_allclose(np.cos(found.headings[:4] - np.pi), 1.0)
    assert found.size[0].tolist() == [4.2, 1.8, 1.5]
    np.testing.assert_allclose(found.velocity[:4], 0, atol=1e-9)
    assert np.isnan(found.velocity[4]).all()


def test_frames_that_are_not_there_are_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "t.xml", item("Van", 0, [(10, 0, 0)] * 6))
    frames = np.array([0, 1, 3, 5, 7, 8, 9, 10, 11, 12])
    found = read_tracklets(path, ego(), frames, LIDAR)
    assert (found.times_ns / 1e8).round().tolist() == [0, 1, 2, 3]


def test_no_boxes_are_none(tmp_path: Path) -> None:
    found = read_tracklets(write(tmp_path / "t.xml"), ego(), np.arange(10), LIDAR)
    assert len(found.times_ns) == 0 and found.positions.shape == (0, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<boost_serialization>", "t.xml: expected tracklets of KITTI raw .* no element found"),
        ("<a><tracklets><item/></tracklets></a>", "'item' has no 'first_frame'"),
        (item("Car", 0, [(float("nan"), 0, 0)]), "box 0 has numbers that are not finite"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "t.xml"
    path.write_text(
        text if text.startswith(("<b", "<a")) else f"<a><tracklets>{text}</tracklets></a>"
    )
    with pytest.raises(BadData, match=message):
        read_tracklets(path, ego(), np.arange(10), LIDAR)
