import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from octoverse.data.doctor.finding import Finding
from octoverse.data.doctor.runner import examine
from octoverse.data.lerobot.layout_v2 import DATA
from octoverse.data.lerobot.source import LeRobotSource
from octoverse.data.standard import Standard, Taken

STANDARD = Standard(
    embodiment="dobot_cr5",
    observation={"joints": Taken(feature="observation.state")},
    action={
        "arm": Taken(feature="action", stop=6),
        "gripper": Taken(feature="action", start=6, stop=7),
    },
    instruction={"instruction": "task"},
)
NUMBERS = {"dtype": "float32", "names": None}
COLUMNS = ("timestamp", "frame_index", "episode_index", "index", "task_index")


def folder(
    root: Path,
    *,
    first: int = 0,
    tasks: tuple[str, ...] = ("push", "pull"),
    lacking: tuple[str, ...] = (),
    features: dict[str, Any] | None = None,
    chunk: str = "chunk-000",
    **info: Any,
) -> list[Finding]:
    """Writes two episodes as v2.1, and gives what is said of the folder."""
    (root / "meta").mkdir(parents=True)
    (root / "data" / chunk).mkdir(parents=True)
    told = {
        "codebase_version": "v2.1",
        "fps": 10,
        "total_episodes": 2,
        "total_frames": 60,
        "splits": {"train": f"{first}:{first + 2}"},
        "data_path": DATA,
        "features": {
            "observation.state": {**NUMBERS, "shape": [6]},
            "action": {**NUMBERS, "shape": [7]},
            **{name: {"dtype": "int64", "shape": [1]} for name in COLUMNS if name not in lacking},
            **(features or {}),
        },
    }
    (root / "meta/info.json").write_text(json.dumps(told | info))
    lines = [json.dumps({"task_index": i, "task": task}) for i, task in enumerate(tasks)]
    (root / "meta/tasks.jsonl").write_text("\n".join(lines))
    lines = []
    for number in (first, first + 1):
        rng, at = np.random.default_rng(number), np.arange(30)
        lines.append(json.dumps({"episode_index": number, "length": 30, "tasks": [tasks[0]]}))
        waves = np.sin(at[:, None] * rng.uniform(0.1, 0.4, 13)).astype(np.float32)
        columns = {
            "observation.state": list(waves[:, :6]),
            "action": list(waves[:, 6:]),
            "timestamp": (at / 10).astype(np.float32),
            "frame_index": at,
            "episode_index": np.full(30, number),
            "index": number * 30 + at,
            "task_index": np.zeros(30, np.int64),
        }
        table = pa.table({name: column for name, column in columns.items() if name not in lacking})
        pq.write_table(table, root / "data" / chunk / f"episode_{number:06d}.parquet")
    (root / "meta/episodes.jsonl").write_text("\n".join(lines))
    found = examine(LeRobotSource(folder=root, standard=STANDARD)).findings
    return [finding for finding in found if finding.check == "lerobot"]


def test_a_folder_that_is_as_it_says_has_no_fault(tmp_path: Path) -> None:
    assert folder(tmp_path) == []


def test_paths_that_do_not_match_are_a_fault(tmp_path: Path) -> None:
    path = "data/chunk-{episode_index:03d}/episode_{episode_index:06d}.parquet"
    (found,) = folder(tmp_path, data_path=path)
    assert (found.severity, found.where) == ("fault", "meta/info.json")
    assert "data/chunk-001/episode_000001.parquet where data/chunk-000/" in found.message
    assert "for 1 of 2 episodes" in found.message


def test_a_camera_without_videos_is_a_fault(tmp_path: Path) -> None:
    camera = {"observation.images.top": {"dtype": "video", "shape": [48, 64, 3]}}
    found = folder(tmp_path, features=camera)
    (fault,) = [f for f in found if f.severity == "fault"]
    assert "declares this camera (48 x 64 x 3), but there is no video of it" in fault.message


def test_counts_that_do_not_match_are_a_fault(tmp_path: Path) -> None:
    (found,) = folder(tmp_path, total_frames=61)
    assert found.severity == "fault"
    assert "It counts 61 frames, the episodes have 60" in found.message


def test_a_split_beyond_the_end_is_a_fault(tmp_path: Path) -> None:
    (found,) = folder(tmp_path, splits={"train": "0:100"})
    assert found.severity == "fault"
    assert "Its split 'train' goes to episode 100, the last one is 1" in found.message


def test_numbers_of_a_larger_data_set_are_a_fault(tmp_path: Path) -> None:
    (found,) = folder(tmp_path, first=5)
    assert found.severity == "fault"
    assert "has the number 5 and its first row the index 150" in found.message


def test_lacking_bookkeeping_is_a_suspicion(tmp_path: Path) -> None:
    (found,) = folder(tmp_path, lacking=("frame_index",))
    assert found.severity == "suspicion" and "has: frame_index" in found.message


def test_a_task_that_is_a_flag_is_a_suspicion(tmp_path: Path) -> None:
    (found,) = folder(tmp_path, tasks=("push", "valid"))
    assert (found.severity, found.where) == ("suspicion", "meta/tasks")
    assert "'valid' is no instruction but a flag" in found.message


def test_what_the_declaration_leaves_is_information(tmp_path: Path) -> None:
    (found,) = folder(tmp_path, features={"next.reward": {**NUMBERS, "shape": [1]}})
    assert found.severity == "information"
    assert "leaves 1 features unused: next.reward" in found.message


def test_no_instruction_is_no_flag(tmp_path: Path) -> None:
    assert folder(tmp_path, tasks=("",)) == []
