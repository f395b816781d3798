import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simplejpeg

from octoverse.data.dataset import open_data
from octoverse.data.logs.donkeycar import DonkeycarSource, pedals
from octoverse.data.source import Source
from octoverse.errors import BadConfig, BadData
from octoverse.preprocess import decode


@pytest.fixture
def tub(tmp_path: Path) -> Path:
    records = [
        {
            "_index": i,
            "_session_id": "a" if i < 30 else "b",
            "cam/image_array": f"{i}.jpg",
            "user/angle": i / 40,
            "user/throttle": 0.5,
            "user/mode": "local" if i == 3 else "user",
        }
        for i in range(40)
    ]
    write(tmp_path, records)
    (tmp_path / "images").mkdir()
    for i in range(40):
        picture = simplejpeg.encode_jpeg(np.full((12, 16, 3), 5 * i, np.uint8))
        (tmp_path / f"images/{i}.jpg").write_bytes(picture)
    return tmp_path


def write(folder: Path, records: list[dict[str, Any]], **manifest: Any) -> None:
    lines = "".join(json.dumps(record) + "\n" for record in records)
    (folder / "catalog_0.catalog").write_text(lines)
    told = {"paths": ["catalog_0.catalog"], "current_index": 40, "deleted_indexes": [], **manifest}
    (folder / "manifest.json").write_text("[]\n[]\n{}\n{}\n" + json.dumps(told) + "\n")


def test_steering_to_the_left_becomes_positive() -> None:
    # donkeycar's manual: -1 is full left; the house: 1 is full left (y points left).
    got = pedals([-1.0, 0.25], [0.5, -0.5])
    assert got.tolist() == [[1.0, 0.5], [-0.25, -0.5]]
    assert got.dtype == np.float32


def test_a_tub_is_cut_where_the_session_changes(tub: Path) -> None:
    source = DonkeycarSource(folder=tub)
    assert isinstance(source, Source)
    assert source.lengths().tolist() == [30, 10]
    episode = source.episode(1)
    assert episode.key == "30-39"
    assert episode.action["pedals"][0].tolist() == [-0.75, 0.5]
    assert decode(episode.observation["front"][2]).mean() == pytest.approx(160, abs=2)
    assert np.diff(episode.times_ns).tolist() == [50_000_000] * 9


def test_steps_of_an_autopilot_have_no_valid_action(tub: Path) -> None:
    valid = DonkeycarSource(folder=tub).episode(0).action_valid["pedals"]
    assert np.flatnonzero(~valid).tolist() == [3]


def test_deleted_records_are_left_out_and_split_the_episode(tub: Path) -> None:
    lines = (tub / "catalog_0.catalog").read_text().splitlines()
    write(tub, [json.loads(line) for line in lines], deleted_indexes=[10, 11])
    source = DonkeycarSource(folder=tub)
    assert source.lengths().tolist() == [10, 18, 10]
    assert source.episode(1).key == "12-29"


def test_train_and_val_do_not_touch(tub: Path) -> None:
    train, val = (DonkeycarSource(folder=tub, split=split, gap=6) for split in ("train", "val"))
    assert [train.episode(0).key, val.episode(0).key] == ["0-25", "32-39"]
    assert train.fingerprint() != val.fingerprint()
    assert train.name.endswith("/train")


def test_bad_splits_are_refused(tub: Path) -> None:
    with pytest.raises(BadConfig, match=r"held_out must be between 0 and 1 .* got 1\.5 and 16"):
        len(DonkeycarSource(folder=tub, split="val", held_out=1.5))
    with pytest.raises(BadData, match="nothing is left for the split 'train'"):
        len(DonkeycarSource(folder=tub, split="train", gap=100))


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"expected a donkeycar tub, found no manifest\.json"):
        len(DonkeycarSource(folder=tmp_path))


@pytest.mark.parametrize("text", ["", "[]\n[]\n{}\n{}\n", "[]\n[]\n{}\n{}\n{}", "1\n2\n3\n4\n{"])
def test_a_torn_manifest_is_refused(tub: Path, text: str) -> None:
    (tub / "manifest.json").write_text(text)
    with pytest.raises(BadData, match="expected five lines of JSON"):
        len(DonkeycarSource(folder=tub))


def test_a_missing_catalogue_is_named(tub: Path) -> None:
    (tub / "catalog_0.catalog").unlink()
    with pytest.raises(BadData, match=r"catalog_0\.catalog: the manifest names this catalogue"):
        len(DonkeycarSource(folder=tub))


def test_a_torn_line_is_named(tub: Path) -> None:
    path = tub / "catalog_0.catalog"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(BadData, match=r"catalog_0\.catalog, line 40: expected a record in JSON"):
        len(DonkeycarSource(folder=tub))


def test_a_catalogue_cut_at_a_line_is_found(tub: Path) -> None:
    path = tub / "catalog_0.catalog"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:25]))
    with pytest.raises(BadData, match=r"expected records up to 39 .* got 24 as the last"):
        len(DonkeycarSource(folder=tub))
    path.write_text("")
    with pytest.raises(BadData, match=r"expected records up to 39 .* got none"):
        len(DonkeycarSource(folder=tub))


def test_a_missing_image_is_named(tub: Path) -> None:
    (tub / "images/31.jpg").unlink()
    source = DonkeycarSource(folder=tub)
    assert len(source.episode(0)) == 30
    front = source.episode(1).observation["front"]
    assert len(front) == 10 and front[0] != front[2]
    with pytest.raises(BadData, match=r"31\.jpg: record 31 names this image, got: No such file"):
        front[1]


def test_a_real_tub_is_read(real_data: Callable[[str], Path], tmp_path: Path) -> None:
    folder = real_data("donkeycar-tub") / "tub"
    assert DonkeycarSource(folder=folder).lengths().tolist() == [1000]
    train, val = (DonkeycarSource(folder=folder, split=s) for s in ("train", "val"))
    assert (train.lengths().tolist(), val.lengths().tolist()) == ([784], [200])
    episode = val.episode(0)
    assert decode(episode.observation["front"][0]).shape == (120, 160, 3)
    first = json.loads((folder / "catalog_0.catalog").read_text().splitlines()[800])
    assert episode.action["pedals"][0, 0] == pytest.approx(-first["user/angle"])

    shutil.copytree(folder, tmp_path / "tub", ignore=shutil.ignore_patterns("5_*"))
    front = DonkeycarSource(folder=tmp_path / "tub").episode(0).observation["front"]
    with pytest.raises(BadData, match=r"5_cam_image_array_\.jpg: record 5 names this image"):
        front[5]


def test_the_real_tub_is_opened_by_name(real_data: Callable[[str], Path]) -> None:
    root = str(real_data("donkeycar-tub").parent)
    lengths = [open_data("donkeycar-tub", root, s).lengths().tolist() for s in ("train", "val")]
    assert lengths == [[784], [200]]
    assert open_data("donkeycar-tub", root, "all").name == "donkeycar-tub/all"
