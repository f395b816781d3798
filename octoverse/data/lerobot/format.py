"""What a LeRobot folder holds, and how its features map to a body's streams and groups.

Source: huggingface/lerobot, src/lerobot/datasets/utils.py and feature_utils.py, version 0.4 to 0.6.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from octoverse.embodiment import (
    Camera,
    Command,
    EgoHistory,
    Embodiment,
    GoalImage,
    Instruction,
    PathGroup,
    Route,
    State,
)

VERSION = "v3.0"
"""What is written."""
VERSIONS = ("v2.0", "v2.1", "v3.0")
"""What is read."""
INFO = "meta/info.json"
STATS = "meta/stats.json"
TASKS = "meta/tasks.parquet"
DESCRIPTION = "meta/octoverse.json"
EPISODES = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
DATA = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
FILES_PER_CHUNK = 1000

KEY = "octoverse/key"
"""Column of the episodes' table that holds Episode.key."""
TIME = "octoverse.time_ns"
"""Feature with the exact times; LeRobot's own timestamp is frame / fps."""
STATE = "observation.state"
ACTION = "action"


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Where one stream or action group lies: a whole feature, or some of its numbers."""

    feature: str
    start: int | None = None
    stop: int | None = None


class VideoFormat(msgspec.Struct, frozen=True, kw_only=True):
    """How frames are encoded; as LeRobot does it unless told otherwise.

    Source: huggingface/lerobot, src/lerobot/datasets/video_utils.py, version 0.4 to 0.6.
    """

    codec: str = "libsvtav1"
    """An encoder of FFmpeg's, such as libsvtav1 or libx264."""
    group: int = 2
    """Frames from one that can be decoded by itself to the next: 2 makes random windows cheap."""
    quality: int = 30
    """The encoder's constant rate factor; lower is better and larger."""


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """meta/octoverse.json: what a recording means."""

    version: int = 1
    body: Embodiment
    """The spec that it was recorded with."""
    observation: dict[str, Part]
    """Stream to where it lies; an instruction lies in the feature task."""
    action: dict[str, Part]
    observation_valid: dict[str, Part] = {}
    action_valid: dict[str, Part] = {}
    video: VideoFormat | None = None
    """How the writer encodes its images, where not as they are."""


class Feature(msgspec.Struct, kw_only=True, omit_defaults=False):
    """One feature as info.json tells it."""

    dtype: str
    shape: tuple[int, ...]
    names: Any = None
    info: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    """How a video is encoded."""


BOOKKEEPING = {
    "timestamp": Feature(dtype="float32", shape=(1,)),
    "frame_index": Feature(dtype="int64", shape=(1,)),
    "episode_index": Feature(dtype="int64", shape=(1,)),
    "index": Feature(dtype="int64", shape=(1,)),
    "task_index": Feature(dtype="int64", shape=(1,)),
}


class Info(msgspec.Struct, kw_only=True):
    """meta/info.json."""

    codebase_version: str = VERSION
    robot_type: str | None = None
    total_episodes: int = 0
    total_frames: int = 0
    total_tasks: int = 0
    chunks_size: int = FILES_PER_CHUNK
    data_files_size_in_mb: int = 100
    video_files_size_in_mb: int = 200
    fps: int | float
    splits: dict[str, str] = {}
    data_path: str | None = None
    video_path: str | None = None
    features: dict[str, Feature]


def describe(
    body: Embodiment,
    observation: Iterable[str],
    action: Iterable[str],
    masked: Mapping[str, Iterable[str]],
    image_shapes: Mapping[str, tuple[int, ...]],
) -> tuple[Description, dict[str, Feature]]:
    """Lay out a recording of a body as LeRobot features.

    States side by side are observation.state and control-step groups side by side are action, as
    LeRobot's policies expect; a path is a feature of its own.

    Args:
        body: What is recorded.
        observation: The streams that the recording has.
        action: The action groups that it has.
        masked: Side ("observation", "action") to the names that have a mask.
        image_shapes: Camera to (h, w, 3).
    """
    features: dict[str, Feature] = {}
    seen: dict[str, Part] = {}
    done: dict[str, Part] = {}
    state_names: list[str] = []
    for name in observation:
        stream = body.observation[name]
        match stream:
            case Camera() | GoalImage():
                key = f"observation.images.{name}"
                names = ["height", "width", "channels"]
                features[key] = Feature(dtype="image", shape=image_shapes[name], names=names)
                seen[name] = Part(feature=key)
            case State():
                start = len(state_names)
                state_names += [f"{name}.{n}" for n in stream.names]
                seen[name] = Part(feature=STATE, start=start, stop=len(state_names))
            case EgoHistory() | Route():
                key = f"observation.{name}"
                size = (stream.steps, 3) if isinstance(stream, EgoHistory) else (stream.points, 2)
                features[key] = Feature(dtype="float32", shape=size)
                seen[name] = Part(feature=key)
            case Command():
                key = f"observation.{name}"
                features[key] = Feature(dtype="int64", shape=(1,), names=list(stream.names))
                seen[name] = Part(feature=key)
            case Instruction():
                seen[name] = Part(feature="task")
    action_names: list[str] = []
    for name in action:
        group = body.action[name]
        if isinstance(group, PathGroup):
            key = f"{ACTION}.{name}"
            shape = (group.steps, group.size)
            features[key] = Feature(dtype="float32", shape=shape)
            done[name] = Part(feature=key)
        else:
            start = len(action_names)
            action_names += [f"{name}.{n}" for n in group.names]
            done[name] = Part(feature=ACTION, start=start, stop=len(action_names))
    for key, numbers in ((STATE, state_names), (ACTION, action_names)):
        if numbers:
            features[key] = Feature(dtype="float32", shape=(len(numbers),), names=numbers)
    valid: dict[str, dict[str, Part]] = {"observation": {}, "action": {}}
    for side, names_masked in masked.items():
        for name in names_masked:
            key = f"octoverse.valid.{side}.{name}"
            spec = body.action[name] if side == "action" else None
            steps = spec.steps if isinstance(spec, PathGroup) else 1
            features[key] = Feature(dtype="bool", shape=(steps,))
            valid[side][name] = Part(feature=key)
    features[TIME] = Feature(dtype="int64", shape=(1,))
    features |= BOOKKEEPING
    description = Description(
        body=body,
        observation=seen,
        action=done,
        observation_valid=valid["observation"],
        action_valid=valid["action"],
    )
    return description, features


def place(index: int) -> dict[str, int]:
    """Chunk and file of the index-th file."""
    return {"chunk_index": index // FILES_PER_CHUNK, "file_index": index % FILES_PER_CHUNK}


def replace_file(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    waiting = path.with_name(f".{path.name}.part")
    with waiting.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(waiting, path)
