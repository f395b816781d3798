import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from octoverse.data.kept import Kept
from octoverse.data.lerobot import video
from octoverse.errors import BadData

COUNT = 90
KINDS = {
    "h264, B-frames, one group of 60": ("libx264", {"g": "60", "bf": "3"}),
    "h264, groups of two": ("libx264", {"g": "2"}),
    "h264, B-frames in an open group": ("libx264", {"g": "12", "bf": "2", "flags": "-cgop"}),
    "hevc, open groups": ("libx265", {"g": "12", "x265-params": "log-level=none"}),
    "av1, groups of two": ("libsvtav1", {"g": "2", "crf": "30"}),
    "av1, groups of 40": ("libsvtav1", {"g": "40", "crf": "30"}),
    "mpeg4": ("mpeg4", {"g": "12", "q:v": "3"}),
}


@pytest.fixture(scope="module", params=KINDS)
def path(
    request: pytest.FixtureRequest, made: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    codec, options = KINDS[request.param]
    yield made.film(tmp_path_factory.mktemp("film") / "v.mp4", range(COUNT), codec, **options)


def test_every_frame_is_the_one_asked_for(path: Path, made: SimpleNamespace) -> None:
    assert len(video.index(path)) == COUNT
    order = np.random.default_rng(0).permutation(COUNT).tolist()
    for number in [*order[:40], COUNT - 1, 0, 1, 2, 3, 2, COUNT - 1]:
        assert made.number_of(video.frame(path, number)) == number
    assert [made.number_of(video.frame(path, i)) for i in range(COUNT)] == list(range(COUNT))


def test_frames_are_rgb(made: SimpleNamespace, tmp_path: Path) -> None:
    found = video.frame(made.film(tmp_path / "v.mp4", [5, 6], crf="10"), 1)
    assert found.dtype == np.uint8 and found.shape == (64, 96, 3)
    assert np.abs(found.astype(int) - made.picture(6)).mean() < 6


def test_a_frame_past_the_end_is_refused(made: SimpleNamespace, tmp_path: Path) -> None:
    path = made.film(tmp_path / "v.mp4", range(3))
    with pytest.raises(BadData, match=r"v\.mp4: expected frame 3, the video has 3 frames"):
        video.frame(path, 3)


def test_damaged_videos_are_named(made: SimpleNamespace, tmp_path: Path) -> None:
    whole = made.film(tmp_path / "v.mp4", range(40), g="10")
    raw = whole.read_bytes()
    cut, noise = tmp_path / "cut.mp4", tmp_path / "noise.mp4"
    cut.write_bytes(raw[: len(raw) // 2])
    noise.write_bytes(bytes(1000))
    with pytest.raises(BadData, match=r"cut\.mp4: expected a video, got: .*fetch it again"):
        video.frame(cut, 0)
    with pytest.raises(BadData, match=r"noise\.mp4: expected a video, got: "):
        video.index(noise)
    with pytest.raises(BadData, match=r"none\.mp4: expected a video, got: No such file"):
        video.frame(tmp_path / "none.mp4", 0)


def test_damaged_frames_are_named(made: SimpleNamespace, tmp_path: Path) -> None:
    path = made.film(tmp_path / "v.mp4", range(40), g="40", bf="0", crf="5")
    raw = bytearray(path.read_bytes())
    start, end = raw.index(b"mdat") + 4, raw.index(b"moov") - 4
    third = (end - start) // 3
    raw[start + third : end - third] = bytes(end - start - 2 * third)
    path.write_bytes(raw)
    with pytest.raises(BadData, match=r"v\.mp4: expected frame \d+ of 40, got .* is damaged"):
        for number in range(40):
            video.frame(path, number)
    # What lies before the damage is still there.
    assert made.number_of(video.frame(path, 0)) == 0


def test_a_video_that_is_replaced_is_opened_anew(made: SimpleNamespace, tmp_path: Path) -> None:
    path = made.film(tmp_path / "v.mp4", range(5))
    assert made.number_of(video.frame(path, 0)) == 0
    made.film(tmp_path / "w.mp4", range(7, 20)).replace(path)
    assert made.number_of(video.frame(path, 0)) == 7


def test_a_forked_process_opens_its_own_decoders(made: SimpleNamespace, tmp_path: Path) -> None:
    path = made.film(tmp_path / "v.mp4", range(30), g="10")
    video.frame(path, 3)
    child = os.fork()
    if child == 0:
        right = [made.number_of(video.frame(path, i)) == i for i in (4, 20, 7)]
        os._exit(0 if all(right) else 1)
    assert made.number_of(video.frame(path, 4)) == 4
    assert os.waitpid(child, 0)[1] == 0
    assert made.number_of(video.frame(path, 5)) == 5


def test_open_decoders_are_bounded(
    made: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = made.film(tmp_path / "0.mp4", range(8))
    paths = [first, *(tmp_path / f"{i}.mp4" for i in range(1, 6))]
    for other in paths[1:]:
        shutil.copy(first, other)
    one = video.decoder(first).nbytes
    kept = Kept(3 * one)
    monkeypatch.setattr(video, "SOURCES", kept)
    for path in paths * 2:
        assert made.number_of(video.frame(path, 5)) == 5
        assert kept.nbytes <= 3 * one


def test_an_index_finds_a_clip_within_a_file(made: SimpleNamespace, tmp_path: Path) -> None:
    index = video.index(made.film(tmp_path / "v.mp4", range(30), fps=10))
    assert index.seconds[:3].tolist() == pytest.approx([0, 0.1, 0.2])
    assert [index.first(start) for start in (0.0, 0.1, 1.0, 1.0001, 0.9999, 5.0)] == [
        0,
        1,
        10,
        10,
        10,
        30,
    ]
