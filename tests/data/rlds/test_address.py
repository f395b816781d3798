from pathlib import Path

import fsspec
import pytest

from octoverse.data.rlds import address
from octoverse.errors import BadData, MissingExtra, UnknownName


@pytest.mark.parametrize(
    ("folder", "joined"),
    [
        ("/data/x/", "/data/x/f"),
        ("gs://bucket/x", "gs://bucket/x/f"),
        ("filecache::https://host/x", "filecache::https://host/x/f"),
        ("zip://x::s3://bucket/all.zip", "zip://x/f::s3://bucket/all.zip"),
        ("simplecache::/data/x", "simplecache::/data/x/f"),
    ],
)
def test_a_name_joins_the_first_link_with_a_path(folder: str, joined: str) -> None:
    assert address.join(folder, "f") == joined


@pytest.mark.parametrize("chain", ["{path}", "file://{path}", "simplecache::memory://there/file"])
def test_bytes_are_read_from_any_address(tmp_path: Path, chain: str) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    fsspec.filesystem("memory").pipe("/there/file", b"0123456789")
    place = chain.format(path=tmp_path / "file")
    assert address.read_range(place, 2, 5) == b"234" and address.read_all(place)[9:] == b"9"
    assert address.stamp(place)[0] == 10
    with address.open_file(place) as file:
        assert file.read(2) == b"01"
    with pytest.raises(BadData, match=r"expected 4 bytes from byte 8 on, got 2\. .*cut short"):
        address.read_range(place, 8, 12)


def test_a_range_may_go_where_the_last_one_was(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    memory = bytearray(8)
    found = address.read_range(str(tmp_path / "file"), 2, 5, into=memory)
    assert found == b"234" and memory[:3] == b"234"
    with pytest.raises(BadData, match="expected 6 bytes from byte 8 on, got 2"):
        address.read_range(str(tmp_path / "file"), 8, 14, into=memory)


def test_a_server_that_sends_the_whole_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    system = fsspec.filesystem("memory")
    system.pipe("/whole/file", b"0123456789")
    monkeypatch.setattr(type(system), "cat_file", lambda self, path, start, end: b"0123456789")
    words = r"memory://whole/file: expected 3 bytes, got 10: parts .* filecache::memory://whole"
    with pytest.raises(BadData, match=words):
        address.read_range("memory://whole/file", 2, 5)


def test_a_missing_file_is_named() -> None:
    for place in ("/nowhere/file", "memory://nowhere/file"):
        with pytest.raises(BadData, match=rf"{place}: expected a file, found none"):
            address.read_range(place, 0, 1)


def test_the_stamp_follows_what_is_written(tmp_path: Path) -> None:
    system = fsspec.filesystem("memory")
    system.pipe("/stamped/file", b"0123456789")
    before = address.stamp("memory://stamped/file")
    assert address.stamp("memory://stamped/file") == before
    system.pipe("/stamped/file", b"0123456780")
    assert address.stamp("memory://stamped/file") != before


def test_a_protocol_whose_package_is_missing_names_it() -> None:
    fsspec.register_implementation("lost", "lost_package.Lost", errtxt="sorry", clobber=True)
    words = (
        r"Reading lost://a needs the package 'lost_package', which is not installed\. "
        r'Install it with: pip install "lost_package"'
    )
    with pytest.raises(MissingExtra, match=words):
        address.find("lost://a")


def test_an_unknown_protocol_is_named() -> None:
    words = r"No protocol, for filecache::gss://a/b, named 'gss'\. Did you mean 'gs'"
    with pytest.raises(UnknownName, match=words):
        address.find("filecache::gss://a/b")
