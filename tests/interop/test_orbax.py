import json
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from octoverse.errors import BadData, MissingExtra
from octoverse.interop import orbax

PARAMETERS = {
    "heads_action/kernel": np.arange(12, dtype=np.float32).reshape(3, 4),
    "octo_transformer/Block_0/norm/bias": np.arange(5, dtype=np.float32),
}


def tree(leaf: Any) -> dict[str, Any]:
    """The parameters as maps of maps, each leaf made of its name and values."""
    made: dict[str, Any] = {}
    for name, value in PARAMETERS.items():
        *path, last = name.split("/")
        branch = made
        for part in path:
            branch = branch.setdefault(part, {})
        branch[last] = leaf(name, value)
    return made


def inline(name: str, value: np.ndarray) -> msgspec.msgpack.Ext:
    inner = (value.shape, value.dtype.name, value.tobytes())
    return msgspec.msgpack.Ext(1, msgspec.msgpack.encode(inner))


def placeholder(name: str, value: np.ndarray) -> str:
    return "PLACEHOLDER://" + name.replace("/", ".")


def aggregate(folder: Path, leaf: Any) -> Path:
    folder.mkdir(parents=True)
    (folder / "checkpoint").write_bytes(msgspec.msgpack.encode(tree(leaf)))
    return folder


def zarr(folder: Path, name: str, value: np.ndarray) -> None:
    place = folder / name.replace("/", ".")
    place.mkdir()
    told = {"chunks": value.shape, "compressor": None, "dtype": "<f4", "fill_value": None}
    more = {"filters": None, "order": "C", "shape": value.shape, "zarr_format": 2}
    (place / ".zarray").write_text(json.dumps({**told, **more}))
    (place / ".".join(["0"] * value.ndim)).write_bytes(value.tobytes())


def check(found: dict[str, np.ndarray]) -> None:
    assert list(found) == list(PARAMETERS)
    for name, value in PARAMETERS.items():
        assert np.array_equal(found[name], value)


def test_parameters_in_one_file_are_read(tmp_path: Path) -> None:
    check(orbax.read(aggregate(tmp_path / "default", inline)))


def test_parameters_in_an_array_each_are_read(tmp_path: Path) -> None:
    folder = aggregate(tmp_path / "default", placeholder)
    for name, value in PARAMETERS.items():
        zarr(folder, name, value)
    check(orbax.read(folder))


def test_some_parameters_may_be_inside_and_some_beside(tmp_path: Path) -> None:
    first, second = PARAMETERS

    def leaf(name: str, value: np.ndarray) -> Any:
        return inline(name, value) if name == first else placeholder(name, value)

    folder = aggregate(tmp_path / "default", leaf)
    zarr(folder, second, PARAMETERS[second])
    check(orbax.read(folder))


def database(folder: Path, skip: str = "") -> None:
    tensorstore = pytest.importorskip("tensorstore")
    for name, value in PARAMETERS.items():
        if name == skip:
            continue
        path = name.replace("/", ".") + "/"
        store = {"driver": "ocdbt", "base": f"file://{folder}/", "path": path}
        tensorstore.open(
            {"driver": "zarr", "kvstore": store, "metadata": {"compressor": {"id": "zstd"}}},
            create=True,
            dtype=tensorstore.float32,
            shape=value.shape,
        ).result().write(value).result()


def test_parameters_in_one_database_are_read(tmp_path: Path) -> None:
    folder = aggregate(tmp_path / "default", placeholder)
    database(folder)
    check(orbax.read(folder))


def test_the_names_may_stand_in_the_metadata_alone(tmp_path: Path) -> None:
    folder = aggregate(tmp_path / "default", placeholder)
    (folder / "checkpoint").unlink()
    keys = [[{"key": part, "key_type": 2} for part in name.split("/")] for name in PARAMETERS]
    leaves = {str(path): {"key_metadata": path, "value_metadata": {}} for path in keys}
    (folder / "_METADATA").write_text(json.dumps({"tree_metadata": leaves}))
    database(folder)
    check(orbax.read(folder))
    (folder / "_METADATA").write_text("{}")
    with pytest.raises(BadData, match="_METADATA: expected the names of all parameters"):
        orbax.read(folder)


def test_every_missing_part_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="none: expected the parameters of this step, found no such"):
        orbax.read(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadData, match=r"empty/checkpoint: expected the file .* nor _METADATA"):
        orbax.read(tmp_path / "empty")
    folder = aggregate(tmp_path / "arrays", placeholder)
    with pytest.raises(BadData, match=r"heads_action\.kernel/\.zarray: expected the zarr array"):
        orbax.read(folder)
    folder = aggregate(tmp_path / "database", placeholder)
    missing = "octo_transformer/Block_0/norm/bias"
    database(folder, skip=missing)
    words = "manifest.ocdbt: expected the parameter 'octo_transformer.Block_0.norm.bias', which"
    with pytest.raises(BadData, match=words):
        orbax.read(folder)


def test_a_database_without_its_reader_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = aggregate(tmp_path / "default", placeholder)
    (folder / "manifest.ocdbt").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "tensorstore", None)
    with pytest.raises(MissingExtra, match=r"OCDBT form needs .* 'tensorstore'.*octoverse\[octo\]"):
        orbax.read(folder)
