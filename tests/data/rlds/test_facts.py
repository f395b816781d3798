import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest

from octoverse.data.rlds.facts import Feature, read_facts
from octoverse.errors import BadData, MissingExtra, UnknownName

Write = Callable[..., Path]
SPEC = {
    "steps/observation/image": ("jpeg", (16, 24, 3)),
    "steps/observation/state": ("float64", (7,)),
    "steps/observation/touch": ("zlib float32", (2, 3)),
    "steps/words": ("sequence int32", ()),
    "steps/language_instruction": ("text", ()),
    "steps/is_first": ("bool", ()),
    "episode_metadata/episode_id": ("int32", ()),
}


@pytest.fixture
def folder(tmp_path: Path, write_tfds: Write, tfds_episode: Callable[..., dict[str, Any]]) -> Path:
    episodes = [tfds_episode(SPEC, 2) for _ in range(10)]
    return write_tfds(tmp_path / "made", SPEC, episodes, shards=3)


def test_every_feature_has_its_kind_type_and_shape(folder: Path) -> None:
    facts = read_facts(str(folder), "train")
    assert facts.name == "made" and dict(facts.features) == {
        "steps/observation/image": Feature(kind="image", dtype="uint8", shape=(16, 24, 3)),
        "steps/observation/state": Feature(kind="numbers", dtype="float64", shape=(7,)),
        "steps/observation/touch": Feature(
            kind="numbers", dtype="float32", shape=(2, 3), encoding="zlib"
        ),
        "steps/words": Feature(kind="numbers", dtype="int32", shape=(), ragged=True),
        "steps/language_instruction": Feature(kind="text", dtype="str", shape=()),
        "steps/is_first": Feature(kind="numbers", dtype="bool", shape=()),
        "episode_metadata/episode_id": Feature(
            kind="numbers", dtype="int32", shape=(), per_step=False
        ),
    }


def changed_features(folder: Path, name: str, kind: str, **told: Any) -> None:
    """Add a feature to the steps."""
    path = folder / "features.json"
    tree = json.loads(path.read_text())
    steps = tree["featuresDict"]["features"]["steps"]["sequence"]["feature"]
    steps["featuresDict"]["features"][name] = {
        "pythonClassName": f"tensorflow_datasets.core.features.{kind}",
        **told,
    }
    path.write_text(json.dumps(tree))


def test_a_tensor_of_open_size_is_told_to_be_none_that_can_be_read(folder: Path) -> None:
    told = {"shape": {"dimensions": ["-1", "3"]}, "dtype": "float32", "encoding": "zlib"}
    changed_features(folder, "cloud", "tensor_feature.Tensor", tensor=told)
    found = read_facts(str(folder), "train").features["steps/cloud"]
    assert found.kind == "other" and found.words == "other, float32 (None, 3) for each step"


def test_features_that_need_tensorflow_are_refused(folder: Path) -> None:
    changed_features(folder, "sound", "audio_feature.Audio", audio={})
    words = r"made: expected metadata .* without TensorFlow .* Features such as Audio need TensorF"
    with pytest.raises(BadData, match=words):
        read_facts(str(folder), "train")


def test_a_slice_takes_whole_episodes_from_its_files(folder: Path) -> None:
    def taken(split: str) -> list[tuple[str, int, int]]:
        parts = read_facts(str(folder), split).parts
        assert all(part.file.startswith(f"{folder}/made-train.tfrecord-") for part in parts)
        return [(part.file[-14:-9], part.skip, part.take) for part in parts]

    assert taken("train") == [("00000", 0, 3), ("00001", 0, 3), ("00002", 0, 4)]
    assert taken("train[:90%]") == [("00000", 0, 3), ("00001", 0, 3), ("00002", 0, 3)]
    assert taken("train[90%:]") == [("00002", 3, 1)]
    assert [p.first for p in read_facts(str(folder), "train[2:7]").parts] == [2, 3, 6]
    assert taken("train[2:4]+train[9:]") == [("00000", 2, 1), ("00001", 0, 1), ("00002", 3, 1)]


def test_metadata_are_read_from_any_address(folder: Path) -> None:
    fsspec.filesystem("memory").put(str(folder), "/made/1.0.0", recursive=True)
    here, there = read_facts(str(folder), "train"), read_facts("memory://made/1.0.0/", "train")
    assert here.features == there.features and here.metadata == there.metadata
    assert there.parts[0].file == "memory://made/1.0.0/made-train.tfrecord-00000-of-00003"


def test_a_folder_that_is_no_tfds_folder_is_refused(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(BadData, match=r"expected a TFDS folder, found no dataset_info\.json"):
        read_facts(str(tmp_path), "train")
    with pytest.raises(BadData, match=r"memory://no: expected a TFDS folder, found no dataset_in"):
        read_facts("memory://no", "train")
    (folder / "features.json").unlink()
    with pytest.raises(BadData, match=r"made: expected a TFDS folder, found no features\.json"):
        read_facts(str(folder), "train")
    (folder / "dataset_info.json").write_text("{")
    with pytest.raises(BadData, match=r"dataset_info\.json: expected JSON, got"):
        read_facts(str(folder), "train")


def test_metadata_that_tensorflow_datasets_does_not_know_are_refused(folder: Path) -> None:
    (folder / "features.json").write_text('{"pythonClassName": "no.such.Feature"}')
    with pytest.raises(BadData, match=r"made: expected metadata that tensorflow-datasets reads"):
        read_facts(str(folder), "train")


def test_an_unknown_split_names_those_there_are(folder: Path) -> None:
    for split in ("trian", "trian[:90%]", "train[:2]+trian"):
        with pytest.raises(UnknownName, match=r"No split of '.*made' named 'trian'\. Did you mean"):
            read_facts(str(folder), split)


@pytest.mark.parametrize("split", ["train[:9", "train[20:30]", "train[a:]"])
def test_a_slice_that_cannot_be_is_refused(folder: Path, split: str) -> None:
    with pytest.raises(BadData, match=r"made: expected a split such as train, train\[:90%\]"):
        read_facts(str(folder), split)


def test_a_split_without_episodes_is_refused(folder: Path, write_tfds: Write) -> None:
    write_tfds(folder, SPEC, [], split="val")
    for split in ("val", "train[4:4]"):
        with pytest.raises(BadData, match=r"made: expected episodes in the split .*, got none"):
            read_facts(str(folder), split)


def test_another_file_format_is_refused(folder: Path) -> None:
    info = folder / "dataset_info.json"
    info.write_text(info.read_text().replace('"tfrecord"', '"array_record"'))
    with pytest.raises(BadData, match=r"made: expected tfrecord files, got array_record\. Prepare"):
        read_facts(str(folder), "train")


def test_without_tensorflow_datasets_the_extra_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import builtins

    plain = builtins.__import__

    def refuse(name: str, *rest: Any) -> Any:
        if name == "tensorflow_datasets":
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)
        return plain(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingExtra, match=r"'tensorflow_datasets', .* \"octoverse\[rlds\]\""):
        read_facts(str(folder), "train")
