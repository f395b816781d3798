import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest
import torch

from octoverse import checkpoint
from octoverse.data.mixture import MixtureState
from octoverse.errors import BadCheckpoint, BadConfig
from octoverse.training.config import TrainingConfig, Tune
from octoverse.training.trainer import Trainer
from octoverse.training.tuning import prepare


class Place:
    """Stands for a mixture: remembers where it was put."""

    def __init__(self) -> None:
        self.restored: MixtureState | None = None

    def state(self) -> MixtureState:
        return MixtureState(
            seed=1, rank=0, world=1, batch_size=2, step=7, sources=("a",), settings="s", drawn=(14,)
        )

    def restore(self, state: MixtureState) -> None:
        self.restored = state


CONFIG = TrainingConfig(steps=10, warmup_steps=4, learning_rate=1e-2, keep=2, mean_of=0.5)


@pytest.fixture
def trainer(small: ModuleType) -> Callable[..., Any]:
    """Makes a trainer that has taken some steps; its gradients come from the step's number."""

    def make(steps: int = 0, config: TrainingConfig = CONFIG, seed: int = 0) -> Any:
        made = Trainer(small.policy(seed=seed), config)
        for _ in range(steps):
            for weight in made.policy.parameters():
                weight.grad = torch.full_like(weight, math.sin(made.step))
            made.advance()
        return made

    return make


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def test_the_rate_warms_up_and_falls_along_a_cosine(trainer: Callable[..., Any]) -> None:
    made, rates = trainer(), []
    for step in range(10):
        made.step = step
        rates.append(made.rate / 1e-2)
    cosine = [0.5 * (1 + math.cos(math.pi * i / 6)) for i in range(6)]
    assert rates == pytest.approx([0.25, 0.5, 0.75, 1.0, *cosine])


def test_the_mean_of_weights_forgets_its_start(trainer: Callable[..., Any]) -> None:
    made = trainer(config=replace(CONFIG, mean_of=0.9))
    key = "trunk.norm.bias"
    expected = made.mean[key].clone()
    for step in range(1, 5):
        for weight in made.policy.parameters():
            weight.grad = torch.ones_like(weight)
        made.advance()
        keep = min(0.9, (1 + step) / (10 + step))
        expected = keep * expected + (1 - keep) * made.policy.state_dict()[key]
        assert torch.allclose(made.mean[key], expected, atol=1e-7)
    assert torch.equal(made.mean_policy().state_dict()[key], made.mean[key])


def test_biases_and_norms_are_not_pulled_to_zero(trainer: Callable[..., Any]) -> None:
    groups = trainer().optimizer.param_groups
    assert [group["weight_decay"] for group in groups] == [0.05, 0.0]
    assert all(weight.ndim >= 2 for weight in groups[0]["params"])
    assert all(weight.ndim < 2 for weight in groups[1]["params"])


def test_old_checkpoints_are_dropped_and_the_newest_resumes_exactly(
    trainer: Callable[..., Any], tmp_path: Path
) -> None:
    made = trainer()
    for _ in range(4):
        for weight in made.policy.parameters():
            weight.grad = torch.ones_like(weight)
        made.advance()
        made.save(tmp_path, Place())
    assert [f.name for f in checkpoint.steps(tmp_path)] == ["step-00000003", "step-00000004"]
    assert len(list((tmp_path / "checkpoints").iterdir())) == 2
    other, place = trainer(seed=5), Place()
    other.resume(tmp_path, place)
    assert other.step == 4 and place.restored == place.state()
    for step in (made, other):
        for weight in step.policy.parameters():
            weight.grad = torch.ones_like(weight)
        step.advance()
    for one, two in (
        (made.policy.state_dict(), other.policy.state_dict()),
        (made.mean, other.mean),
    ):
        assert one.keys() == two.keys()
        assert all(torch.equal(one[key], two[key]) for key in one)


@pytest.mark.parametrize("tune", ["frozen-trunk", "lora"])
def test_optimiser_and_mean_hold_only_what_is_trained(
    small: ModuleType, tmp_path: Path, tune: Tune
) -> None:
    policy = small.policy()
    prepare(policy, replace(CONFIG, tune=tune))
    made = Trainer(policy, replace(CONFIG, tune=tune))
    trained = {name for name, weight in policy.named_parameters() if weight.requires_grad}
    held = sum(len(group["params"]) for group in made.optimizer.param_groups)
    assert set(made.mean) == trained and held == len(trained)
    assert not any(name.endswith("base_layer.weight") for name in trained)
    made.save(tmp_path, Place())  # type: ignore[arg-type]
    assert checkpoint.load(tmp_path).state_dict().keys() == small.policy().state_dict().keys()


def test_buffers_are_kept_as_they_are_in_mean_and_checkpoint(
    small: ModuleType, tmp_path: Path
) -> None:
    policy = small.policy()
    counted = torch.tensor(3)
    policy.trunk.register_buffer("counted", counted)
    made = Trainer(policy, CONFIG)
    counted += 4
    made.save(tmp_path, Place())  # type: ignore[arg-type]
    assert checkpoint.read_weights(checkpoint.steps(tmp_path)[0])["trunk.counted"] == 7
    assert made.mean_policy().trunk.counted == 7


def test_a_folder_without_checkpoints_begins_anew(
    trainer: Callable[..., Any], tmp_path: Path
) -> None:
    made = trainer(3)
    made.resume(tmp_path, Place())
    assert made.step == 3


def test_what_a_killed_save_left_is_cleared_away(
    trainer: Callable[..., Any], tmp_path: Path
) -> None:
    trainer(2).save(tmp_path, Place())
    left = tmp_path / "checkpoints/.step-00000003.99.part"
    left.mkdir()
    (left / "config.json").write_text("{")
    made = trainer()
    made.resume(tmp_path, Place())
    assert made.step == 2 and not left.exists()


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("steps", 20, "holds a run with steps 10, got 20. Go on with the same settings, or choose"),
        ("batch_size", 3, "holds a run with batch_size 64, got 3"),
        ("learning_rate", 0.5, "holds a run with learning_rate 0.01, got 0.5"),
        ("warmup_steps", 1, "holds a run with warmup_steps 4, got 1"),
        ("weight_decay", 0.0, "holds a run with weight_decay 0.05, got 0.0"),
        ("clip", 9.0, "holds a run with clip 1.0, got 9.0"),
        ("mean_of", 0.1, "holds a run with mean_of 0.5, got 0.1"),
        ("precision", "bfloat16", "holds a run with precision float32, got bfloat16"),
        ("seed", 4, "holds a run with seed 0, got 4"),
        ("tune", "frozen-trunk", "holds a run with tune full, got frozen-trunk"),
        ("lora_rank", 4, "holds a run with lora_rank 8, got 4"),
        ("lora_alpha", 4, "holds a run with lora_alpha 16, got 4"),
    ],
)
def test_a_run_does_not_go_on_with_other_settings(
    trainer: Callable[..., Any], tmp_path: Path, setting: str, value: Any, words: str
) -> None:
    trainer(1).save(tmp_path, Place())
    with pytest.raises(BadConfig, match=words):
        trainer(config=replace(CONFIG, **{setting: value})).resume(tmp_path, Place())


def test_how_often_is_saved_and_logged_may_change(
    trainer: Callable[..., Any], tmp_path: Path
) -> None:
    trainer(1).save(tmp_path, Place())
    made = trainer(config=replace(CONFIG, save_every=3, log_every=7, keep=9))
    made.resume(tmp_path, Place())
    assert made.step == 1


def test_a_run_does_not_go_on_with_another_policy(
    small: ModuleType, trainer: Callable[..., Any], tmp_path: Path
) -> None:
    trainer(1).save(tmp_path, Place())
    with pytest.raises(BadConfig, match="holds a run of another policy: its bodies, modules"):
        Trainer(small.policy("flow"), CONFIG).resume(tmp_path, Place())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "damage", "words"),
    [
        (
            "trainer/config.json",
            None,
            "config.json cannot be read: .* Delete this checkpoint to",
        ),
        (
            "trainer/config.json",
            b"{",
            "config.json cannot be read: .* Delete this checkpoint to",
        ),
        ("trainer/mixture.json", b"{}", "mixture.json cannot be read: .*missing required field"),
        ("trainer/state.pt", None, "state.pt cannot be read: .* Delete this checkpoint to"),
        (
            "trainer/state.pt",
            b"half",
            "state.pt cannot be read: .* Delete this checkpoint to",
        ),
        ("trainer/state.pt", b"", "state.pt cannot be read: .* Delete this checkpoint to"),
        ("model.safetensors", b"half", "its hash is not the one in versions.json"),
    ],
)
def test_a_damaged_state_is_refused_with_the_cure(
    trainer: Callable[..., Any], tmp_path: Path, name: str, damage: bytes | None, words: str
) -> None:
    trainer(1).save(tmp_path, Place())
    path = checkpoint.steps(tmp_path)[-1] / name
    path.unlink() if damage is None else path.write_bytes(damage)
    with pytest.raises(BadCheckpoint, match=words):
        trainer().resume(tmp_path, Place())


def test_a_state_of_other_modules_is_refused_by_the_names_of_its_tensors(
    trainer: Callable[..., Any], tmp_path: Path
) -> None:
    trainer(1).save(tmp_path, Place())
    path = checkpoint.steps(tmp_path)[-1] / "trainer/state.pt"
    state = torch.load(path, weights_only=True)
    state["weights"]["trunk.norm.bias"] = torch.zeros(3)
    torch.save(state, path)
    words = (
        r"state.pt: expected the weights of this policy, got .* \(32,\), found \(3,\)\). It is of"
    )
    with pytest.raises(BadCheckpoint, match=words):
        trainer().resume(tmp_path, Place())


def test_a_state_cut_in_half_is_refused(trainer: Callable[..., Any], tmp_path: Path) -> None:
    trainer(1).save(tmp_path, Place())
    path = checkpoint.steps(tmp_path)[-1] / "trainer/state.pt"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(BadCheckpoint, match=r"state.pt cannot be read"):
        trainer().resume(tmp_path, Place())


def test_settings_are_kept_as_they_are(trainer: Callable[..., Any], tmp_path: Path) -> None:
    trainer(1).save(tmp_path, Place())
    path = checkpoint.steps(tmp_path)[-1] / "trainer/config.json"
    assert msgspec.json.decode(path.read_bytes(), type=TrainingConfig) == CONFIG
