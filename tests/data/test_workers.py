import json
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import psutil
import pytest
import simplejpeg

from octoverse.augmentation import Augmentation
from octoverse.data.lerobot.source import LeRobotSource
from octoverse.data.lerobot.writer import LeRobotWriter
from octoverse.data.logs.donkeycar import DonkeycarSource
from octoverse.data.mixture import Mixture, MixtureState
from octoverse.data.source import Source
from octoverse.data.variation import Variation
from octoverse.data.weighted import Weighted
from octoverse.data.windows import StackedWindows, WindowSpec
from octoverse.episode import Episode
from octoverse.errors import BadConfig, BadData, OctoverseError
from octoverse.preprocess import Preprocess, PreprocessConfig
from octoverse.registry import load
from octoverse.synthetic import random_action, random_frame

JITTER = Augmentation(brightness=0.1, saturation=0.1, crop=0.2, shift=1)
BLIND = Variation(dropout={"tool": 0.3})
READY = Preprocess(PreprocessConfig(height=16, width=16, augmentation=JITTER))


def write_tub(folder: Path, records: int = 40) -> Path:
    (folder / "images").mkdir(parents=True)
    lines = []
    for i in range(records):
        picture = np.random.default_rng(i).integers(0, 256, (12, 16, 3), np.uint8)
        (folder / f"images/{i}.jpg").write_bytes(simplejpeg.encode_jpeg(picture))
        line = {"_index": i, "_session_id": str(i // 10), "cam/image_array": f"{i}.jpg"}
        lines.append(json.dumps({**line, "user/angle": i / records, "user/throttle": 0.5}))
    (folder / "catalog_0.catalog").write_text("\n".join(lines))
    told = {"paths": ["catalog_0.catalog"], "current_index": records}
    (folder / "manifest.json").write_text("[]\n[]\n{}\n{}\n" + json.dumps(told) + "\n")
    return folder


def write_arm(folder: Path) -> Path:
    body, rng = load("embodiment", "tabletop_arm"), np.random.default_rng(0)
    with LeRobotWriter(folder, body) as writer:
        for number in range(3):
            frames = [random_frame(body, rng) for _ in range(7)]
            actions = [random_action(body, rng) for _ in range(7)]
            writer.add(
                Episode(
                    embodiment=body.name,
                    source="made",
                    key=str(number),
                    times_ns=np.arange(7) * 100_000_000,
                    observation={k: [f[k] for f in frames] for k in body.observation},
                    action={k: np.stack([a[k] for a in actions]) for k in body.action},
                )
            )
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("data")
    return {"tub": write_tub(root / "tub"), "arm": write_arm(root / "arm")}


@pytest.fixture
def sources(folders: dict[str, Path]) -> list[Source]:
    return [LeRobotSource(folder=folders["arm"]), DonkeycarSource(folder=folders["tub"])]


@contextmanager
def mixture(sources: list[Source], **settings: Any) -> Iterator[Mixture]:
    settings = {"batch_size": 6, "seed": 5, "variation": BLIND, **settings}
    # As if opened anew: what one process has opened is not to reach another.
    weighted = [Weighted(source=replace(source)) for source in sources]  # type: ignore[type-var]
    spec = WindowSpec(frames=2, horizon=4)
    with closing(Mixture(weighted, spec, READY, **settings)) as made:
        yield made


def same(one: dict[str, StackedWindows], other: dict[str, StackedWindows]) -> bool:
    if one.keys() != other.keys():
        return False
    for name, left in one.items():
        for part in ("streams", "valid", "action", "action_valid", "hidden"):
            a, b = getattr(left, part), getattr(other[name], part)
            if list(a) != list(b) or not all(np.array_equal(a[k], b[k]) for k in a):
                return False
        if not np.array_equal(left.seeds, other[name].seeds):
            return False
    return True


def children(process: psutil.Process | None = None) -> list[psutil.Process]:
    found = (process or psutil.Process()).children()
    return [child for child in found if "spawn_main" in str(child.cmdline())]


def test_the_stream_does_not_depend_on_who_makes_it(sources: list[Source]) -> None:
    with (
        mixture(sources) as here,
        mixture(sources, prefetch=2) as ahead,
        mixture(sources, workers=1) as one,
        mixture(sources, workers=3) as three,
    ):
        for _ in range(12):
            batch = here.next()
            assert all(same(batch, other.next()) for other in (ahead, one, three))
        assert set(batch) == {"tabletop_arm", "rc_car"}
        assert here.state() == ahead.state() == one.state() == three.state()


def test_it_goes_on_with_another_number_of_workers(sources: list[Source]) -> None:
    with mixture(sources, workers=2) as whole, mixture(sources) as later:
        for _ in range(5):
            whole.next()
        state = msgspec.json.decode(msgspec.json.encode(whole.state()), type=MixtureState)
        later.restore(state)
        assert all(same(whole.next(), later.next()) for _ in range(6))
        whole.restore(state)
        later.restore(state)
        assert all(same(whole.next(), later.next()) for _ in range(3))


def test_batches_that_were_given_stay_as_they_are(sources: list[Source]) -> None:
    with mixture(sources, workers=1) as mixed:
        first = mixed.next()
        copy = {name: stacked.mapped(np.copy) for name, stacked in first.items()}
        for _ in range(8):
            mixed.next()
    assert same(first, copy)


def test_a_worker_that_dies_is_an_error_and_not_a_silence(sources: list[Source]) -> None:
    others = children()
    with mixture(sources, workers=2) as mixed:
        mixed.next()
        child = next(one for one in children() if one not in others)
        os.kill(child.pid, signal.SIGKILL)
        with pytest.raises(OctoverseError, match=r"prepares samples died \(exit code -9; .* fewer"):
            for _ in range(200):
                mixed.next()
        with pytest.raises(OctoverseError, match="prepares samples died"):
            mixed.next()
    assert children() == others


def test_workers_end_when_the_one_who_asks_is_killed(folders: dict[str, Path]) -> None:
    code = f"""
from pathlib import Path
from octoverse.data.logs.donkeycar import DonkeycarSource
from octoverse.data.mixture import Mixture
from octoverse.data.weighted import Weighted
from octoverse.data.windows import WindowSpec
from octoverse.preprocess import Preprocess, PreprocessConfig
if __name__ == "__main__":
    sources = [Weighted(source=DonkeycarSource(folder=Path({str(folders["tub"])!r})))]
    mixed = Mixture(sources, WindowSpec(), Preprocess(PreprocessConfig()), batch_size=4, workers=2)
    mixed.next()
    print("ready", flush=True)
    while True:
        mixed.next()
"""
    script = folders["tub"] / "asks.py"
    script.write_text(code)
    process = psutil.Popen([sys.executable, str(script)], stdout=-1, text=True)
    assert process.stdout.readline() == "ready\n"
    workers = [
        child for child in process.children(recursive=True) if "spawn_main" in str(child.cmdline())
    ]
    assert len(workers) == 2
    process.kill()
    process.wait()
    process.stdout.close()
    assert not psutil.wait_procs(workers, timeout=60)[1]


@pytest.fixture
def torn(tmp_path: Path) -> DonkeycarSource:
    folder = write_tub(tmp_path / "torn")
    for i in (12, 13, 31):
        (folder / f"images/{i}.jpg").write_bytes(b"torn")
    return DonkeycarSource(folder=folder)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_fault_while_reading_reaches_the_caller(torn: DonkeycarSource, workers: int) -> None:
    with mixture([torn], workers=workers) as mixed:
        for _ in range(2):
            with pytest.raises(
                BadData, match=r"'torn/all', episode (10-19|30-39), 'front' at step"
            ):
                for _ in range(20):
                    mixed.next()


def test_what_cannot_be_read_is_left_out_counted_and_named(torn: DonkeycarSource) -> None:
    with (
        mixture([torn], skip_bad=True) as here,
        mixture([torn], skip_bad=True, workers=2) as there,
    ):
        for _ in range(14):
            assert same(here.next(), there.next())
    assert here.skipped == there.skipped
    assert {one.source for one in here.skipped} == {"torn/all"}
    assert {one.episode for one in here.skipped} == {1, 3}
    assert all("Expected an encoded image" in one.message for one in here.skipped)
    # 3 torn images stand in 2 windows each, and 84 samples are two epochs of 40 steps.
    assert 10 <= sum(here.skipped.values()) <= 16


def test_a_source_that_cannot_be_opened_is_left_out_whole(
    sources: list[Source], tmp_path: Path
) -> None:
    gone = DonkeycarSource(folder=tmp_path / "gone", label="gone")
    with pytest.raises(BadData, match=r"expected a donkeycar tub, found no manifest\.json"):
        mixture([*sources, gone]).__enter__()
    with mixture([*sources, gone], skip_bad=True) as mixed, mixture(sources) as without:
        assert all(same(mixed.next(), without.next()) for _ in range(3))
    [one] = mixed.skipped
    assert one.source == "gone" and one.episode is None and "manifest.json" in one.message
    with pytest.raises(BadData, match=r"No source can be read: .* found no manifest"):
        mixture([gone], skip_bad=True).__enter__()


def test_nothing_but_bad_data_is_an_error_even_when_skipping(tmp_path: Path) -> None:
    folder = write_tub(tmp_path / "tub", records=10)
    for image in (folder / "images").iterdir():
        image.write_bytes(b"torn")
    with (
        mixture([DonkeycarSource(folder=folder)], skip_bad=True) as mixed,
        pytest.raises(BadData, match=r"'tub/all': 50 samples in a row cannot be read, the last"),
    ):
        mixed.next()


def test_sources_that_cannot_travel_are_refused_in_words(sources: list[Source]) -> None:
    class Local(DonkeycarSource):
        pass

    local = Local(folder=sources[1].folder)  # type: ignore[attr-defined]
    with pytest.raises(OctoverseError, match=r"cannot be sent to worker processes: .* 0 workers"):
        mixture([local], workers=1).__enter__()


def test_too_little_shared_memory_is_refused_before_it_kills(
    sources: list[Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(".")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    words = r"need [\d,]+ bytes of shared memory \(/dev/shm\), found 1,000 free. Give a container"
    with pytest.raises(OctoverseError, match=words):
        mixture(sources, workers=1).__enter__()


@pytest.mark.parametrize("workers", [0, 2])
def test_memory_that_a_step_does_not_fit_into_is_refused(
    sources: list[Source], workers: int
) -> None:
    with pytest.raises(BadConfig, match=r"A step takes [\d,]+ bytes and \d are held at a time: .*"):
        mixture(sources, workers=workers, memory_bytes=20_000).__enter__()


def test_the_memory_that_was_given_is_kept_to(tmp_path: Path) -> None:
    # 900 pictures of 160 x 120 are 52 MB when decoded; they are given 12.
    folder = tmp_path / "tub"
    (folder / "images").mkdir(parents=True)
    lines = []
    for i in range(900):
        if i < 20:
            picture = np.random.default_rng(i).integers(0, 256, (120, 160, 3), np.uint8)
            (folder / f"images/{i}.jpg").write_bytes(simplejpeg.encode_jpeg(picture))
        line = {"_index": i, "_session_id": str(i // 30), "cam/image_array": f"{i % 20}.jpg"}
        lines.append(json.dumps({**line, "user/angle": 0.0, "user/throttle": 0.5}))
    (folder / "catalog_0.catalog").write_text("\n".join(lines))
    told = {"paths": ["catalog_0.catalog"], "current_index": 900}
    (folder / "manifest.json").write_text("[]\n[]\n{}\n{}\n" + json.dumps(told) + "\n")
    ready = Preprocess(PreprocessConfig(height=120, width=160))
    weighted, others = [Weighted(source=DonkeycarSource(folder=folder))], children()
    with closing(
        Mixture(weighted, WindowSpec(), ready, batch_size=8, workers=2, memory_bytes=12_000_000)
    ) as mixed:
        mixed.next()
        mine = [child for child in children() if child not in others]
        before = sum(child.memory_info().rss for child in mine)
        peak = before
        for _ in range(220):
            mixed.next()
            peak = max(peak, sum(child.memory_info().rss for child in mine))
    assert peak - before < 12_000_000
