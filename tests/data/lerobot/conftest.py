"""Videos whose frames carry their number, and LeRobot folders of every version around them."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from octoverse import registry
from octoverse.embodiment import Embodiment
from octoverse.episode import Episode
from octoverse.synthetic import random_action, random_frame

HEIGHT, WIDTH, BITS = 64, 96, 10


def picture(number: int) -> np.ndarray:
    """A frame with its number in black and white columns, over a ramp.

    The ramp jumps from frame to frame: encoders leave out what hardly changes.
    """
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[...] = ((np.arange(WIDTH) * 2 + 37 * number) % 200)[None, :, None]
    for bit in range(BITS):
        left = 8 + bit * 8
        image[8:56, left : left + 8] = 255 if number >> bit & 1 else 0
    return image


def number_of(image: np.ndarray) -> int:
    """The number that a decoded frame carries."""
    bits = [image[28:36, 10 + b * 8 : 14 + b * 8].mean() > 127 for b in range(BITS)]
    return sum(1 << b for b, on in enumerate(bits) if on)


def film(
    path: Path, numbers: Sequence[int], codec: str = "libx264", fps: int = 10, **options: str
) -> Path:
    """Write a video of numbered frames."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if codec == "libsvtav1":
        options = {"svtav1-params": "lp=1", **options}
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=fps, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in numbers:
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def info(version: str, fps: int, episodes: int, **fields: Any) -> dict[str, Any]:
    """info.json of a small arm's recording."""
    features = {
        "observation.images.top": {"dtype": "video", "shape": [HEIGHT, WIDTH, 3], "names": None},
        "observation.state": {"dtype": "float32", "shape": [6], "names": None},
        "action": {"dtype": "float32", "shape": [7], "names": None},
        "timestamp": {"dtype": "float32", "shape": [1], "names": None},
        "episode_index": {"dtype": "int64", "shape": [1], "names": None},
        "task_index": {"dtype": "int64", "shape": [1], "names": None},
    }
    return {
        "codebase_version": version,
        "fps": fps,
        "total_episodes": episodes,
        "splits": {"train": f"0:{episodes}"},
        "features": features,
    } | fields


def table(episode: int, steps: int, fps: int, first: int = 0) -> pa.Table:
    """Rows of one episode: state and action count up."""
    at = np.arange(steps, dtype=np.float32)[:, None]
    return pa.table(
        {
            "observation.state": list(at + np.arange(6, dtype=np.float32) + 100 * episode),
            "action": list(np.float32(0.01) * at * np.ones(7, np.float32)),
            "timestamp": (np.arange(steps) / fps).astype(np.float32),
            "episode_index": np.full(steps, episode),
            "index": first + np.arange(steps),
            "task_index": np.full(steps, episode % 2),
        }
    )


def folder_v2(root: Path, lengths: Sequence[int], fps: int = 10, version: str = "v2.1") -> Path:
    """A v2 folder: episode e's frame i carries the number 100 e + i."""
    (root / "meta").mkdir(parents=True)
    (root / "meta/info.json").write_text(json.dumps(info(version, fps, len(lengths))))
    tasks = [{"task_index": 0, "task": "push"}, {"task_index": 1, "task": "pull"}]
    (root / "meta/tasks.jsonl").write_text("\n".join(json.dumps(task) for task in tasks))
    rows = [
        {"episode_index": e, "tasks": [tasks[e % 2]["task"]], "length": n}
        for e, n in enumerate(lengths)
    ]
    (root / "meta/episodes.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    (root / "data/chunk-000").mkdir(parents=True)
    for e, steps in enumerate(lengths):
        name = f"episode_{e:06d}"
        pq.write_table(table(e, steps, fps), root / f"data/chunk-000/{name}.parquet")
        video = root / f"videos/chunk-000/observation.images.top/{name}.mp4"
        film(video, range(100 * e, 100 * e + steps), fps=fps, g="2")
    return root


def folder_v3(root: Path, lengths: Sequence[int], fps: int = 10) -> Path:
    """A v3 folder with one data file and one video of all episodes."""
    (root / "meta").mkdir(parents=True)
    paths = {
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
    }
    (root / "meta/info.json").write_text(json.dumps(info("v3.0", fps, len(lengths), **paths)))
    tasks = pa.table({"task_index": [0, 1], "__index_level_0__": ["push", "pull"]})
    pq.write_table(tasks, root / "meta/tasks.parquet")
    starts = np.concatenate([[0], np.cumsum(lengths)]).tolist()
    key = "videos/observation.images.top"
    rows = [
        {
            "episode_index": e,
            "length": n,
            "data/chunk_index": 0,
            "data/file_index": 0,
            "dataset_from_index": starts[e],
            "dataset_to_index": starts[e + 1],
            f"{key}/chunk_index": 0,
            f"{key}/file_index": 0,
            f"{key}/from_timestamp": starts[e] / fps,
            f"{key}/to_timestamp": starts[e + 1] / fps,
        }
        for e, n in enumerate(lengths)
    ]
    for path in ("meta/episodes/chunk-000", "data/chunk-000"):
        (root / path).mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), root / "meta/episodes/chunk-000/file-000.parquet")
    tables = [table(e, n, fps, starts[e]) for e, n in enumerate(lengths)]
    pq.write_table(pa.concat_tables(tables), root / "data/chunk-000/file-000.parquet")
    numbers = [100 * e + i for e, n in enumerate(lengths) for i in range(n)]
    film(root / f"{key}/chunk-000/file-000.mp4", numbers, fps=fps, g="2")
    return root


def random_episode(body: Embodiment | None = None, steps: int = 4, seed: int = 0) -> Episode:
    """An episode of a body, by default the tabletop arm, of random numbers and images."""
    body = body or registry.load("embodiment", "tabletop_arm")
    rng = np.random.default_rng(seed)
    frames = [random_frame(body, rng) for _ in range(steps)]
    actions = [random_action(body, rng) for _ in range(steps)]

    def gather(rows: list[Any], name: str) -> Any:
        values = [row[name] for row in rows]
        return values if isinstance(values[0], str) else np.stack(values)

    return Episode(
        embodiment=body.name,
        source="made",
        key=f"made-{seed}",
        times_ns=(np.arange(steps) * 1e9 / body.control_hz).astype(np.int64) + 7 * seed,
        observation={name: gather(frames, name) for name in body.observation},
        action={name: gather(actions, name) for name in body.action},
    )


def numbered_episode(steps: int, seed: int, numbers: range) -> Episode:
    """An episode of the tabletop arm whose frames carry numbers, and a clock of its own."""
    episode = random_episode(steps=steps, seed=seed)
    frames = [picture(number) for number in numbers]
    beats = np.cumsum(np.random.default_rng(seed).integers(60, 270, steps)) * 1_000_000
    cameras = {"table": frames, "wrist": frames[::-1]}
    return replace(episode, times_ns=beats, observation={**episode.observation, **cameras})


@pytest.fixture(scope="session")
def sample() -> Callable[..., Episode]:
    """Makes random episodes."""
    return random_episode


@pytest.fixture(scope="session")
def filmed() -> Callable[..., Episode]:
    """Makes episodes of the tabletop arm whose frames carry numbers."""
    return numbered_episode


@pytest.fixture(scope="session")
def made() -> SimpleNamespace:
    """Makes videos and folders: film, number_of, folders by version, and picture."""
    folders: dict[str, Callable[..., Path]] = {
        "v2.0": partial(folder_v2, version="v2.0"),
        "v2.1": folder_v2,
        "v3.0": folder_v3,
    }
    return SimpleNamespace(film=film, number_of=number_of, picture=picture, folders=folders)
