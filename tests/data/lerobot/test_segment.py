from pathlib import Path
from types import SimpleNamespace

import pytest
import simplejpeg

from octoverse.data.lerobot import video
from octoverse.data.lerobot.format import VideoFormat
from octoverse.data.lerobot.segment import encode_segment
from octoverse.data.lerobot.video_writer import VideoWriter
from octoverse.errors import BadData


@pytest.mark.parametrize("codec", ["libsvtav1", "libx264"])
def test_segments_made_elsewhere_join_into_one_file(
    made: SimpleNamespace, tmp_path: Path, codec: str
) -> None:
    kind = VideoFormat(codec=codec)
    writer = VideoWriter(tmp_path / "v.mp4", 12.5, kind)
    for first in (0, 7, 8):
        count = {0: 7, 7: 1, 8: 5}[first]
        pictures = [made.picture(first + i) for i in range(count)]
        writer.add(encode_segment(pictures, 12.5, kind))
    assert writer.frames == 13 and writer.seconds == 13 / 12.5
    writer.close()
    path = tmp_path / "v.mp4"
    assert [made.number_of(video.frame(path, i)) for i in range(13)] == list(range(13))
    assert video.index(path).seconds.tolist() == pytest.approx([i / 12.5 for i in range(13)])
    assert {0, 7, 8} <= set(video.index(path).keys.tolist())


def test_a_segment_keeps_the_frames_that_statistics_look_at(made: SimpleNamespace) -> None:
    pictures = [simplejpeg.encode_jpeg(made.picture(i)) for i in range(5)]
    found = encode_segment(pictures, 10, VideoFormat(codec="libx264"))
    assert len(found) == 5 and found.shape == (64, 96, 3)
    assert [made.number_of(found[i]) for i in (0, 4)] == [0, 4]


def test_nothing_cannot_be_encoded(made: SimpleNamespace) -> None:
    with pytest.raises(BadData, match="A video: expected images to encode, got none"):
        encode_segment([], 10, VideoFormat())


def test_segments_of_another_size_are_refused(made: SimpleNamespace, tmp_path: Path) -> None:
    kind = VideoFormat(codec="libx264")
    writer = VideoWriter(tmp_path / "v.mp4", 10, kind)
    writer.add([made.picture(0)])
    with pytest.raises(BadData, match=r"v.mp4: expected images of the shape \(64, 96, 3\), got"):
        writer.add(encode_segment([made.picture(0)[:32]], 10, kind))
