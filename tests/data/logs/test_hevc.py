import pickle
from pathlib import Path

import av
import numpy as np
import pytest

from octoverse.data.logs.hevc import HevcFrames
from octoverse.errors import BadData


@pytest.fixture(scope="session")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """50 frames that grow brighter, with B frames and a key frame every 20."""
    path = tmp_path_factory.mktemp("video") / "video.hevc"
    with av.open(str(path), "w", format="hevc") as container:
        video = container.add_stream("libx265", rate=20)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.options = {
            "x265-params": "log-level=none:keyint=20:min-keyint=20:bframes=2:open-gop=0"
        }
        for i in range(50):
            picture = np.full((48, 64, 3), 20 + 4 * i, np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(video.encode(None))
    return path


def shown(picture: np.ndarray) -> int:
    return round((float(picture.mean()) - 20) / 4)


def test_frames_are_found_by_number_forwards_backwards_and_at_random(stream: Path) -> None:
    frames = HevcFrames(stream, 50)
    assert frames[0].shape == (48, 64, 3) and frames[0].dtype == np.uint8
    numbers = [*range(50), *range(49, -1, -7), 33, 5, 21, 20, 19, 40, 41, 43]
    assert [shown(frames[i]) for i in numbers] == numbers
    assert [shown(picture) for picture in frames[10:40:10]] == [10, 20, 30]
    assert shown(frames[-1]) == 49


def test_it_travels_without_its_decoder(stream: Path) -> None:
    frames = HevcFrames(stream, 50)
    frames[7]
    copy = pickle.loads(pickle.dumps(frames))
    assert set(copy.__getstate__()) == {"path", "_count"}
    assert shown(copy[8]) == 8 and len(copy) == 50


def test_a_stream_shorter_than_its_table_is_refused(stream: Path) -> None:
    with pytest.raises(BadData, match=r"video\.hevc: expected 60 frames, .* got 50\. The video is"):
        HevcFrames(stream, 60)[0]
    with pytest.raises(IndexError, match="There are 50 frames, got index 50"):
        HevcFrames(stream, 50)[50]


def test_what_is_no_stream_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "video.hevc"
    with pytest.raises(BadData, match="expected a raw HEVC stream, found nothing"):
        HevcFrames(path, 3)[0]
    path.write_bytes(b"words, not pictures" * 9)
    with pytest.raises(BadData, match="expected a raw HEVC stream, found no pictures in it"):
        HevcFrames(path, 3)[0]


def test_a_damaged_picture_is_an_error(stream: Path, tmp_path: Path) -> None:
    path, content = tmp_path / "video.hevc", bytearray(stream.read_bytes())
    pictures = HevcFrames(stream, 50)._index[1]
    content[pictures[20] + 40 : pictures[21]] = bytes(b"\xff" * (pictures[21] - pictures[20] - 40))
    path.write_bytes(content)
    frames = HevcFrames(path, 50)
    with pytest.raises(BadData, match=r"frame 2[0-9] cannot be decoded|expected 50 frames"):
        [frames[i] for i in range(20, 30)]
