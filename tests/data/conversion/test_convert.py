import json
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from octoverse.data.conversion.convert import convert
from octoverse.data.lerobot import writer as writing
from octoverse.data.lerobot.format import VideoFormat
from octoverse.data.lerobot.source import LeRobotSource
from octoverse.data.opening import open_source
from octoverse.errors import BadData, UnknownName
from octoverse.preprocess import decode

VIDEO = VideoFormat()
STEP_BY_STEP = """
import os, shutil, sys
sys.path.insert(0, sys.argv[1])
from itertools import count
from pathlib import Path
from made_data import MadeDrives
from octoverse.data.conversion import convert as module
from octoverse.data.lerobot import writer

writer.FLUSH_BYTES = 1
out, source, real = Path(sys.argv[2]), MadeDrives(sizes=(2, 2)), os.replace

def killed_at(place, folder):
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    number = count()
    def replace(*paths):
        if next(number) == place:
            os._exit(9)
        real(*paths)
    os.replace = replace
    module.convert(source, folder)
    os._exit(0)

def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}

module.convert(source, out / "whole")
for place in count():
    if not killed_at(place, out / "killed"):
        break
    module.convert(source, out / "killed")
    assert contents(out / "killed") == contents(out / "whole"), place
    shutil.rmtree(out / "killed")
print(place, "kills")
"""
ANY_MOMENT = """
import os, sys
sys.path.insert(0, sys.argv[1])
from functools import cache
from pathlib import Path
import made_data
from octoverse.data.conversion.convert import convert
from octoverse.data.lerobot import writer
from octoverse.data.lerobot.format import VideoFormat

real, counting = os.replace, cache(made_data.killed_at)

def replace(*paths):
    real(*paths)
    counting(int(sys.argv[5]))

if __name__ == "__main__":
    os.replace = replace
    writer.FLUSH_BYTES = 20_000
    video = VideoFormat() if sys.argv[3] == "video" else None
    source = made_data.MadeDrives(sizes=(5, 4, 6) * 10)
    convert(source, Path(sys.argv[2]), video=video, processes=int(sys.argv[4]))
    print(counting(int(sys.argv[5]))())
"""


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_what_is_read_back_is_what_was_converted(made_data: Any, tmp_path: Path) -> None:
    source = made_data.MadeDrives()
    found = convert(source, tmp_path / "out")
    assert found.words == (
        "3 episodes, 15 steps; every number is equal; 19 encoded images are the same bytes; "
        "11 images have the same pixels."
    )
    out = LeRobotSource(folder=tmp_path / "out")
    assert out.lengths().tolist() == [5, 4, 6] and out.embodiment == "passenger_car"
    for index in range(3):
        given, got = source.episode(index), out.episode(index)
        assert got.key == given.key and np.array_equal(got.times_ns, given.times_ns)
        assert list(got.observation["front"]) == list(given.observation["front"])
        known = given.observation_valid["speed"]
        assert np.array_equal(got.observation_valid["speed"], known)
        assert np.array_equal(got.observation["speed"][known], given.observation["speed"][known])
        real = given.action_valid["path"]
        assert np.array_equal(got.action_valid["path"], real)
        assert np.array_equal(got.action["path"][real], given.action["path"][real])
        assert np.isfinite(got.action["path"]).all()
        assert list(got.observation["instruction"]) == given.observation["instruction"]


def test_what_an_episode_lacks_is_marked_and_what_all_lack_is_absent(
    made_data: Any, tmp_path: Path
) -> None:
    convert(made_data.MadeDrives(), tmp_path / "out")
    out = LeRobotSource(folder=tmp_path / "out")
    left = [out.episode(i).observation_valid["cross_left"].tolist() for i in range(3)]
    assert left == [[False] * 5, [True] * 4, [False] * 6]
    assert not decode(out.episode(0).observation["cross_left"][2]).any()
    assert "side_left" not in out.episode(0).observation


def test_calibration_agents_and_questions_are_kept(made_data: Any, tmp_path: Path) -> None:
    source = made_data.MadeDrives()
    convert(source, tmp_path / "out")
    given, got = source.episode(1), LeRobotSource(folder=tmp_path / "out").episode(1)
    assert got.calibration == given.calibration and got.questions == given.questions
    for name in ("step", "identity", "kind", "pose", "size", "velocity"):
        wanted, found = getattr(given.tracks, name), getattr(got.tracks, name)
        assert np.array_equal(wanted, found, equal_nan=wanted.dtype.kind == "f")
        assert wanted.dtype.kind == found.dtype.kind


def test_video_differs_within_a_bound_that_is_told(made_data: Any, tmp_path: Path) -> None:
    found = convert(made_data.MadeDrives(height=64), tmp_path / "out", video=VIDEO)
    assert found.checked.encoded == 30 and found.checked.copied == found.checked.same == 0
    assert 0 < found.checked.mean_error <= found.checked.largest_error < 10
    assert "30 frames of video differ by " in found.words
    assert len(list((tmp_path / "out").rglob("*.mp4"))) == 2
    frame = LeRobotSource(folder=tmp_path / "out").episode(0).observation["front"][3]
    wanted = decode(made_data.MadeDrives(height=64).episode(0).observation["front"][3])
    assert np.abs(frame.astype(int) - wanted).mean() < 10


def test_a_video_data_set_is_converted_into_images(made_data: Any, tmp_path: Path) -> None:
    convert(made_data.MadeDrives(height=64), tmp_path / "video", video=VIDEO)
    again = convert(LeRobotSource(folder=tmp_path / "video"), tmp_path / "images")
    assert again.checked.same == 30 and again.checked.encoded == 0


@pytest.mark.parametrize("video", [None, VIDEO])
def test_the_number_of_processes_changes_no_byte(
    made_data: Any, tmp_path: Path, video: VideoFormat | None
) -> None:
    source = made_data.MadeDrives(height=64)
    convert(source, tmp_path / "one", video=video)
    convert(source, tmp_path / "two", video=video, processes=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_killed_before_any_file_is_in_place_it_ends_with_the_same_bytes(tmp_path: Path) -> None:
    command = [sys.executable, "-c", STEP_BY_STEP, str(Path(__file__).parents[1]), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[0]) > 15


@pytest.mark.parametrize(
    ("form", "kills"), [("images", 2), pytest.param("video", 6, marks=pytest.mark.slow)]
)
def test_killed_at_any_moment_it_ends_with_the_same_bytes(
    tmp_path: Path, form: str, kills: int
) -> None:
    (tmp_path / "run.py").write_text(ANY_MOMENT)

    def run(folder: str, processes: int, moment: int = 0) -> "subprocess.CompletedProcess[bytes]":
        command = [sys.executable, str(tmp_path / "run.py"), str(Path(__file__).parents[1])]
        told = [str(tmp_path / folder), form, str(processes), str(moment)]
        return subprocess.run([*command, *told], stdout=subprocess.PIPE)

    moments, rng = int(run("whole", 2).stdout), np.random.default_rng(0)
    written = []
    for number in range(kills):
        killed = run("killed", 1 + number % 2, int(rng.integers(1, moments // 3))).returncode
        assert killed == -signal.SIGKILL or (number and killed == 0)
        if killed:
            written.append(len(list(tmp_path.glob("killed/data/*/*"))))
    assert any(written)
    assert run("killed", 2).returncode == 0
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_a_conversion_that_is_complete_is_not_done_again(made_data: Any, tmp_path: Path) -> None:
    first = convert(made_data.MadeDrives(), tmp_path / "out")
    assert not (tmp_path / "out/.conversion").exists()
    assert json.loads((tmp_path / "out/meta/conversion.json").read_text())["note"]["plan"]["steps"]
    assert convert(made_data.MadeDrives(broken=0), tmp_path / "out") == first


@pytest.mark.parametrize("bytes_of_a_file", [1, 2**26])
def test_stopped_by_an_error_it_goes_on_and_ends_with_the_same_bytes(
    made_data: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bytes_of_a_file: int
) -> None:
    monkeypatch.setattr(writing, "FLUSH_BYTES", bytes_of_a_file)
    convert(made_data.MadeDrives(), tmp_path / "whole")

    class Torn(made_data.MadeDrives):  # type: ignore[misc]
        def episode(self, index: int) -> Any:
            planned = (tmp_path / "out/.conversion/plan.json").exists()
            return replace(self, broken=2 if planned else -1)._sound(index)

        def _sound(self, index: int) -> Any:
            return made_data.MadeDrives.episode(self, index)

    with pytest.raises(BadData, match=r"drive-2.bin: expected a drive, got nothing"):
        convert(Torn(), tmp_path / "out")
    assert len(list(tmp_path.glob("out/data/*/*"))) == (2 if bytes_of_a_file == 1 else 0)
    convert(made_data.MadeDrives(), tmp_path / "out")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_folder_with_something_else_is_refused(made_data: Any, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("dear to me")
    with pytest.raises(BadData, match=r"expected a new folder, or one in which a conversion was "):
        convert(made_data.MadeDrives(), tmp_path)
    assert (tmp_path / "mine").exists()


def test_another_source_or_form_than_it_began_with_is_refused(
    made_data: Any, tmp_path: Path
) -> None:
    source = made_data.MadeDrives()
    convert(source, tmp_path / "out")
    with pytest.raises(BadData, match=r"holds a conversion of 'made_drives' .*expected one of 'o"):
        convert(made_data.MadeDrives(name="others"), tmp_path / "out")
    with pytest.raises(BadData, match=r"with images, expected one with video \(libsvtav1\)"):
        convert(source, tmp_path / "out", video=VIDEO)


def test_a_note_that_is_damaged_is_named(made_data: Any, tmp_path: Path) -> None:
    (tmp_path / ".conversion").mkdir()
    (tmp_path / ".conversion/plan.json").write_text("{")
    with pytest.raises(
        BadData, match=r"plan.json: expected the note of a conversion, got: .*Delet"
    ):
        convert(made_data.MadeDrives(), tmp_path)


def test_a_source_without_episodes_is_refused(made_data: Any, tmp_path: Path) -> None:
    with pytest.raises(BadData, match="'made_drives': expected episodes to convert, got none"):
        convert(made_data.MadeDrives(sizes=()), tmp_path)
    with pytest.raises(UnknownName, match="No embodiment named 'nobody'"):
        convert(made_data.MadeDrives(embodiment="nobody"), tmp_path)


def test_real_video_becomes_nearly_the_same_video(
    real_data: Callable[[str], Path], tmp_path: Path
) -> None:
    source = open_source("dobot-cr5", real_data("dobot-cr5").parent, "val")
    assert isinstance(source, LeRobotSource)
    found = convert(replace(source, split="-1:"), tmp_path / "out", video=VideoFormat(quality=40))
    assert found.checked.encoded == source.lengths()[-1] and found.checked.mean_error < 5


@pytest.mark.parametrize(
    ("name", "copied"),
    [
        ("bridge-octo-debug", 450),
        ("donkeycar-tub", 784),
        ("comma2k19-example", 0),
        ("av2-forecasting", 0),
        ("drivelm-nuscenes-sample", 30),
    ],
)
def test_real_recordings_are_read_back_equal(
    real_data: Callable[[str], Path], tmp_path: Path, name: str, copied: int
) -> None:
    source = open_source(name, real_data(name).parent)
    found = convert(source, tmp_path / "out")
    assert found.note.plan.steps == source.lengths().sum() and not found.note.plan.lost
    assert found.checked.copied == copied and found.checked.encoded == 0
