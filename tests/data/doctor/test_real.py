"""Every real recording: the exact faults and suspicions that the doctor tells of it."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from octoverse.data.dataset import open_data
from octoverse.data.doctor.finding import Finding
from octoverse.data.doctor.runner import examine

Findings = tuple[Finding, ...]


@pytest.fixture
def report(real_data: Callable[[str], Path]) -> Callable[..., Findings]:
    """Examines a declared data set, its other split held against it."""

    def report(name: str, split: str = "", against: str = "") -> Findings:
        root = str(real_data(name).parent)
        others = [open_data(name, root, against)] if against else []
        return examine(open_data(name, root, split), against=others).findings

    return report


def grave(findings: Findings) -> list[tuple[str, str, str]]:
    wanted = [f for f in findings if f.severity in ("fault", "suspicion")]
    return sorted((f.check, f.severity, f.where) for f in wanted)


def said(findings: Findings, check: str, severity: str) -> str:
    return " ".join(f.message for f in findings if (f.check, f.severity) == (check, severity))


def test_bridge_is_cut_short_and_its_flags_are_wrong(report: Callable[..., Findings]) -> None:
    found = report("bridge-octo-debug", against="val")
    flags = ", ".join(f"episode_metadata/has_image_{i}" for i in range(3))
    assert grave(found) == [
        ("coverage", "suspicion", ""),
        ("rlds", "fault", flags),
        ("rlds", "fault", "steps/is_last, steps/is_terminal"),
    ]
    assert "All 15 episodes have exactly 10 steps" in said(found, "coverage", "suspicion")
    assert "in 10 of 10 events" in said(found, "gripper", "information")
    assert re.search(r"moves 0\.8. to 1\.0. for 1", said(found, "units", "information"))
    assert "in the robot's base frame" in said(found, "frame", "information")
    assert "times are nominal" in said(found, "clock", "cannot be told")
    assert "None of 15 episodes here is among 5" in said(found, "copies", "information")
    known = said(found, "rlds", "information")
    assert "15 episodes share 7 values: it does not tell them apart" in known
    assert "it begins black in 15 of 15 episodes" in known  # image_3


def test_cr5_has_an_irregular_clock_and_no_measured_gripper(
    report: Callable[..., Findings],
) -> None:
    found = report("dobot-cr5", "all")
    assert grave(found) == [("clock", "fault", "")]
    assert "0.0601 to 0.274 s" in said(found, "clock", "fault")
    assert "63 of 1832 steps are longer than 1.5 medians" in said(found, "clock", "fault")
    untold = said(found, "gripper", "cannot be told")
    assert "no state measures an opening. 8 of 8 episodes begin open" in untold
    assert "(action[6]) 0 is open, by their declaration" in said(found, "gripper", "information")
    units = said(found, "units", "information")
    assert "4 of 6 numbers can be held against the state: it moves 1.00 to 1.00" in units
    assert "There is one instruction only" in said(found, "words", "information")


def test_g1_keeps_its_old_numbers_and_repeats_images_and_hands(
    report: Callable[..., Findings],
) -> None:
    found = report("unitree-g1-inspire", "all")
    assert grave(found) == [
        ("cameras", "fault", "head, episode 20, step 0"),
        ("lerobot", "fault", "data/chunk-000/episode_000020.parquet"),
        ("stale", "suspicion", "hands"),
    ]
    assert "60% of its steps in motion repeat" in said(found, "stale", "suspicion")
    # In the first two seconds of an episode every other image is that before it.
    assert "neighbouring images are equal in every pixel" in said(found, "cameras", "fault")
    assert "the number 20 and its first row the index 7844" in said(found, "lerobot", "fault")
    assert "which end is open cannot be told" in said(found, "gripper", "cannot be told")
    assert "best 5 steps (0.17 s) later" in said(found, "lag", "information")
    assert "best 10 steps (0.33 s) later" in said(found, "lag", "information")
    assert "times are nominal" in said(found, "clock", "cannot be told")


def test_gr1_lies_elsewhere_than_it_says(report: Callable[..., Findings]) -> None:
    found = report("gr00t-gr1-sim", "all")
    # The arm's commands leap by 0.3 to 0.5 rad where its plan goes over into a demonstration.
    assert grave(found) == [
        ("jumps", "suspicion", "right_arm.joint_2, episode 0, step 6"),
        ("jumps", "suspicion", "right_arm.joint_5, episode 0, step 6"),
        ("lerobot", "fault", "meta/info.json"),
        ("lerobot", "fault", "meta/info.json, observation.images.egoview"),
        ("lerobot", "suspicion", "data/chunk-000/episode_000000.parquet"),
        ("lerobot", "suspicion", "meta/tasks"),
    ]
    faults = said(found, "lerobot", "fault")
    assert "it says data/chunk-001/episode_000001.parquet where data/chunk-000/" in faults
    assert "(800 x 1280 x 3), but there is no video of it" in faults
    suspicions = said(found, "lerobot", "suspicion")
    assert "lacks the columns that every LeRobot file has: frame_index" in suspicions
    assert "'valid' is no instruction but a flag" in suspicions


def test_comma_lacks_its_video_and_its_frames_are_right(report: Callable[..., Findings]) -> None:
    found = report("comma2k19-example", against="val")
    assert grave(found) == [
        ("comma2k19", "fault", "Example_1/b0c9d2329ad1606b|2018-08-02--08-34-47/40"),
        ("coverage", "suspicion", "front"),
    ]
    assert "in the earth's frame (ECEF)" in said(found, "comma2k19", "information")
    motion = said(found, "motion", "information")
    assert "It drives along its x, within 0.0 degrees" in motion
    assert motion.count("one unit") == 3
    assert "None of 1 episodes here is among 1" in said(found, "copies", "information")
    assert "It comes at 20 Hz, evenly" in said(found, "drives", "information")


def test_the_tub_has_the_times_of_its_conversion(report: Callable[..., Findings]) -> None:
    found = report("donkeycar-tub", against="val")
    assert grave(found) == [("donkeycar", "fault", "_timestamp_ms")]
    assert "stamped 0.003 s apart" in said(found, "donkeycar", "fault")
    assert "Whether positive steering is left" in said(found, "units", "cannot be told")
    assert "None of 1 episodes here is among 1" in said(found, "copies", "information")


def test_kitti_has_more_stamps_than_frames_and_lasts_a_second(
    report: Callable[..., Findings],
) -> None:
    found = report("kitti-raw-drive-0002", "all")
    assert grave(found) == [
        ("coverage", "suspicion", "ego_history"),
        ("coverage", "suspicion", "path"),
        ("kitti", "fault", "2011_09_26/2011_09_26_drive_0002_sync/image_02/timestamps.txt"),
    ]
    assert "77 stamps for 10 files, and so it is with 3 sensors" in said(found, "kitti", "fault")
    assert "0.9 of 6.4 s" in said(found, "coverage", "suspicion")


def test_sullychen_has_no_times_of_its_own(report: Callable[..., Findings]) -> None:
    found = report("sullychen-100", "all")
    assert grave(found) == []
    assert "times are nominal" in said(found, "drives", "cannot be told")
    assert "cannot be told from the data" in said(found, "units", "cannot be told")


def test_argoverse_2_has_poses_of_several_clocks_and_no_images(
    report: Callable[..., Findings],
) -> None:
    found = report("av2-sensor-log", "all")
    assert grave(found) == [
        ("coverage", "suspicion", "front"),
        ("drives", "suspicion", "ego motion"),
    ]
    assert "it comes at 197 Hz, with steps from 1e-09" in said(found, "drives", "suspicion")
    assert "It drives along its x" in said(found, "motion", "information")


@pytest.mark.parametrize("name", ["av2-forecasting", "lyft-l5-scene"])
def test_logs_without_images_lack_nothing_else(report: Callable[..., Findings], name: str) -> None:
    found = report(name, "all")
    assert grave(found) == [("coverage", "suspicion", "front")]
    motion = said(found, "motion", "information")
    assert "It drives along its x" in motion and "one unit" in motion


def test_drivelm_has_single_moments_and_no_actions(report: Callable[..., Findings]) -> None:
    found = report("drivelm-nuscenes-sample")
    cameras = "camera front, camera cross_left, camera cross_right, camera rear"
    assert grave(found) == [
        ("coverage", "fault", "path"),
        ("coverage", "suspicion", ""),
        ("coverage", "suspicion", "ego_history, speed"),
        ("drives", "suspicion", f"{cameras}, camera side_left, camera side_right"),
    ]
    assert "absent throughout" in said(found, "coverage", "fault")
    assert "every sample stands alone" in said(found, "drives", "suspicion")


def test_a_real_recording_is_found_again_in_a_part_of_itself(
    report: Callable[..., Findings],
) -> None:
    found = report("bridge-octo-debug", "train[5:]", "train")
    (copies,) = [f for f in found if f.check == "copies"]
    assert copies.severity == "fault"
    assert (
        "10 of 10 episodes are in 'bridge_dataset/train', 10 of its 15 are here" in copies.message
    )
