"""The folders that tests are made of are what tensorflow-datasets itself writes and reads."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from octoverse.data.rlds import tfrecord

SPEC = {
    "steps/observation/image": ("jpeg", (16, 24, 3)),
    "steps/observation/depth": ("png", (16, 24, 1)),
    "steps/observation/distance": ("png float32", (16, 24, 1)),
    "steps/observation/state": ("float64", (7,)),
    "steps/observation/touch": ("zlib float32", (2, 3)),
    "steps/action/world_vector": ("float32", (3,)),
    "steps/action/open": ("bool", (1,)),
    "steps/words": ("sequence int32", ()),
    "steps/language_instruction": ("text", ()),
    "steps/reward": ("float32", ()),
    "steps/pixels": ("uint8", (4,)),
    "steps/is_first": ("bool", ()),
    "steps/is_last": ("bool", ()),
    "episode_metadata/episode_id": ("int32", ()),
    "episode_metadata/file_path": ("text", ()),
}


def test_tensorflow_datasets_reads_every_kind_of_feature(
    tmp_path: Path, write_tfds: Callable[..., Path], tfds_episode: Callable[..., dict[str, Any]]
) -> None:
    tfds = pytest.importorskip("tensorflow_datasets")
    episodes = [tfds_episode(SPEC, steps, seed=steps) for steps in (3, 5, 2)]
    write_tfds(tmp_path, SPEC, episodes[:2], shards=2)
    write_tfds(tmp_path, SPEC, episodes[2:], split="val")
    info = tfds.builder_from_directory(str(tmp_path)).info
    assert {name: split.shard_lengths for name, split in info.splits.items()} == {
        "train": [1, 1],
        "val": [1],
    }
    for name, told in zip(("train-00000-of-00002", "val-00000-of-00001"), (0, 2), strict=True):
        split, shard = name.split("-", 1)
        (raw,) = tfrecord.records(str(tmp_path / f"made-{split}.tfrecord-{shard}"))
        read, made = info.features.deserialize_example_np(raw), episodes[told]
        metadata = read["episode_metadata"]
        assert metadata["episode_id"] == made["episode_metadata/episode_id"]
        assert metadata["file_path"] == b"an episode"
        for t, step in enumerate(read["steps"]):
            assert step["observation"]["image"].shape == (16, 24, 3)
            assert np.array_equal(step["observation"]["depth"], made["steps/observation/depth"][t])
            assert np.array_equal(
                step["observation"]["distance"], made["steps/observation/distance"][t]
            )
            assert np.allclose(step["observation"]["state"], made["steps/observation/state"][t])
            assert np.array_equal(step["observation"]["touch"], made["steps/observation/touch"][t])
            assert np.array_equal(
                step["action"]["world_vector"], made["steps/action/world_vector"][t]
            )
            assert step["action"]["open"] == made["steps/action/open"][t]
            assert list(step["words"]) == list(made["steps/words"][t])
            assert step["language_instruction"] == b"lift the lid"
            assert step["reward"] == made["steps/reward"][t]
            assert np.array_equal(step["pixels"], made["steps/pixels"][t])
            assert step["is_first"] == (t == 0)
