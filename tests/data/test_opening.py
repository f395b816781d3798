from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rosbags.rosbag2 import Writer
from rosbags.typesys import Stores, get_typestore

from octoverse import registry
from octoverse.data.dataset import DataSet
from octoverse.data.lerobot.source import LeRobotSource
from octoverse.data.lerobot.writer import LeRobotWriter
from octoverse.data.logs.donkeycar import DonkeycarSource
from octoverse.data.opening import declared_at, format_of, guess_at, open_source
from octoverse.data.rlds.source import RldsSource
from octoverse.errors import BadConfig, BadData, OctoverseError, UnknownName

Declare = Callable[[DataSet], None]


@pytest.fixture
def drives(tmp_path: Path, made_data: Any, declare: Declare) -> Path:
    """A root in which made_drives lies."""
    declare(made_data.MADE_DRIVES)
    (tmp_path / "made/drives").mkdir(parents=True)
    return tmp_path


def test_a_declared_data_set_is_opened_by_name_below_a_root(drives: Path) -> None:
    assert len(open_source("made_drives", drives)) == 3
    assert len(open_source("made_drives", str(drives), "val")) == 1


def test_a_declared_data_set_is_known_by_its_folder(drives: Path) -> None:
    assert open_source(drives / "made/drives").name == "made_drives"
    assert len(open_source(f"{drives}/made/drives/", split="val")) == 1
    found = declared_at(drives / "made/drives")
    assert found is not None and found.name == "made_drives"
    with pytest.raises(UnknownName, match=r"No split of 'made_drives' named 'vall'. Did you mean"):
        open_source(drives / "made/drives", split="vall")


def test_a_folder_of_two_data_sets_is_neither_of_them(
    drives: Path, made_data: Any, declare: Declare
) -> None:
    declare(replace(made_data.MADE_DRIVES, name="made_again"))
    assert declared_at(drives / "made/drives") is None


def test_a_data_set_that_cannot_be_loaded_hides_no_folder(
    drives: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(kind: str, name: str) -> Any:
        raise OctoverseError("cannot be loaded")

    monkeypatch.setattr(registry, "load", load)
    (drives / "made/drives/manifest.json").touch()
    assert isinstance(open_source(drives / "made/drives"), DonkeycarSource)


def test_a_recording_says_itself_what_it_means(
    drives: Path, made_data: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = drives / "made/drives"
    with LeRobotWriter(folder, registry.load("embodiment", "passenger_car")) as writer:
        writer.add(made_data.MadeDrives().episode(0))
    found = open_source(folder)
    assert isinstance(found, LeRobotSource) and len(found) == 1
    monkeypatch.chdir(drives / "made")
    assert isinstance(open_source("drives"), LeRobotSource)


def test_other_folders_are_known_by_what_lies_in_them(tmp_path: Path, write_rlds: Any) -> None:
    folder = write_rlds(tmp_path / "rlds")
    assert isinstance(open_source(folder), RldsSource)
    (tmp_path / "tub").mkdir()
    (tmp_path / "tub/manifest.json").touch()
    tub = open_source(tmp_path / "tub", split="val")
    assert isinstance(tub, DonkeycarSource) and tub.split == "val"
    with pytest.raises(UnknownName, match=r"No split of '.*tub' named 'vall'. Did you mean 'val'"):
        open_source(tmp_path / "tub", split="vall")


def test_an_address_is_looked_into_as_a_folder_is(tmp_path: Path) -> None:
    (tmp_path / "[tub]").mkdir()
    (tmp_path / "[tub]/manifest.json").touch()
    assert format_of(tmp_path / "[tub]").name == "donkeycar"
    import fsspec

    fsspec.filesystem("memory").pipe("/far/dataset_info.json", b"{}")
    assert format_of("memory://far").name == "RLDS"
    with pytest.raises(BadData, match="memory://near: expected a data set, found none of meta/in"):
        open_source("memory://near")


def test_a_name_that_does_not_exist_suggests_the_nearest(drives: Path) -> None:
    words = r"No data set or folder named 'made_drive'. Did you mean 'made_drives'\? Known: made_d"
    with pytest.raises(UnknownName, match=words):
        open_source("made_drive", drives)


def test_a_declared_name_needs_a_root(drives: Path) -> None:
    words = r"'made_drives' needs --root FOLDER \(or OCTOVERSE_DATA\): below it lies made/drives"
    with pytest.raises(BadConfig, match=words):
        open_source("made_drives")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"nowhere: expected a folder with data, found none. Check"):
        open_source(tmp_path / "nowhere")


def test_a_folder_of_no_known_kind_lists_what_was_looked_for(drives: Path) -> None:
    words = (
        r"meta/info.json \(LeRobot\), dataset_info.json \(RLDS\), manifest.json \(donkeycar\).*"
        r"name of a declared data set: made_drives\."
    )
    with pytest.raises(BadData, match=words):
        open_source(drives)


@pytest.mark.parametrize(
    ("sign", "name"),
    [
        ("b0c9|2018/40/global_pose/frame_times", "comma2k19"),
        ("Chunk_1/b0c9|2018/40/global_pose/frame_times", "comma2k19"),
        ("2011_09_26/2011_09_26_drive_0002_sync/oxts/timestamps.txt", "kitti-raw"),
        ("driving_log.csv", "udacity"),
        ("data.txt", "sullychen"),
    ],
)
def test_driving_logs_are_known_by_their_files(tmp_path: Path, sign: str, name: str) -> None:
    (tmp_path / sign).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / sign).touch()
    found = format_of(tmp_path)
    assert found.name == name
    assert open_source(tmp_path).name == f"{name}/all"
    assert open_source(tmp_path, split="val").name == f"{name}/val"


@pytest.mark.parametrize(
    ("name", "folder", "steps"),
    [
        ("av2-sensor-log", "val", 160),
        ("av2-forecasting", ".", 110),
        ("lyft-l5-scene", "single_scene.zarr", 247),
    ],
)
def test_folders_of_drives_are_known_by_what_lies_in_them(
    real_data: Callable[[str], Path], tmp_path: Path, name: str, folder: str, steps: int
) -> None:
    (tmp_path / "mine").symlink_to((real_data(name) / folder).resolve())
    source = format_of(tmp_path / "mine").open(str(tmp_path / "mine"), "")
    assert (source.name, source.lengths().tolist()) == ("mine/all", [steps])
    with pytest.raises(UnknownName, match=r"No split of '.*mine' named 'test'"):
        format_of(tmp_path / "mine").open(str(tmp_path / "mine"), "test")


def test_a_bag_is_not_guessed_at_but_its_topics_are_told(tmp_path: Path) -> None:
    with Writer(tmp_path / "bag", version=9) as writer:
        store = get_typestore(Stores.LATEST)
        for topic, kind in (("/odom", "nav_msgs/msg/Odometry"), ("/imu", "sensor_msgs/msg/Imu")):
            writer.add_connection(topic, kind, typestore=store)
    words = (
        r"declaration .* topics of 'bag': /imu \(sensor_msgs/msg/Imu\), /odom \(nav_msgs/msg/Odo"
    )
    for folder in (tmp_path / "bag", tmp_path):
        with pytest.raises(BadConfig, match=words):
            open_source(folder)


def test_an_undeclared_folder_is_guessed_at(tmp_path: Path, write_rlds: Any, drives: Path) -> None:
    assert "is not declared" in guess_at(write_rlds(tmp_path / "rlds"))
    assert guess_at("made_drives") == guess_at(drives / "made/drives") == guess_at("nowhere") == ""
    (tmp_path / "tub").mkdir()
    (tmp_path / "tub/manifest.json").touch()
    assert guess_at(tmp_path / "tub") == ""


def test_a_declared_folder_is_not_guessed_at(
    tmp_path: Path, write_rlds: Any, made_data: Any
) -> None:
    assert guess_at(write_rlds(tmp_path / "rlds")) == ""
    with LeRobotWriter(tmp_path / "mine", registry.load("embodiment", "passenger_car")) as writer:
        writer.add(made_data.MadeDrives().episode(0))
    assert guess_at(tmp_path / "mine") == ""
