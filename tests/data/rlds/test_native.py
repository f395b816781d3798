import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import pytest

from octoverse.data.kept import Kept
from octoverse.data.rlds import address, native, tfrecord
from octoverse.data.rlds.example import Pieces
from octoverse.data.rlds.facts import Part
from octoverse.data.rlds.native import Records
from octoverse.errors import BadData

SPEC = {
    "steps/image": ("jpeg", (32, 32, 3)),
    "steps/action": ("float32", (7,)),
    "steps/is_first": ("bool", ()),
}
STEPS = (3, 5, 2, 4)


@pytest.fixture
def parts(
    tmp_path: Path, write_tfds: Callable[..., Path], tfds_episode: Callable[..., dict[str, Any]]
) -> tuple[Part, ...]:
    episodes = [tfds_episode(SPEC, steps, seed=i) for i, steps in enumerate(STEPS)]
    write_tfds(tmp_path, SPEC, episodes, shards=2)
    files = sorted(str(path) for path in tmp_path.glob("*.tfrecord-*"))
    return tuple(
        Part(file=file, skip=0, take=2, total=2, split="train", first=2 * i)
        for i, file in enumerate(files)
    )


def far(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """The same files where reading goes through fsspec."""
    system = fsspec.filesystem("memory")
    for part in parts:
        system.put(part.file, f"/far{part.file}")
    return tuple(replace(part, file=f"memory://far{part.file}") for part in parts)


def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes are read at a time, from now on."""
    found: list[int] = []
    plain = address.read_range

    def read_range(place: str, start: int, stop: int, *rest: Any) -> bytes | memoryview:
        found.append(stop - start)
        return plain(place, start, stop, *rest)

    monkeypatch.setattr(address, "read_range", read_range)
    return found


@pytest.mark.parametrize("where", [tuple, far])
def test_records_and_images_are_those_that_were_written(
    parts: tuple[Part, ...], where: Callable[..., Any], tfds_episode: Callable[..., dict[str, Any]]
) -> None:
    records = Records.find(where(parts), "m", None)
    assert records.steps.tolist() == list(STEPS)
    for i in (3, 0, 2, 1, 3):
        record = records.record(i, SPEC)
        made = tfds_episode(SPEC, STEPS[i], seed=i)
        assert (record["steps/action"] == made["steps/action"].ravel()).all()
        pieces = record["steps/image"]
        assert isinstance(pieces, Pieces)
        images = list(pieces)
        lazy = records.lazy(i, pieces)
        records.record(0, SPEC)
        assert list(lazy) == images and lazy[-1] == images[-1]


def test_a_slice_leaves_out_the_others(parts: tuple[Part, ...]) -> None:
    cut = [replace(parts[0], skip=1, take=1), replace(parts[1], take=1)]
    records = Records.find(cut, "m", None)
    assert records.steps.tolist() == [5, 2]
    assert records.where(0).startswith(f"{parts[0].file}, record at byte ")
    assert records.where(1) == f"{parts[1].file}, record at byte 0"


def test_an_image_of_a_local_file_costs_its_own_bytes(
    parts: tuple[Part, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    records = Records.find(parts, "m", None)
    images = records.lazy(1, records.record(1, SPEC)["steps/image"])  # type: ignore[arg-type]
    found = reads(monkeypatch)
    sizes = [len(images[i]) for i in (4, 0)]
    assert found == sizes and images[0] != images[4]


def test_a_record_from_far_away_is_fetched_once_while_it_is_kept(
    parts: tuple[Part, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    records, found = Records.find(far(parts), "m", None), reads(monkeypatch)
    images = records.lazy(1, records.record(1, SPEC)["steps/image"])  # type: ignore[arg-type]
    first = [bytes(image) for image in images]
    records.record(1, SPEC)
    assert len(found) == 1
    monkeypatch.setattr(native, "SOURCES", Kept(0))
    assert [bytes(image) for image in images] == first
    assert found[1:] == [len(image) for image in first]


def test_a_checksum_is_compared_once(
    parts: tuple[Part, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    records, compared = Records.find(parts, "m", None), []
    plain = tfrecord.content_of

    def content_of(*rest: Any, checked: bool) -> memoryview:
        compared.append(checked)
        return plain(*rest, checked=checked)

    monkeypatch.setattr(tfrecord, "content_of", content_of)
    for _ in range(3):
        records.record(2, SPEC)
    assert compared == [True, False, False]


def test_records_and_images_travel_to_another_process(
    parts: tuple[Part, ...], tmp_path: Path
) -> None:
    records = Records.find(parts, "m", None)
    images = records.lazy(1, records.record(1, SPEC)["steps/image"])  # type: ignore[arg-type]
    assert len(pickle.dumps(records)) < 2000 and len(pickle.dumps(images)) < 1000
    (tmp_path / "sent").write_bytes(pickle.dumps((records, images)))
    script = (
        "import pickle, sys\n"
        "records, images = pickle.load(open(sys.argv[1], 'rb'))\n"
        "there = list(records.record(1, ('steps/image',))['steps/image'])\n"
        "assert list(images) == there\n"
        "sys.stdout.buffer.write(images[3])\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "sent")]
    done = subprocess.run(command, capture_output=True, timeout=300)
    assert (done.stdout, done.stderr) == (images[3], b"")


def test_a_file_with_another_number_of_episodes_is_refused(parts: tuple[Part, ...]) -> None:
    wrong = replace(parts[0], take=3, total=3)
    with pytest.raises(BadData, match=r"expected 3 episodes \(dataset_info\.json\), got 2"):
        Records.find([wrong], "m", None)
