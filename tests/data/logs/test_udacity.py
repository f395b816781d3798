from pathlib import Path

import numpy as np
import pytest
import simplejpeg

from octoverse.data.dataset import open_data
from octoverse.data.logs.udacity import UdacityReader
from octoverse.errors import BadData


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """10 s at 12.5 Hz with a stop of 2 s in the middle, as recorded on another machine."""
    folder = tmp_path / "udacity/track1"
    (folder / "IMG").mkdir(parents=True)
    picture = simplejpeg.encode_jpeg(np.zeros((160, 320, 3), np.uint8))
    lines = []
    for i in range(100):
        second, millisecond = divmod(30_000 + 80 * i + 2000 * (i >= 50), 1000)
        names = [f"{side}_2016_12_01_13_30_{second}_{millisecond:03d}.jpg" for side in SIDES]
        for name in names:
            (folder / "IMG" / name).write_bytes(picture)
        paths = ", ".join(rf"C:\sim\IMG\{name}" for name in names)
        lines.append(f"{paths}, 0.25, {i / 100}, {0.1 if i > 90 else 0}, 22.3693629")
    (folder / "driving_log.csv").write_text("\n".join(lines) + "\n")
    return folder


SIDES = ("center", "left", "right")


def test_a_recording_becomes_episodes_cut_where_it_was_paused(log: Path) -> None:
    source = open_data("udacity", str(log.parents[1]), "all")
    assert source.lengths().tolist() == [40, 40]
    episode = source.episode(1)
    assert set(episode.observation) == {"front", "front_left", "front_right", "speed"}
    np.testing.assert_allclose(episode.observation["speed"], 10.0, atol=1e-6)
    pedals = episode.action["pedals"]
    np.testing.assert_allclose(pedals[:, 0], -0.25, err_msg="to the right is negative here")
    np.testing.assert_allclose(pedals[[0, 39], 1], [0.5, 0.89], atol=0.01)
    assert simplejpeg.decode_jpeg(episode.observation["front"][3]).shape == (160, 320, 3)


def test_times_are_those_of_the_names(log: Path) -> None:
    drive = UdacityReader(folder=log).drive("track1")
    front = drive.cameras["front"]
    assert np.diff(front.times_ns)[:2].tolist() == [80_000_000, 80_000_000]
    assert np.datetime64(int(front.times_ns[0]), "ns") == np.datetime64("2016-12-01T13:30:30")


def test_its_fingerprint_is_that_of_its_tables(log: Path) -> None:
    before = UdacityReader(folder=log).fingerprint()
    path = log / "driving_log.csv"
    path.write_text(path.read_text().replace("0.25", "0.5"))
    assert UdacityReader(folder=log).fingerprint() != before


def test_bad_logs_are_refused(log: Path) -> None:
    path, text = log / "driving_log.csv", (log / "driving_log.csv").read_text()
    path.write_text(text.replace("_30_30_080", "_99_99_080"))
    with pytest.raises(BadData, match=r"driving_log\.csv: expected images named like center_2016"):
        UdacityReader(folder=log).drive("track1")
    path.write_text(text.replace("0.25", "nan", 1))
    with pytest.raises(BadData, match=r"expected a finite number as steering in row 1, got 'nan'"):
        UdacityReader(folder=log).drive("track1")
    path.write_text("time,angle\n1,2\n")
    with pytest.raises(BadData, match="expected a column 'center', got time, angle"):
        UdacityReader(folder=log).drive("track1")
    path.unlink()
    with pytest.raises(BadData, match=r"expected driving_log\.csv of Udacity's simulator, found"):
        UdacityReader(folder=log).keys()


def test_an_image_that_is_gone_is_named(log: Path) -> None:
    (log / "IMG/left_2016_12_01_13_30_30_000.jpg").unlink()
    images = UdacityReader(folder=log).drive("track1").cameras["front_left"].images
    with pytest.raises(BadData, match=r"left_2016.*\.jpg: .*driving_log\.csv names this image"):
        images[0]
