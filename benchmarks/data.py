"""How fast and in how much memory training data are delivered, beside what the machine can do.

    python benchmarks/data.py path/to/data            # every figure
    python benchmarks/data.py path/to/data images     # one of: images video memory start statistics

`path/to/data` holds bridge-octo-debug, donkeycar-tub, dobot-cr5 and the other recordings by the
names of `octoverse data inspect`. Figures of other projects are those measured on 2 cores that
decode 3,150 JPEG/s each (256 x 256, simplejpeg); they are scaled to what this machine decodes now.
"""

import argparse
import gc
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

# Workers import this file again: what they do not need is imported where it is used.
from octoverse import registry
from octoverse.augmentation import Augmentation
from octoverse.data.dataset import open_data
from octoverse.data.mixture import Mixture
from octoverse.data.rlds.source import RldsSource
from octoverse.data.statistics import statistics_of
from octoverse.data.variation import Variation
from octoverse.data.weighted import Weighted
from octoverse.data.windows import WindowSpec
from octoverse.episode import Episode
from octoverse.preprocess import Preprocess, PreprocessConfig

REFERENCE_JPEGS = 3150
"""JPEG/s of one core of the machine that the figures below were measured on."""
OCTO_IMAGES = {True: 504, False: 1030}
"""Images/s of Octo's own pipeline on the Bridge slice, with and without augmentation."""
LEROBOT_WINDOWS = 353
"""Windows/s of LeRobotDataset with torchcodec: 2 frames and a chunk of 4, 256 x 256 video."""
OCTO = Augmentation(brightness=0.1, contrast=0.1, saturation=0.1, hue=0.05, crop=0.2, aspect=0.1)
"""As Octo changes its primary camera."""
BRIDGE = "bridge-octo-debug/bridge_dataset/1.0.0"
WORKERS = 2
SECONDS = 6.0


def images(root: Path) -> str:
    """Images of Bridge, decoded, changed and delivered: two frames and a goal for each sample."""
    spec = WindowSpec(frames=2, horizon=4, streams=("primary", "goal", "tool", "instruction"))
    ready = Preprocess(PreprocessConfig(height=256, width=256, augmentation=OCTO))
    lines = ["Bridge, window 2, chunk 4, goal image, 256 x 256, images/s:"]
    for augment, bar in ((True, "bar 1,500"), (False, "")):
        # So many episodes that next to no picture is met again: each one is read and decoded.
        with (
            _folder() as folder,
            closing(
                Mixture(
                    [Weighted(source=RldsSource(folder=_repeated(root / BRIDGE, folder, 20_000)))],
                    spec,
                    ready,
                    batch_size=64,
                    variation=Variation(goal="uniform"),
                    memory_bytes=300_000_000,
                    augment=augment,
                    workers=WORKERS,
                )
            ) as mixture,
        ):
            rate = 3 * 64 * _rate(mixture.next, warm=6)
        scaled = rate / _scale()
        octo, how = OCTO_IMAGES[augment], "with" if augment else "without"
        lines.append(
            f"  {how:<7} augmentation {rate:>6,.0f}   scaled {scaled:>6,.0f}   Octo's {octo:,} "
            f"({scaled / octo:.1f} x)   {bar}"
        )
    return "\n".join(lines)


def video(root: Path) -> str:
    """Random windows out of a LeRobot data set with 256 x 256 video."""
    from octoverse.data.lerobot.format import VideoFormat
    from octoverse.data.lerobot.source import LeRobotSource
    from octoverse.data.lerobot.writer import LeRobotWriter

    body = registry.load("embodiment", "tabletop_arm")
    with _folder() as folder:
        with LeRobotWriter(folder / "video", body, VideoFormat()) as writer:
            for number in range(12):
                writer.add(_moving(body.name, number, steps=100))
        spec = WindowSpec(frames=2, horizon=4, streams=("table", "tool", "instruction"))
        ready = Preprocess(PreprocessConfig(height=256, width=256))
        # So little memory that next to no frame is held: each one is decoded from the file.
        with closing(
            Mixture(
                [Weighted(source=LeRobotSource(folder=folder / "video"))],
                spec,
                ready,
                batch_size=32,
                memory_bytes=75_000_000,
                workers=WORKERS,
            )
        ) as mixture:
            rate = 32 * _rate(mixture.next, warm=6)
    scaled = rate / _scale()
    return (
        f"LeRobot video, 256 x 256, window 2, chunk 4, windows/s:\n  {rate:,.0f}   scaled "
        f"{scaled:,.0f}   LeRobotDataset's {LEROBOT_WINDOWS} ({scaled / LEROBOT_WINDOWS:.1f} x)   "
        "bar 1.5 x"
    )


def memory(root: Path) -> str:
    """Peak memory of a shuffle over 100,000 steps, and over twice as many."""
    lines = ["Memory beyond this process's imports, workers and batches included, peak:"]
    for steps in (100_000, 200_000):
        with _folder() as folder:
            _repeated(root / BRIDGE, folder, steps)
            done = subprocess.run(
                [sys.executable, __file__, str(folder), "peak"], capture_output=True, text=True
            )
            assert done.returncode == 0, done.stderr
        lines.append(f"  shuffled over {steps:,} steps: {done.stdout.strip()}")
    return "\n".join([*lines, "  bar: 500 MB, flat; Octo's: 2.1 GB on 150 steps"])


def peak(folder: Path) -> str:
    """In a process of its own: the most memory that a mixture took."""
    gc.collect()
    before, most, done = psutil.Process().memory_full_info().pss, 0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.wait(0.05):
            most = max(most, _memory_of_all())

    watching = threading.Thread(target=watch)
    watching.start()
    ready = Preprocess(PreprocessConfig(height=256, width=256, augmentation=OCTO))
    spec = WindowSpec(frames=2, horizon=4, streams=("primary", "goal", "tool", "instruction"))
    with closing(
        Mixture(
            [Weighted(source=RldsSource(folder=folder))],
            spec,
            ready,
            batch_size=32,
            variation=Variation(goal="uniform"),
            memory_bytes=200_000_000,
            workers=WORKERS,
        )
    ) as mixture:
        for _ in range(100):
            mixture.next()
    done.set()
    watching.join()
    return f"{(most - before) / 1e6:,.0f} MB (given to the mixture: 200 MB)"


def start(root: Path) -> str:
    """From nothing to the first batch of a mixture of ten sources, imports left out."""
    done = subprocess.run(
        [sys.executable, __file__, str(root), "first"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return f"Ten sources, start to first batch beyond imports: {done.stdout.strip()}   bar 10 s"


TEN = (
    "bridge-octo-debug",
    "donkeycar-tub",
    "dobot-cr5",
    "unitree-g1-inspire",
    "gr00t-gr1-sim",
    "comma2k19-example",
    "kitti-raw-drive-0002",
    "av2-sensor-log",
    "av2-forecasting",
    "lyft-l5-scene",
)


def first(root: Path) -> str:
    """In a process of its own: the time to a first batch."""
    began = time.perf_counter()
    sources = [Weighted(source=open_data(name, str(root))) for name in TEN]
    ready = Preprocess(PreprocessConfig(height=64, width=64))
    with closing(Mixture(sources, WindowSpec(), ready, batch_size=64, workers=WORKERS)) as mixture:
        batch = mixture.next()
    taken = time.perf_counter() - began
    return f"{taken:.1f} s ({len(batch)} bodies)"


def statistics(root: Path) -> str:
    """Statistics of 10,000 steps with 14 numbers, what reading takes left out."""
    source = _Numbers()
    for index in range(len(source)):
        source.episode(index)  # the first time makes them
    began = time.perf_counter()
    for index in range(len(source)):
        source.episode(index)
    read = time.perf_counter() - began
    began = time.perf_counter()
    statistics_of(source)
    taken = time.perf_counter() - began - read
    return f"Statistics of 10,000 steps, 14 numbers, beyond reading: {taken:.2f} s   bar 1 s"


@dataclass(frozen=True)
class _Numbers:
    """100 episodes of the humanoid-sized `panda`-like arm: 7 measured and 7 commanded numbers."""

    name: str = "numbers"
    embodiment: str = "widowx"

    def __len__(self) -> int:
        return 100

    def lengths(self) -> np.ndarray:
        return np.full(100, 100)

    def fingerprint(self) -> str:
        return "numbers"

    def episode(self, index: int) -> Episode:
        rng = np.random.default_rng(index)
        return Episode(
            embodiment=self.embodiment,
            source=self.name,
            key=str(index),
            times_ns=np.arange(100) * 200_000_000,
            observation={"tool": rng.normal(size=(100, 7))},
            action={"arm": rng.normal(size=(100, 6)), "gripper": rng.random((100, 1))},
        )


def _rate(run: Callable[[], object], warm: int) -> float:
    for _ in range(warm):
        run()
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        run()
        count += 1
    return count / (time.perf_counter() - began)


def _scale() -> float:
    """How fast this machine is now, as a share of the one that the references are from."""
    import yardstick

    return yardstick.jpegs_per_second() / REFERENCE_JPEGS


def _memory_of_all() -> int:
    this = psutil.Process()
    total = 0
    for process in (this, *this.children(recursive=True)):
        try:
            total += process.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue
    return total


def _repeated(source: Path, folder: Path, steps: int) -> Path:
    """A TFDS folder of so many steps: the same shard of episodes again and again, by links."""
    info = json.loads((source / "dataset_info.json").read_text())
    [split] = [s for s in info["splits"] if s["name"] == "train"]
    [count] = [int(n) for n in split["shardLengths"]]
    shards = -(-steps // (count * 10))
    shard = next(source.glob("*-train.tfrecord-*")).resolve()
    for i in range(shards):
        name = f"{info['name']}-train.tfrecord-{i:05d}-of-{shards:05d}"
        os.symlink(shard, folder / name)
    split["shardLengths"] = [str(count)] * shards
    split["numBytes"] = str(shard.stat().st_size * shards)
    info["splits"] = [split]
    (folder / "dataset_info.json").write_text(json.dumps(info))
    shutil.copy(source / "features.json", folder)
    return folder


def _moving(name: str, number: int, steps: int) -> Episode:
    """A picture that drifts, with some grain, as a camera on a robot sees it."""
    rng = np.random.default_rng(number)
    rows, columns = np.mgrid[0:256, 0:256].astype(np.float32)
    frames = []
    for step in range(steps):
        waves = [
            127 + 90 * np.sin((rows + columns * k) / 25 + step / 10 + number) for k in (1, 2, 3)
        ]
        grain = rng.normal(0, 4, (256, 256, 3))
        frames.append(np.clip(np.stack(waves, -1) + grain, 0, 255).astype(np.uint8))
    return Episode(
        embodiment=name,
        source="moving",
        key=str(number),
        times_ns=np.arange(steps) * 100_000_000,
        observation={
            "table": frames,
            "tool": np.zeros((steps, 5), np.float32),
            "instruction": ["watch"] * steps,
        },
        action={
            "arm": np.zeros((steps, 4), np.float32),
            "gripper": np.ones((steps, 1), np.float32),
        },
    )


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


FIGURES: dict[str, Callable[[Path], str]] = {
    "images": images,
    "video": video,
    "memory": memory,
    "start": start,
    "statistics": statistics,
}
INNER: dict[str, Callable[[Path], str]] = {"peak": peak, "first": first}


def main() -> None:
    """Print the figures that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("root", type=Path)
    parser.add_argument("figures", nargs="*", help=", ".join(FIGURES))
    asked = parser.parse_args()
    if asked.figures and asked.figures[0] in INNER:
        print(INNER[asked.figures[0]](asked.root))
        return
    import yardstick

    print(yardstick.report())
    for name in asked.figures or FIGURES:
        print(FIGURES[name](asked.root), flush=True)


if __name__ == "__main__":
    main()
