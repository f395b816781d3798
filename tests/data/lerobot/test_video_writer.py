import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest
import simplejpeg

from octoverse import registry
from octoverse.data.lerobot import video
from octoverse.data.lerobot import writer as module
from octoverse.data.lerobot.format import VideoFormat
from octoverse.data.lerobot.source import LeRobotSource
from octoverse.data.lerobot.video_writer import SHARE, Films, VideoWriter
from octoverse.data.lerobot.writer import LeRobotWriter
from octoverse.embodiment import Embodiment
from octoverse.episode import Episode
from octoverse.errors import BadData

ARM: Embodiment = registry.load("embodiment", "tabletop_arm")
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
    keys = video.index(tmp_path / "v.mp4").keys
    assert keys[0] == 0 and np.diff([*keys, 9]).max() <= 2
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


def numbers_in(made: SimpleNamespace, episode: Episode, camera: str) -> list[int]:
    return [made.number_of(image) for image in episode.observation[camera]]


def contents(folder: Path) -> dict[Path, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder): path.read_bytes() for path in files}


def test_videos_read_back_frame_by_frame(
    filmed: Callable[..., Episode],
    made: SimpleNamespace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Room for two episodes of two cameras.
    monkeypatch.setattr(module, "FLUSH_BYTES", 20 * 64 * 96 * 3 * 2 // SHARE)
    episodes = [filmed(10, e, range(100 * e, 100 * e + 10)) for e in range(5)]
    with LeRobotWriter(tmp_path, ARM, QUICK) as writer:
        for episode in episodes:
            writer.add(episode)
    found = sorted(tmp_path.glob("videos/*/chunk-000/*.mp4"))
    assert [path.name for path in found] == [f"file-00{i}.mp4" for i in range(3)] * 2
    source = LeRobotSource(folder=tmp_path)
    for e in (4, 0, 3, 1, 2):
        got, want = source.episode(e), episodes[e]
        assert numbers_in(made, got, "table") == list(range(100 * e, 100 * e + 10))
        assert numbers_in(made, got, "wrist") == list(range(100 * e + 9, 100 * e - 1, -1))
        assert np.array_equal(got.times_ns, want.times_ns)
        assert np.array_equal(got.action["arm"], want.action["arm"])
    info = json.loads((tmp_path / "meta/info.json").read_text())
    table = info["features"]["observation.images.table"]
    assert (table["dtype"], table["shape"]) == ("video", [64, 96, 3])
    assert table["info"]["video.codec"] == "h264" and table["info"]["video.fps"] == 10
    stored = pq.read_schema(tmp_path / "data/chunk-000/file-000.parquet").names
    assert "observation.images.table" not in stored


def test_a_killed_recording_with_video_goes_on_and_ends_with_the_same_bytes(
    filmed: Callable[..., Episode],
    made: SimpleNamespace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "FLUSH_BYTES", 20 * 64 * 96 * 3 * 2 // SHARE)
    episodes = [filmed(10, e, range(10 * e, 10 * e + 10)) for e in range(5)]
    with LeRobotWriter(tmp_path / "whole", ARM, QUICK) as writer:
        for episode in episodes:
            writer.add(episode)
    killed = LeRobotWriter(tmp_path / "parts", ARM, QUICK)
    for episode in episodes[:3]:
        killed.add(episode)  # two are on disk, one is lost
    del killed
    with LeRobotWriter(tmp_path / "parts", ARM) as again:
        assert again.keys == ("made-0", "made-1")
        for episode in episodes[2:]:
            again.add(episode)
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")


def test_a_recording_goes_on_as_it_began(
    filmed: Callable[..., Episode], made: SimpleNamespace, tmp_path: Path
) -> None:
    with LeRobotWriter(tmp_path, ARM) as writer:
        writer.add(filmed(3, 0, range(3)))
    with pytest.raises(
        BadData, match=r"expected a recording with VideoFormat\(.*, got one with images"
    ):
        LeRobotWriter(tmp_path, ARM, QUICK)


@pytest.mark.parametrize("codec", ["libsvtav1", "libx264"])
def test_lerobot_itself_reads_the_videos_that_are_written(
    filmed: Callable[..., Episode], made: SimpleNamespace, tmp_path: Path, codec: str
) -> None:
    judge = pytest.importorskip("lerobot.datasets.lerobot_dataset", exc_type=ImportError)
    episodes = [filmed(12, e, range(100 * e, 100 * e + 12)) for e in range(3)]
    with LeRobotWriter(tmp_path, ARM, VideoFormat(codec=codec)) as writer:
        for episode in episodes[:2]:
            writer.add(episode)
        writer.flush()
        writer.add(episodes[2])
    theirs, ours = judge.LeRobotDataset("local/made", root=tmp_path), LeRobotSource(folder=tmp_path)
    assert (theirs.num_episodes, theirs.num_frames) == (3, 36)
    for index in (0, 11, 12, 17, 23, 24, 35):
        which, step = divmod(index, 12)
        item, want = theirs[index], ours.episode(which)
        image = np.round(item["observation.images.table"].numpy() * 255).transpose(1, 2, 0)
        assert made.number_of(image) == 100 * which + step
        assert np.abs(image - want.observation["table"][step]).mean() < 2
        assert np.array_equal(item["action"].numpy()[:4], want.action["arm"][step])
