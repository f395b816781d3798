import io
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from PIL import Image

from octoverse import registry
from octoverse.data.dataset import open_data
from octoverse.data.rlds import tfrecord
from octoverse.data.rlds.source import RldsSource
from octoverse.data.source import Images, Source
from octoverse.data.standard import Standard, Taken
from octoverse.errors import BadConfig, BadData, UnknownName
from octoverse.preprocess import decode

Write = Callable[..., Path]


def test_an_episode_is_in_the_conventions_of_widowx(tmp_path: Path, write_rlds: Write) -> None:
    source = RldsSource(folder=write_rlds(tmp_path))
    assert isinstance(source, Source)
    assert (source.name, len(source), source.lengths().tolist()) == (
        "bridge_dataset/train",
        2,
        [3, 5],
    )
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


def test_a_shard_with_fewer_episodes_is_refused(tmp_path: Path, write_rlds: Write) -> None:
    info = write_rlds(tmp_path) / "dataset_info.json"
    info.write_text(info.read_text().replace('["2"]', '["3"]'))
    words = r"00000-of-00001: expected 3 episodes \(dataset_info\.json\), got 2\. .*fetch it again"
    with pytest.raises(BadData, match=words):
        RldsSource(folder=tmp_path).lengths()
    with pytest.raises(BadData, match=words):
        RldsSource(folder=tmp_path).episode(0)


def test_a_truncated_shard_is_refused(tmp_path: Path, write_rlds: Write) -> None:
    shard = next(write_rlds(tmp_path).glob("*.tfrecord-*"))
    shard.write_bytes(shard.read_bytes()[:-100])
    with pytest.raises(BadData, match=r"00000-of-00001, record at byte \d+: .* cut short"):
        RldsSource(folder=tmp_path).lengths()


def test_a_shard_that_is_cut_short_later_is_refused(tmp_path: Path, write_rlds: Write) -> None:
    source = RldsSource(folder=write_rlds(tmp_path))
    assert len(source.lengths()) == 2
    shard = next(tmp_path.glob("*.tfrecord-*"))
    shard.write_bytes(shard.read_bytes()[:-100])
    with pytest.raises(BadData, match=r"00000-of-00001: expected [\d,]+ bytes .* cut short"):
        source.episode(1)


def test_a_byte_that_flips_later_is_found_when_the_record_is_first_opened(
    tmp_path: Path, write_rlds: Write
) -> None:
    source = RldsSource(folder=write_rlds(tmp_path))
    assert len(source.lengths()) == 2
    shard = next(tmp_path.glob("*.tfrecord-*"))
    spoilt = bytearray(shard.read_bytes())
    spoilt[-100] ^= 1
    shard.write_bytes(spoilt)
    source.episode(0)
    with pytest.raises(BadData, match=r"record at byte \d+: the content .* fails its checksum"):
        source.episode(1)


def test_a_missing_shard_is_named(tmp_path: Path, write_rlds: Write) -> None:
    next(write_rlds(tmp_path).glob("*.tfrecord-*")).unlink()
    with pytest.raises(BadData, match=r"00000-of-00001: expected a file, found none"):
        RldsSource(folder=tmp_path).lengths()
    with pytest.raises(BadData, match=r"00000-of-00001: expected a file, found none"):
        RldsSource(folder=tmp_path).fingerprint()


def test_a_file_of_another_kind_is_named(tmp_path: Path, write_rlds: Write) -> None:
    next(write_rlds(tmp_path).glob("*.tfrecord-*")).write_text("this is some text, no records")
    with pytest.raises(BadData, match=r"00000-of-00001, byte 0: .* not a TFRecord file"):
        RldsSource(folder=tmp_path).lengths()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            {"steps/action": np.zeros(8)},
            r"'steps/action': expected 3 x float32 \(7,\) \(features\.json\), "
            "got 8 numbers of type float32",
        ),
        (
            {"steps/action": [1] * 21},
            r"'steps/action': expected 3 x float32 \(7,\) .*, got 21 numbers of type int64",
        ),
        ({"steps/action": [b"a"] * 3}, r"'steps/action': expected 3 x float32 .*, got 3 byte str"),
        (
            {"steps/observation/image_0": [b"a"] * 2},
            r"'steps/observation/image_0': expected 3 byte strings .*, got 2 byte strings",
        ),
        (
            {"steps/language_instruction": [b"\xff"] * 3},
            r"'steps/language_instruction': expected text in UTF-8, got",
        ),
        (
            {"steps/action": np.where(np.arange(21) == 10, np.nan, 0)},
            r"'arm', step 1, number 3 \(droll\): expected a finite number, got nan",
        ),
        (
            {"steps/observation/state": np.where(np.arange(21) == 20, np.inf, 0)},
            r"'tool', step 2, number 6 \(opening\): expected a finite number, got inf",
        ),
    ],
)
def test_an_episode_that_does_not_fit_is_named_with_file_and_place(
    tmp_path: Path, write_rlds: Write, changed: dict[str, Any], words: str
) -> None:
    source = RldsSource(folder=write_rlds(tmp_path, (3,), **changed))
    place = r"00000-of-00001, record at byte 0 \(episode 0 of train\), "
    with pytest.raises(BadData, match=place + words):
        source.episode(0)


def test_a_missing_feature_is_named_with_the_file(
    tmp_path: Path,
    write_rlds: Write,
    write_records: Callable[[Path, list[bytes]], str],
    serialise: Callable[[dict[str, Any]], bytes],
) -> None:
    shard = next(write_rlds(tmp_path, (1,)).glob("*.tfrecord-*"))
    write_records(shard, [serialise({"steps/is_first": [1], "steps/action": np.zeros(7)})])
    words = r"00000-of-00001, record .*: expected the feature 'steps/observation/image_0'"
    with pytest.raises(BadData, match=words):
        RldsSource(folder=tmp_path).episode(0)


def test_an_action_that_is_masked_need_not_be_finite(tmp_path: Path, write_rlds: Write) -> None:
    undefined = np.where(np.arange(21) >= 14, np.nan, 0)
    changed = {"steps/is_last": [0, 0, 1], "steps/action": undefined}
    episode = RldsSource(folder=write_rlds(tmp_path, (3,), **changed)).episode(0)
    assert episode.action_valid["gripper"].tolist() == [True, True, False]


def test_an_episode_without_steps_is_named(tmp_path: Path, write_rlds: Write) -> None:
    write_rlds(tmp_path, (3, 0, 4))
    words = r"record at byte \d+ \(episode 1 of train\): expected at least one step, got none"
    with pytest.raises(BadData, match=words):
        RldsSource(folder=tmp_path).lengths()
    with pytest.raises(BadData, match=words):
        RldsSource(folder=tmp_path).episode(1)
    assert RldsSource(folder=tmp_path, split="train[:1]+train[2:]").lengths().tolist() == [3, 4]


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
        RldsSource(folder=tmp_path).lengths()


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


def test_a_data_set_is_declared_by_its_name(
    tmp_path: Path, write_tfds: Write, tfds_episode: Callable[..., dict[str, Any]]
) -> None:
    spec = {"steps/action": ("float32", (7,)), "steps/is_first": ("bool", ())}
    episodes = [tfds_episode(spec, 3)]
    source = RldsSource(folder=write_tfds(tmp_path, spec, episodes, name="bridge_datasets"))
    words = r"No RLDS data set that is declared named 'bridge_datasets'\. Did you mean 'bridge_d"
    with pytest.raises(UnknownName, match=words):
        source.episode(0)
    assert source.name == "bridge_datasets/train" and source.lengths().tolist() == [3]


def test_bridge_opens_by_name(real_data: Callable[[str], Path]) -> None:
    source = open_data("oxe/bridge_dataset", str(real_data("bridge-octo-debug")), "val")
    assert isinstance(source, RldsSource) and source.embodiment == "widowx"
    assert source.lengths().tolist() == [10] * 5


def test_a_slice_of_a_declared_split_opens_by_name(real_data: Callable[[str], Path]) -> None:
    root = str(real_data("bridge-octo-debug"))
    counts = [
        len(open_data("oxe/bridge_dataset", root, split))
        for split in ("train[:80%]", "train[80%:]", "train[:2]+val[:1]")
    ]
    assert counts == [12, 3, 3]
    with pytest.raises(UnknownName, match=r"No split of 'oxe/bridge_dataset' named 'trian'"):
        open_data("oxe/bridge_dataset", root, "trian[:80%]")


def test_a_declared_data_set_without_a_standard_is_refused(
    tmp_path: Path, write_rlds: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = replace(registry.load("dataset", "oxe/bridge_dataset"), standard=None)
    load = registry.load
    monkeypatch.setattr(
        registry, "load", lambda kind, name: bare if kind == "dataset" else load(kind, name)
    )
    words = r"'oxe/bridge_dataset' has no standard; give RldsSource one"
    with pytest.raises(BadConfig, match=words):
        RldsSource(folder=write_rlds(tmp_path)).episode(0)


def test_images_are_read_when_they_are_indexed(tmp_path: Path, write_rlds: Write) -> None:
    source = RldsSource(folder=write_rlds(tmp_path))
    images = source.episode(1).observation["primary"]
    assert isinstance(images, Images) and decode(images[-1]).shape == (16, 16, 3)
    next(tmp_path.glob("*.tfrecord-*")).write_bytes(b"")
    with pytest.raises(BadData, match=r"00000-of-00001: expected .* cut short"):
        images[0]


def test_an_opened_episode_is_kept_and_cannot_be_changed(tmp_path: Path, write_rlds: Write) -> None:
    source = RldsSource(folder=write_rlds(tmp_path))
    episode = source.episode(1)
    assert source.episode(1) is episode
    assert RldsSource(folder=tmp_path).episode(1) is episode
    assert RldsSource(folder=tmp_path, label="other").episode(1).source == "other"
    with pytest.raises(ValueError, match="read-only"):
        episode.action["arm"][0] = 0


def test_files_that_are_written_anew_are_read_anew(tmp_path: Path, write_rlds: Write) -> None:
    assert len(RldsSource(folder=write_rlds(tmp_path, (3, 5))).episode(1)) == 5
    assert len(RldsSource(folder=write_rlds(tmp_path, (3, 7))).episode(1)) == 7


def test_slices_of_a_split_share_no_episode(tmp_path: Path, write_rlds: Write) -> None:
    folder = write_rlds(tmp_path, (1, 2, 3, 4, 5, 6, 7, 8, 9, 10))
    train = RldsSource(folder=folder, split="train[:80%]")
    held_out = RldsSource(folder=folder, split="train[80%:]")
    assert (train.lengths().tolist(), held_out.lengths().tolist()) == ([*range(1, 9)], [9, 10])
    assert (len(train), len(held_out.episode(1)), held_out.episode(1).key) == (
        8,
        10,
        "train[80%:]/1",
    )
    assert train.fingerprint() != held_out.fingerprint()


def test_a_source_travels_to_another_process(tmp_path: Path, write_rlds: Write) -> None:
    source = RldsSource(folder=write_rlds(tmp_path))
    episode = source.episode(0)
    again = pickle.loads(pickle.dumps(source))
    assert again == source and again.lengths().tolist() == [3, 5]
    other = pickle.loads(pickle.dumps(episode))
    assert list(other.observation["primary"]) == list(episode.observation["primary"])


def test_a_cache_may_stand_before_an_address(
    tmp_path: Path, write_rlds: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = fsspec.filesystem("memory")
    system.put(str(write_rlds(tmp_path / "data")), "/cached/small", recursive=True)
    monkeypatch.setitem(fsspec.config.conf, "filecache", {"cache_storage": str(tmp_path / "cache")})
    source = RldsSource(folder="filecache::memory://cached/small")
    assert source.lengths().tolist() == [3, 5]
    assert decode(source.episode(1).observation["primary"][4]).shape == (16, 16, 3)
    kept = sorted(path.stat().st_size for path in (tmp_path / "cache").iterdir())
    assert kept[-1] == next((tmp_path / "data").glob("*.tfrecord-*")).stat().st_size
