from pathlib import Path

import pytest

from octoverse.data.logs.files import fingerprint_of, image_files
from octoverse.errors import BadData


def test_images_are_read_when_they_are_indexed(tmp_path: Path) -> None:
    images = image_files([tmp_path / "a.jpg", tmp_path / "b.jpg"], "the index")
    assert len(images) == 2
    (tmp_path / "a.jpg").write_bytes(b"a")
    assert images[0] == b"a"
    with pytest.raises(BadData, match=r"b\.jpg: the index names this image, got: No such file"):
        images[1]


@pytest.mark.parametrize("place", [0, 1_500_000, 2_999_999])
def test_a_fingerprint_tells_of_a_change(tmp_path: Path, place: int) -> None:
    file = tmp_path / "log"
    file.write_bytes(bytes(3_000_000))
    before = fingerprint_of(tmp_path, [file])
    assert before == fingerprint_of(tmp_path, [file])
    changed = bytearray(3_000_000)
    changed[place] = 1
    file.write_bytes(changed)
    # The middle of a long file is not looked at.
    assert (fingerprint_of(tmp_path, [file]) == before) == (place == 1_500_000)
    file.write_bytes(bytes(2_999_999))
    assert fingerprint_of(tmp_path, [file]) != before
