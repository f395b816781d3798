from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import simplejpeg

from octoverse.data.lerobot import video
from octoverse.data.lerobot.format import VideoFormat
from octoverse.data.lerobot.video_writer import Films, VideoWriter
from octoverse.errors import BadData

QUICK = VideoFormat(codec="libx264")


def test_a_file_appears_when_it_is_whole(made: SimpleNamespace, tmp_path: Path) -> None:
    path = tmp_path / "videos/v.mp4"
    writer = VideoWriter(path, 12.5, QUICK)
    writer.add(made.picture(i) for i in range(4))
    assert not path.exists() and writer.seconds == 4 / 12.5
    writer.add([simplejpeg.encode_jpeg(made.picture(4))])
    writer.close()
    assert [made.number_of(video.frame(path, i)) for i in range(5)] == list(range(5))
    assert [*tmp_path.glob("videos/.*")] == []
    assert video.index(path).seconds.tolist() == pytest.approx([i / 12.5 for i in range(5)])


@pytest.mark.parametrize("codec", ["libsvtav1", "libx264"])
def test_every_second_frame_can_be_decoded_by_itself(
    made: SimpleNamespace, tmp_path: Path, codec: str
) -> None:
    writer = VideoWriter(tmp_path / "v.mp4", 10, VideoFormat(codec=codec))
    writer.add(made.picture(i) for i in range(9))
    told = writer.info()
    writer.close()
    assert video.index(tmp_path / "v.mp4").keys.tolist() == [0, 2, 4, 6, 8]
    assert told["video.codec"] == {"libsvtav1": "av1", "libx264": "h264"}[codec]
    assert (told["video.height"], told["video.width"], told["video.fps"]) == (64, 96, 10)


def test_the_same_frames_make_the_same_bytes(made: SimpleNamespace, tmp_path: Path) -> None:
    for name in ("a", "b"):
        writer = VideoWriter(tmp_path / name, 10, VideoFormat())
        writer.add(made.picture(i) for i in range(20))
        writer.close()
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_episodes_lie_one_after_the_other(made: SimpleNamespace, tmp_path: Path) -> None:
    films = Films(tmp_path, 10, QUICK)
    first = films.add({"top": [made.picture(i) for i in range(5)]}, 0)
    second = films.add({"top": [made.picture(i) for i in range(5, 8)]}, 0)
    assert first == {"videos/top/from_timestamp": 0.0, "videos/top/to_timestamp": 0.5}
    assert second == {"videos/top/from_timestamp": 0.5, "videos/top/to_timestamp": 0.8}
    assert films.nbytes == 8 * 64 * 96 * 3 // 20
    assert films.close()["top"]["video.channels"] == 3
    path = tmp_path / "videos/top/chunk-000/file-000.mp4"
    assert made.number_of(video.frame(path, video.index(path).first(0.5))) == 5


def test_images_that_cannot_be_a_video_are_refused(made: SimpleNamespace, tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "v.mp4", 10, QUICK)
    with pytest.raises(BadData, match=r"even height and width, got 63 x 96.*or write images"):
        writer.add([made.picture(0)[:63]])
    writer.add([made.picture(0)])
    with pytest.raises(BadData, match=r"of the shape \(64, 96, 3\), got \(32, 96, 3\)"):
        writer.add([made.picture(0)[:32]])
    with pytest.raises(BadData, match="expected the encoder 'libnone' for 64 x 96 images, got"):
        VideoWriter(tmp_path / "w.mp4", 10, VideoFormat(codec="libnone")).add(
            [np.zeros((64, 96, 3), np.uint8)]
        )
