import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from octoverse import checkpoint
from octoverse.errors import BadCheckpoint
from octoverse.policy import Policy

FILES = {"config.json", "embodiments.json", "statistics.json", "versions.json", "model.safetensors"}
Change = Callable[[Path], None]


@pytest.fixture(scope="module")
def stored(small: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stored") / "whole"
    checkpoint.save(small.policy("flow"), folder)
    return folder


@pytest.fixture
def folder(stored: Path, tmp_path: Path) -> Path:
    """A copy to be damaged."""
    return Path(shutil.copytree(stored, tmp_path / "checkpoint"))


@pytest.mark.parametrize("readout", ["regression", "bins", "flow"])
def test_what_is_loaded_acts_bit_by_bit_as_what_was_saved(
    small: ModuleType, tmp_path: Path, readout: str
) -> None:
    policy = small.policy(readout, frames=2)
    policy.name = "spring-2"
    checkpoint.save(policy, tmp_path / "saved")
    loaded = checkpoint.load(tmp_path / "saved")
    seen = [small.window(("tabletop_arm", "road_car")[n % 2], n, 2).observation for n in range(4)]
    for one, other in zip(policy.act(seen), loaded.act(seen), strict=True):
        for group, values in one.action.items():
            assert np.array_equal(values, other.action[group])
    assert loaded.config == policy.config
    assert loaded.bodies == policy.bodies
    assert loaded.statistics == policy.statistics
    assert not loaded.training
    assert {path.name for path in (tmp_path / "saved").iterdir()} == FILES


def test_the_name_stays_and_its_hash_follows_the_weights(small: ModuleType, tmp_path: Path) -> None:
    policy = small.policy()
    policy.name = "my-robot"
    checkpoint.save(policy, tmp_path / "first")
    loaded = checkpoint.load(tmp_path / "first")
    checkpoint.save(loaded, tmp_path / "again")
    assert checkpoint.load(tmp_path / "again").model == loaded.model
    assert loaded.model.startswith("my-robot-") and len(loaded.model) == len("my-robot-") + 8
    loaded.trunk.norm.weight.data += 1
    checkpoint.save(loaded, tmp_path / "other")
    other = checkpoint.load(tmp_path / "other").model
    assert other.startswith("my-robot-") and other != loaded.model


def test_other_weights_may_be_saved_than_the_policy_s_own(
    small: ModuleType, tmp_path: Path
) -> None:
    policy, other = small.policy(seed=1), small.policy(seed=2)
    checkpoint.save(policy, tmp_path / "saved", weights=other.state_dict())
    for name, value in checkpoint.load(tmp_path / "saved").state_dict().items():
        assert torch.equal(value, other.state_dict()[name])


def test_weights_kept_in_half_precision_act_nearly_the_same(
    small: ModuleType, tmp_path: Path
) -> None:
    policy, seen = small.policy(), small.window("tabletop_arm", 2).observation
    half = {name: value.half() for name, value in policy.state_dict().items()}
    checkpoint.save(policy, tmp_path / "half", weights=half)
    checkpoint.save(policy, tmp_path / "whole")
    sizes = [(tmp_path / f / "model.safetensors").stat().st_size for f in ("half", "whole")]
    assert sizes[0] < 0.6 * sizes[1]
    loaded = checkpoint.load(tmp_path / "half")
    assert {weight.dtype for weight in loaded.parameters()} == {torch.float32}
    for one, other in zip(policy.act([seen]), loaded.act([seen]), strict=True):
        assert np.allclose(one.action["arm"], other.action["arm"], atol=1e-4)


def cut(name: str) -> Change:
    def change(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])

    return change


def flip(folder: Path) -> None:
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-100] ^= 1
    (folder / "model.safetensors").write_bytes(content)


def removed(name: str) -> Change:
    return lambda folder: (folder / name).unlink()


def edited(name: str, *path: Any, to: Any) -> Change:
    def change(folder: Path) -> None:
        whole = found = json.loads((folder / name).read_bytes())
        for step in path[:-1]:
            found = found[step]
        found[path[-1]] = to
        (folder / name).write_text(json.dumps(whole))

    return change


def written(name: str, text: str) -> Change:
    def change(folder: Path) -> None:
        (folder / name).write_text(text)

    return change


def garbled(folder: Path) -> None:
    """Weights that are no safetensors, though their hash is right."""
    (folder / "model.safetensors").write_bytes(b"no weights")
    digest = checkpoint._hash(folder / "model.safetensors")
    edited("versions.json", "weights_sha256", to=digest)(folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (cut("model.safetensors"), "its hash is not the one in versions.json. It was cut short or"),
        (flip, "its hash is not the one in versions.json. It was cut short or changed; copy"),
        (garbled, "model.safetensors cannot be read: .* It was cut short"),
        (removed("model.safetensors"), "expected model.safetensors, found none. It was cut short"),
        (removed("config.json"), "expected config.json, found none. The checkpoint is incomplete"),
        (removed("embodiments.json"), "expected embodiments.json, found none. The checkpoint is"),
        (removed("statistics.json"), "expected statistics.json, found none. The checkpoint is"),
        (removed("versions.json"), "expected versions.json, found none. The checkpoint is incompl"),
        (cut("config.json"), "config.json is not JSON: .* The checkpoint is incomplete; copy it"),
        (written("versions.json", "[]"), "versions.json: expected fields by name, got list. The c"),
        (written("config.json", '"x"'), "config.json: expected fields by name, got str"),
        (
            edited("versions.json", "format", to=2),
            r"of format 1, which octoverse [\d.]+ reads, got format 2, written by octoverse "
            r"[\d.]+. Use that version, or train anew",
        ),
        (
            edited("config.json", "tokenizers", "image", "name", to="imag"),
            "config.json cannot be used: No tokenizer named 'imag'. Did you mean 'image'",
        ),
        (
            edited("config.json", "trunk", "depth", to=3),
            "config.json cannot be used: trunk: no setting named 'depth'. Known: activation",
        ),
        (
            edited("config.json", "bodies", "road_car", "wings", to=2),
            "config.json cannot be used: bodies.road_car: no setting named 'wings'",
        ),
        (
            edited("config.json", "trunk", "layers", to=3),
            r"got others: 12 missing \('trunk.blocks.2.attention_norm.bias' \(32,\), .*, \.\.\.\). "
            r"The two files belong to different runs, or to another version of octoverse: copy "
            r"both again, or use octoverse [\d.]+, which wrote them",
        ),
        (
            edited("config.json", "trunk", "mlp_ratio", to=3),
            r"got others: 6 of another shape \('trunk.blocks.0.mlp.0.bias' expected \(96,\), found "
            r"\(128,\), 'trunk.blocks.0.mlp.0.weight' expected \(96, 32\), found \(128, 32\), ",
        ),
        (
            written("embodiments.json", "{}"),
            "its files do not fit each other: the config names the body 'road_car', for which th",
        ),
        (
            edited("embodiments.json", "road_car", "control_hz", to="fast"),
            "embodiments.json: Expected `float`, got `str`.* It is of another version",
        ),
        (
            edited("statistics.json", "road_car", "action", "path", "std", to=None),
            "statistics.json: Expected `array`, got `null`.* It is of another version",
        ),
    ],
)
def test_a_damaged_checkpoint_is_refused_in_words(folder: Path, change: Change, words: str) -> None:
    change(folder)
    with pytest.raises(BadCheckpoint, match=words):
        checkpoint.load(folder)


def test_a_body_taken_out_of_the_config_is_noticed(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_bytes())
    del config["bodies"]["road_car"]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(BadCheckpoint, match=r"expected the tensors that config.json describes"):
        checkpoint.load(folder)


def test_what_exists_is_never_written_over(small: ModuleType, folder: Path) -> None:
    with pytest.raises(BadCheckpoint, match=r"checkpoint exists. Give another folder, or move"):
        checkpoint.save(small.policy(), folder)


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt(), SystemExit()])
def test_a_save_that_is_broken_off_leaves_nothing(
    small: ModuleType, tmp_path: Path, error: BaseException
) -> None:
    def also(waiting: Path) -> None:
        assert {path.name for path in waiting.iterdir()} == FILES
        assert waiting.name.startswith(".")
        raise error

    with pytest.raises(type(error)):
        checkpoint.save(small.policy(), tmp_path / "run/checkpoints/step-1", also=also)
    assert list((tmp_path / "run/checkpoints").iterdir()) == []
    assert checkpoint.steps(tmp_path / "run") == []


def test_the_newest_checkpoint_of_a_run_is_meant(stored: Path, tmp_path: Path) -> None:
    places = [tmp_path / f"checkpoints/step-{n:08d}" for n in (9, 10, 200)]
    for place in places:
        place.parent.mkdir(exist_ok=True)
        place.mkdir()
    (tmp_path / "checkpoints/.step-00000300.7.part").mkdir()
    assert checkpoint.steps(tmp_path) == places
    assert checkpoint.resolve(tmp_path) == places[-1]
    assert checkpoint.resolve(stored) == stored
    assert isinstance(checkpoint.load(stored), Policy)


def test_where_there_is_no_checkpoint_the_error_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(BadCheckpoint, match=r"nowhere does not exist. Give a checkpoint's or"):
        checkpoint.load(tmp_path / "nowhere")
    with pytest.raises(BadCheckpoint, match=r"or a run with checkpoints/, found neither. Train"):
        checkpoint.load(tmp_path)


def test_tensors_missing_beyond_and_of_another_shape_are_named_with_both_shapes(
    small: ModuleType, folder: Path
) -> None:
    weights = {**small.policy("flow").state_dict(), "trunk.extra": torch.zeros(1, 2)}
    del weights["trunk.norm.bias"]
    weights["trunk.norm.weight"] = torch.zeros(7)
    save_file(weights, folder / "model.safetensors")
    digest = checkpoint._hash(folder / "model.safetensors")
    edited("versions.json", "weights_sha256", to=digest)(folder)
    words = (
        "got others: 1 missing ('trunk.norm.bias' (32,)); 1 not expected ('trunk.extra' (1, 2)); "
        "1 of another shape ('trunk.norm.weight' expected (32,), found (7,)). The two files"
    )
    with pytest.raises(BadCheckpoint, match=re.escape(words)):
        checkpoint.load(folder)


def test_whoever_may_read_the_config_may_read_the_weights(stored: Path) -> None:
    modes = {p.stat().st_mode for p in stored.iterdir() if p.is_file()}
    assert len(modes) == 1
