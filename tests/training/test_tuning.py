from dataclasses import replace
from types import ModuleType

import pytest
import torch

from octoverse.errors import BadConfig
from octoverse.policy import Policy
from octoverse.training.config import TrainingConfig, Tune
from octoverse.training.tuning import check_trunk, plan, prepare
from octoverse.training.warm_start import Shared, module_of

KINDS: tuple[Tune, ...] = ("full", "frozen-trunk", "lora")


@pytest.mark.parametrize("tune", KINDS)
def test_what_a_body_brings_is_trained_whatever_is_done_with_the_trunk(
    small: ModuleType, tune: Tune
) -> None:
    policy: Policy = small.policy()
    prepare(policy, TrainingConfig(tune=tune))
    trained = {name: weight.requires_grad for name, weight in policy.named_parameters()}
    brought = [name for name in trained if module_of(name) != "trunk"]
    assert any(name.startswith("trunk.positions.") for name in brought)
    assert all(trained[name] for name in brought)
    own = {name for name in trained if module_of(name) == "trunk"}
    changes = {name for name in own if ".lora_" in name}
    assert {name for name in own if trained[name]} == {
        "full": own, "frozen-trunk": set(), "lora": changes,
    }[tune]  # fmt: skip
    assert bool(changes) is (tune == "lora")


@pytest.mark.parametrize("tune", KINDS)
def test_the_plan_says_what_is_trained(small: ModuleType, tune: Tune) -> None:
    policy, config = small.policy(), TrainingConfig(tune=tune, lora_rank=4)
    told = plan(policy, config)
    assert {told[name] for name in told if name != "trunk"} == {"trained"}
    prepare(policy, config)
    count = sum(w.numel() for n, w in policy.trunk.named_parameters() if ".lora_" in n)
    assert told["trunk"] == {
        "full": "trained",
        "frozen-trunk": "frozen",
        "lora": f"frozen + LoRA ({count:,})",
    }[tune]  # fmt: skip


@pytest.mark.parametrize("tune", KINDS[1:])
def test_a_trunk_that_begins_anew_is_not_frozen(tune: Tune) -> None:
    config = TrainingConfig(tune=tune)
    check_trunk(Shared({"trunk": 10}, {"readouts hand": 5}), config)
    words = rf"--tune {tune} keeps the trunk .* but 1,234 numbers of .* has other sizes. Use --tune"
    with pytest.raises(BadConfig, match=words):
        check_trunk(Shared({"trunk": 10}, {"trunk": 1234}), config)
    check_trunk(Shared({}, {"trunk": 1234}), replace(config, tune="full"))


def test_a_trunk_without_layers_has_nothing_to_change_in_low_rank(small: ModuleType) -> None:
    config = small.config()
    config = replace(config, trunk=replace(config.trunk, layers=0))
    torch.manual_seed(0)
    policy = Policy(config, small.BODIES, {n: small.statistics(b) for n, b in small.BODIES.items()})
    with pytest.raises(
        BadConfig, match=r"linear layers of the trunk, got a trunk of 0 layers. Use"
    ):
        prepare(policy, TrainingConfig(tune="lora"))
