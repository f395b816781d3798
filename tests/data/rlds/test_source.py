import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from octoverse.data.rlds import tfrecord
from octoverse.data.rlds.source import RldsSource
from octoverse.data.source import Source
from octoverse.data.standard import Standard, Taken
from octoverse.errors import BadData, UnknownName
from octoverse.preprocess import decode

Write = Callable[..., Path]


def test_an_episode_is_in_the_conventions_of_widowx(tmp_path: Path, write_rlds: Write) -> None:
    source = RldsSource(folder=write_rlds(tmp_path))
    assert isinstance(source, Source)
    assert (source.name, len(source), source.lengths().tolist()) == ("small/train", 2, [3, 5])
    episode = source.episode(1)
    assert episode.embodiment == "widowx" and len(episode) == 5
    assert episode.times_ns.tolist() == [i * 200_000_000 for i in range(5)]
    assert {k: v.shape for k, v in episode.action.items()} == {"arm": (5, 6), "gripper": (5, 1)}
    assert np.asarray(episode.observation["tool"]).shape == (5, 7)
    assert episode.observation["instruction"] == ["lift the lid"] * 5
    assert isinstance(episode.observation["primary"][0], bytes)
    assert "secondary" in episode.observation and not episode.action_valid


def test_a_black_optional_camera_is_absent(tmp_path: Path, write_rlds: Write) -> None:
    assert "tertiary" not in RldsSource(folder=write_rlds(tmp_path)).episode(0).observation


def test_the_action_of_the_last_step_is_masked_where_rlds_says_so(
    tmp_path: Path, write_rlds: Write
) -> None:
    source = RldsSource(folder=write_rlds(tmp_path, (3,), **{"steps/is_last": [0, 0, 1]}))
    assert source.episode(0).action_valid["arm"].tolist() == [True, True, False]


def test_an_empty_instruction_is_invalid(tmp_path: Path, write_rlds: Write) -> None:
    words = {"steps/language_instruction": [b"", b"", b""]}
    episode = RldsSource(folder=write_rlds(tmp_path, (3,), **words)).episode(0)
    assert not episode.observation_valid["instruction"].any()


def test_folders_of_fsspec_are_read(tmp_path: Path, write_rlds: Write) -> None:
    import fsspec

    folder = write_rlds(tmp_path)
    system = fsspec.filesystem("memory")
    system.put(str(folder), "/rlds/small", recursive=True)
    source = RldsSource(folder="memory://rlds/small")
    assert source.lengths().tolist() == [3, 5]
    assert source.fingerprint() == RldsSource(folder=folder).fingerprint()


def test_the_fingerprint_follows_data_split_and_declaration(
    tmp_path: Path, write_rlds: Write
) -> None:
    source = RldsSource(folder=write_rlds(tmp_path / "a"))
    other = RldsSource(folder=write_rlds(tmp_path / "b", (3, 6)))
    shorter = Standard(
        embodiment="widowx", observation={}, action={"arm": Taken(feature="steps/action", stop=6)}
    )
    declared = RldsSource(folder=tmp_path / "a", standard=shorter)
    prints = {source.fingerprint(), other.fingerprint(), declared.fingerprint()}
    assert len(prints) == 3
    assert source.fingerprint() == RldsSource(folder=tmp_path / "a").fingerprint()


def test_a_folder_that_is_no_tfds_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"expected a TFDS folder, found no dataset_info\.json"):
        len(RldsSource(folder=tmp_path))
    (tmp_path / "dataset_info.json").write_text("{")
    with pytest.raises(BadData, match=r"dataset_info\.json: expected JSON, got"):
        len(RldsSource(folder=tmp_path))


def test_an_unknown_split_names_those_there_are(tmp_path: Path, write_rlds: Write) -> None:
    with pytest.raises(UnknownName, match=r"No split of '.*' named 'trian'\. Did you mean 'train'"):
        len(RldsSource(folder=write_rlds(tmp_path), split="trian"))


def test_an_embodiment_without_declaration_is_refused(tmp_path: Path, write_rlds: Write) -> None:
    source = RldsSource(folder=write_rlds(tmp_path), embodiment="panda")
    with pytest.raises(UnknownName, match=r"No built-in RLDS declaration named 'panda'"):
        source.episode(0)


def test_another_file_format_is_refused(tmp_path: Path, write_rlds: Write) -> None:
    info = write_rlds(tmp_path) / "dataset_info.json"
    info.write_text(info.read_text().replace('"tfrecord"', '"array_record"'))
    with pytest.raises(BadData, match="expected tfrecord shards, got array_record"):
        len(RldsSource(folder=tmp_path))


def test_a_shard_with_fewer_episodes_is_refused(tmp_path: Path, write_rlds: Write) -> None:
    info = write_rlds(tmp_path) / "dataset_info.json"
    info.write_text(info.read_text().replace('["2"]', '["3"]'))
    with pytest.raises(BadData, match=r"expected 3 episodes \(dataset_info\.json\), got 2"):
        len(RldsSource(folder=tmp_path))


def test_a_truncated_shard_is_refused(tmp_path: Path, write_rlds: Write) -> None:
    shard = next(write_rlds(tmp_path).glob("*.tfrecord-*"))
    shard.write_bytes(shard.read_bytes()[:-100])
    with pytest.raises(BadData, match="cut short"):
        len(RldsSource(folder=tmp_path))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"steps/is_first": []}, r"record at byte 0: expected an RLDS episode with steps/is_first"),
        ({"steps/action": np.zeros(8)}, r"'steps/action': expected numbers for 3 steps, got 8"),
        ({"steps/action": [b"a"] * 3}, r"'steps/action': expected numbers for 3 steps"),
        (
            {"steps/observation/image_0": [b"a"] * 2},
            r"'steps/observation/image_0': expected 3 byte strings, got 2 of them",
        ),
    ],
)
def test_an_episode_that_does_not_fit_is_refused(
    tmp_path: Path, write_rlds: Write, changed: dict[str, Any], words: str
) -> None:
    source = RldsSource(folder=write_rlds(tmp_path, (3,), **changed))
    with pytest.raises(BadData, match=words):
        source.episode(0)


def test_a_declared_feature_that_is_missing_is_named(tmp_path: Path, write_rlds: Write) -> None:
    wrong = Standard(
        embodiment="widowx", observation={}, action={"arm": Taken(feature="steps/actoin")}
    )
    with pytest.raises(UnknownName, match=r"'steps/actoin'\. Did you mean 'steps/action'"):
        RldsSource(folder=write_rlds(tmp_path), standard=wrong).episode(0)


def test_a_record_that_is_no_example_is_named(
    tmp_path: Path, write_rlds: Write, write_records: Callable[[Path, list[bytes]], str]
) -> None:
    shard = next(write_rlds(tmp_path).glob("*.tfrecord-*"))
    write_records(shard, [b"\x0b", b"\x0b"])
    with pytest.raises(BadData, match=r"record at byte 0: Expected a tf\.train\.Example"):
        RldsSource(folder=tmp_path).episode(0)


def test_bridge_reads_as_tensorflow_datasets_reads_it(real_data: Callable[[str], Path]) -> None:
    folder = real_data("bridge-octo-debug") / "bridge_dataset/1.0.0"
    tfds = pytest.importorskip("tensorflow_datasets")
    features = tfds.builder_from_directory(str(folder)).info.features
    source = RldsSource(folder=folder, split="val")
    assert source.lengths().tolist() == [10] * 5
    path = str(folder / "bridge_dataset-val.tfrecord-00000-of-00001")
    for i, raw in enumerate(tfrecord.records(path)):
        steps = list(features.deserialize_example_np(raw)["steps"])
        episode = source.episode(i)
        assert set(episode.observation) == {
            "primary",
            "secondary",
            "tertiary",
            "tool",
            "instruction",
        }
        for t, step in enumerate(steps):
            assert np.array_equal(episode.observation["tool"][t], step["observation"]["state"])
            assert np.array_equal(episode.action["arm"][t], step["action"][:6])
            assert np.array_equal(episode.action["gripper"][t], step["action"][6:])
            assert episode.observation["instruction"][t] == step["language_instruction"].decode()
        # tensorflow-datasets decodes with Pillow, octoverse with libjpeg-turbo's defaults.
        with Image.open(io.BytesIO(episode.observation["primary"][0])) as image:
            theirs = steps[0]["observation"]["image_0"]
            assert np.abs(np.asarray(image).astype(int) - theirs).max() <= 3
        ours = decode(episode.observation["primary"][0]).astype(int)
        assert np.abs(ours - theirs).mean() < 2
