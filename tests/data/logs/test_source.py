import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from octoverse import registry
from octoverse.data.cutting import cut
from octoverse.data.logs.drive import Drive
from octoverse.data.logs.source import DriveSource
from octoverse.data.source import Source
from octoverse.data.windows import WindowSpec
from octoverse.errors import BadConfig, BadData
from octoverse.preprocess import Preprocess, PreprocessConfig


def source(drives: Any, *given: Drive, **changed: Any) -> DriveSource:
    given = given or (drives.make(),)
    return DriveSource(reader=drives.reader(drives=given), label="made", **changed)


def test_a_window_can_be_cut_out_of_a_drive(drives: Any) -> None:
    made = source(drives)
    assert isinstance(made, Source) and made.name == "made"
    assert made.lengths().tolist() == [121]
    body = registry.load("embodiment", "passenger_car")
    window = cut(made.episode(0), 40, body, WindowSpec(frames=2), Preprocess(PreprocessConfig()))
    assert window.action["path"].shape == (64, 3) and window.action_valid["path"].all()
    assert window.observation.valid["front"].all()
    assert not window.observation.valid["cross_left"].any()


def test_a_gap_ends_an_episode_and_no_pose_is_looked_at_across_it(drives: Any) -> None:
    drive = drives.make()
    times = drive.ego.times_ns
    kept = (times <= drives.start + 4e9) | (times >= drives.start + 5e9)
    ego = replace(
        drive.ego,
        times_ns=times[kept],
        positions=drive.ego.positions[kept],
        rotations=drive.ego.rotations[kept],
    )
    made = source(drives, replace(drive, ego=ego))
    assert made.lengths().tolist() == [41, 71]
    before, after = made.episode(0), made.episode(1)
    assert (before.key, after.key) == ("d#0", "d#1")
    assert after.times_ns[0] == drives.start + 5 * 10**9
    assert not before.action_valid["path"][-1].any()
    assert not after.observation_valid["ego_history"][:15].any()
    assert source(drives, replace(drive, ego=ego), longest_gap=1.0).lengths().tolist() == [121]


def test_without_ego_motion_steps_follow_the_camera(drives: Any) -> None:
    episode = source(drives, drives.make(ego=None)).episode(0)
    assert episode.times_ns[0] == drives.start + 10_000_000
    assert len(episode) == 120 and not episode.action
    assert "ego_history" not in episode.observation and "speed" in episode.observation


def test_a_single_recording_is_cut_in_time_after_a_gap_of_one_chunk(drives: Any) -> None:
    long = drives.make(seconds=59.92)
    train, val = (source(drives, long, split=split) for split in ("train", "val"))
    assert (train.lengths().tolist(), val.lengths().tolist()) == ([416], [120])
    # 480 steps are not held out, the last 64 of them are the gap.
    first, last = val.episode(0), train.episode(0)
    cut_at = drives.start + 48 * 10**9
    assert first.times_ns[0] == cut_at
    future = last.times_ns[:, None] + np.arange(1, 65) * 100_000_000
    valid = last.action_valid.get("path", np.ones(future.shape, bool))
    assert valid.all() and (future < cut_at).all()
    assert not first.observation_valid["ego_history"][:15].any()


def test_without_a_gap_the_futures_of_train_end_where_val_begins(drives: Any) -> None:
    long = drives.make(seconds=59.92)
    train = source(drives, long, split="train", gap=0.0)
    assert train.lengths().tolist() == [480]
    valid = train.episode(0).action_valid["path"]
    assert valid[415].all() and valid[479].sum() == 0 and valid[470].sum() == 9


def test_a_cut_counts_the_steps_of_all_stretches(drives: Any) -> None:
    drives_of_one_route = [drives.make(f"route/{i}", 9.92) for i in range(5)]
    settings = {"gap": 1.0, "held_out": 0.3}
    train, val = (
        source(drives, *drives_of_one_route, split=s, **settings) for s in ("train", "val")
    )
    assert train.lengths().tolist() == [100, 100, 100, 40]
    assert val.lengths().tolist() == [50, 100]
    assert [val.episode(i).key for i in range(2)] == ["route/3", "route/4"]


def test_several_routes_are_split_whole(drives: Any) -> None:
    routes = [drives.make(f"{route}/{i}", 3.0) for route in "abcdefghij" for i in range(2)]
    keys = {}
    for split in ("all", "train", "val"):
        made = source(drives, *routes, split=split)
        keys[split] = [made.episode(i).key for i in range(len(made))]
    assert keys["all"] == sorted(keys["train"] + keys["val"])
    assert len(keys["val"]) == 4
    assert not {k[0] for k in keys["train"]} & {k[0] for k in keys["val"]}
    again = source(drives, *routes[::-1], split="val")
    assert {again.episode(i).key for i in range(4)} == set(keys["val"])


def test_its_fingerprint_tells_how_drives_are_joined(drives: Any) -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"split": "val"},
        {"tolerance": 0.1},
        {"longest_gap": 1.0},
        {"gap": 2.0},
        {"held_out": 0.5},
        {"embodiment": "road_car"},
    ]
    assert len({source(drives, **change).fingerprint() for change in changes}) == len(changes)


def test_it_travels_to_other_processes_without_what_it_keeps(drives: Any) -> None:
    made = source(drives)
    made.episode(0)
    copy = pickle.loads(pickle.dumps(made))
    assert copy.lengths().tolist() == [121]
    assert copy.fingerprint() == made.fingerprint()


def test_what_is_asked_for_again_is_joined_once(drives: Any) -> None:
    made = source(drives, drives.make("a"), drives.make("b"))
    first = made.episode(0)
    made.episode(1)
    assert made.episode(0) is first


def test_bad_settings_are_refused(drives: Any) -> None:
    with pytest.raises(BadConfig, match=r"held_out must be between 0 and 1 .* got 1\.5 and 6\.4"):
        len(source(drives, held_out=1.5))
    with pytest.raises(BadData, match="'made': nothing is left for the split 'train' of 1 drives"):
        len(source(drives, split="train", gap=60.0))
    with pytest.raises(IndexError, match="'made' has episodes 0 to 0, got 1"):
        source(drives).episode(1)


def test_a_damaged_drive_is_named(drives: Any) -> None:
    drive = drives.make()
    bad = replace(drive, speed=replace(drive.speed, values=drive.speed.values[:3]))
    with pytest.raises(BadData, match="'made', drive d: speed: expected one sample for each"):
        len(source(drives, bad))
    with pytest.raises(BadData, match=r"drive d: expected ego motion, a camera, .* found none"):
        len(source(drives, Drive(key="d")))
