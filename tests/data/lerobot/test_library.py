import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from octoverse import registry
from octoverse.data.lerobot.format import VideoFormat
from octoverse.data.lerobot.library import LibrarySource
from octoverse.data.lerobot.source import LeRobotSource
from octoverse.data.lerobot.writer import LeRobotWriter
from octoverse.data.source import Source
from octoverse.episode import Episode
from octoverse.errors import BadData, MissingExtra


def write(folder: Path, made: SimpleNamespace, video: VideoFormat | None) -> None:
    with LeRobotWriter(folder, registry.load("embodiment", "rc_car"), video) as writer:
        for e, steps in enumerate([9, 4, 7]):
            rng = np.random.default_rng(e)
            writer.add(
                Episode(
                    embodiment="rc_car",
                    source="made",
                    key=f"drive {e}",
                    times_ns=np.cumsum(rng.integers(10, 90, steps)) * 1_000_000,
                    observation={
                        "front": [made.picture(100 * e + i) for i in range(steps)],
                        "instruction": [["", "left", "right"][e]] * steps,
                    },
                    action={"pedals": rng.uniform(-1, 1, (steps, 2)).astype(np.float32)},
                )
            )


@pytest.mark.parametrize("video", [None, VideoFormat(), VideoFormat(codec="libx264")])
def test_the_library_and_our_reader_agree(
    made: SimpleNamespace, tmp_path: Path, video: VideoFormat | None
) -> None:
    pytest.importorskip("lerobot.datasets.lerobot_dataset", exc_type=ImportError)
    write(tmp_path, made, video)
    theirs, ours = LibrarySource(folder=tmp_path), LeRobotSource(folder=tmp_path)
    assert isinstance(theirs, Source)
    assert theirs.lengths().tolist() == ours.lengths().tolist()
    for e in (2, 0, 1):
        got, want = theirs.episode(e), ours.episode(e)
        assert (got.key, got.embodiment) == (want.key, want.embodiment)
        assert np.array_equal(got.times_ns, want.times_ns)
        assert np.array_equal(got.action["pedals"], want.action["pedals"])
        assert got.observation["instruction"] == want.observation["instruction"]
        for i, image in enumerate(got.observation["front"]):
            assert made.number_of(image) == 100 * e + i
            if video is not None:
                apart = np.abs(image.astype(int) - want.observation["front"][i])
                assert apart.mean() < 2


def test_without_the_library_its_extra_is_named(
    made: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, made, None)
    for name in [name for name in sys.modules if name.split(".")[0] == "lerobot"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "lerobot", None)
    with pytest.raises(MissingExtra, match=r"needs the package 'lerobot'.*octoverse\[lerobot\]"):
        LibrarySource(folder=tmp_path).episode(0)


def test_what_the_library_does_not_read_is_named(made: SimpleNamespace, tmp_path: Path) -> None:
    pytest.importorskip("lerobot.datasets.lerobot_dataset", exc_type=ImportError)
    write(tmp_path, made, None)
    (tmp_path / "data/chunk-000/file-000.parquet").write_bytes(b"PAR1")
    with pytest.raises(BadData, match="expected what the lerobot library reads, got "):
        LibrarySource(folder=tmp_path).episode(0)
