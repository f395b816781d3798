from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import simplejpeg

from octoverse.data.dataset import open_data
from octoverse.data.logs.sullychen import SullyChenReader
from octoverse.errors import BadData


def write(folder: Path, text: str) -> SullyChenReader:
    (folder / "data.txt").write_text(text)
    return SullyChenReader(folder=folder)


def test_degrees_to_the_right_become_radians_to_the_left(tmp_path: Path) -> None:
    reader = write(tmp_path, "0.jpg 0.000000\n1.jpg 90.0\n2.jpg -45\n")
    assert reader.keys() == [tmp_path.name]
    drive = reader.drive(tmp_path.name)
    assert drive.steering is not None
    np.testing.assert_allclose(np.ravel(drive.steering.values), [0, -np.pi / 2, np.pi / 4])
    assert drive.steering.times_ns.tolist() == [0, 33_333_333, 66_666_667]


def test_the_second_data_set_has_its_own_clock_and_folder(tmp_path: Path) -> None:
    # Milliseconds are not padded: 11 is 0.011 s.
    times = ("17:09:44:912", "17:09:44:972", "17:09:45:11")
    reader = write(
        tmp_path, "".join(f"{i}.jpg {i}.5,2018-07-01 {time}\n" for i, time in enumerate(times))
    )
    (tmp_path / "data").mkdir()
    (tmp_path / "data/0.jpg").write_bytes(b"picture")
    front = reader.drive("").cameras["front"]
    assert np.diff(front.times_ns).tolist() == [60_000_000, 39_000_000]
    assert front.images[0] == b"picture"
    with pytest.raises(BadData, match=r"data/1\.jpg: .*data\.txt names this image"):
        front.images[1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"data\.txt: expected lines, found none"),
        ("0.jpg 1\n1.jpg", r"data\.txt, line 2: expected '12\.jpg 3\.5', or .* got '1\.jpg'"),
        ("0.jpg nan", "line 1: expected"),
        ("0.jpg 1\n1.jpg 2,2018-07-01 17:09:44:912", "line 2: expected .* in every line"),
    ],
)
def test_a_damaged_table_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BadData, match=message):
        write(tmp_path, text).drive("")


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"expected data\.txt with an image and an angle in each"):
        SullyChenReader(folder=tmp_path).drive("")


def test_its_fingerprint_tells_the_rate_it_takes(tmp_path: Path) -> None:
    prints = {write(tmp_path, "0.jpg 0").fingerprint(), write(tmp_path, "0.jpg 1").fingerprint()}
    prints.add(SullyChenReader(folder=tmp_path, hz=20.0).fingerprint())
    assert len(prints) == 3


def test_the_real_frames_are_opened_by_name(real_data: Callable[[str], Path]) -> None:
    root = str(real_data("sullychen-100").parent)
    source = open_data("sullychen-100", root, "all")
    assert source.lengths().tolist() == [34]
    episode = source.episode(0)
    assert simplejpeg.decode_jpeg(episode.observation["front"][33]).shape == (256, 455, 3)
    wheel = np.degrees(episode.action["steering_wheel"][:, 0])
    # 11.7 degrees to the right in frame 24, which is step 8; 2.2 to the left in frame 46.
    assert (wheel.min(), wheel.max()) == (pytest.approx(-11.66, abs=0.1), pytest.approx(1.4, abs=1))
    assert wheel.argmin() == 8
    train, val = (open_data("sullychen-100", root, split) for split in ("train", "val"))
    assert (train.lengths().tolist(), val.lengths().tolist()) == ([17], [7])
