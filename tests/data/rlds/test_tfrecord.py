from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octoverse.data.rlds import tfrecord
from octoverse.errors import BadData

Write = Callable[[Path, list[bytes]], str]


@given(contents=st.lists(st.binary(max_size=50), max_size=5))
def test_records_read_back(
    tmp_path_factory: pytest.TempPathFactory, write_records: Write, contents: list[bytes]
) -> None:
    path = write_records(tmp_path_factory.mktemp("records") / "file", contents)
    assert list(tfrecord.records(path)) == contents


@given(place=st.integers(0, 2 * 16 + 3 + 40 - 1), bit=st.integers(0, 7))
def test_any_flipped_bit_is_found(
    tmp_path_factory: pytest.TempPathFactory, write_records: Write, place: int, bit: int
) -> None:
    file = tmp_path_factory.mktemp("records") / "file"
    path = write_records(file, [b"abc", b"x" * 40])
    spoilt = bytearray(file.read_bytes())
    spoilt[place] ^= 1 << bit
    file.write_bytes(spoilt)
    with pytest.raises(BadData, match="checksum"):
        list(tfrecord.records(path))


@pytest.mark.parametrize("kept", [5, 14, 20, 45])
def test_a_cut_file_is_named_with_the_place(
    tmp_path: Path, write_records: Write, kept: int
) -> None:
    path = write_records(tmp_path / "file", [b"abc", b"x" * 40])
    (tmp_path / "file").write_bytes((tmp_path / "file").read_bytes()[:kept])
    start = 0 if kept < 19 else 19
    words = rf"file, record at byte {start}: expected \d+ bytes, got {kept - start}\. .*cut short"
    with pytest.raises(BadData, match=words):
        list(tfrecord.records(path))


def test_one_record_is_checked_unless_told(tmp_path: Path, write_records: Write) -> None:
    write_records(tmp_path / "file", [b"abc", b"x" * 40])
    record = bytearray((tmp_path / "file").read_bytes()[19:])
    assert tfrecord.content_of(memoryview(record), "file", 19) == b"x" * 40
    record[21] ^= 1
    with pytest.raises(BadData, match=r"file, record at byte 19: the content of 40 bytes fails"):
        tfrecord.content_of(memoryview(record), "file", 19)
    assert tfrecord.content_of(memoryview(record), "file", 19, checked=False)[9] == ord("y")
    with pytest.raises(BadData, match=r"byte 20: expected the start of a record"):
        tfrecord.content_of(memoryview(record)[1:], "file", 20)
    with pytest.raises(BadData, match=r"expected 39 bytes of content, got another length"):
        tfrecord.content_of(memoryview(record)[:-1], "file", 19)


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("this is not a record file at all")
    with pytest.raises(BadData, match="not a TFRecord file"):
        list(tfrecord.records(str(tmp_path / "text")))
    with pytest.raises(BadData, match="expected a TFRecord file, found none"):
        list(tfrecord.records(str(tmp_path / "nothing")))


def test_any_address_of_fsspec_opens(tmp_path: Path, write_records: Write) -> None:
    import fsspec

    local = write_records(tmp_path / "file", [b"ok"])
    with fsspec.open("memory://records/file", "wb") as file:
        file.write(Path(local).read_bytes())
    assert list(tfrecord.records("memory://records/file")) == [b"ok"]


def test_a_file_that_tensorflow_wrote_passes_its_checksums(
    real_data: Callable[[str], Path],
) -> None:
    folder = real_data("bridge-octo-debug") / "bridge_dataset/1.0.0"
    path = str(folder / "bridge_dataset-train.tfrecord-00000-of-00001")
    assert len(list(tfrecord.records(path))) == 15
