import sys
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn

from octoverse.errors import MissingExtra
from octoverse.policy import Policy
from octoverse.training import lora
from octoverse.trunk.native import NativeTrunk


def changed(small: ModuleType, rank: int = 3, alpha: int = 6) -> Policy:
    """A policy whose trunk has changes that are not zero."""
    policy: Policy = small.policy()
    lora.add(policy.trunk, rank, alpha)
    torch.manual_seed(7)
    for name, weight in policy.trunk.named_parameters():
        if ".lora_" in name:
            nn.init.normal_(weight, std=0.3)
    return policy


def loss(small: ModuleType, policy: Policy) -> Tensor:
    batches = {name: small.batch(name, range(3)) for name in small.BODIES}
    return policy.loss(batches).total


def test_a_change_is_nothing_at_first(small: ModuleType) -> None:
    policy = small.policy()
    before = loss(small, policy)
    lora.add(policy.trunk, 4, 8)
    assert torch.equal(loss(small, policy), before)


def test_merged_weights_are_those_of_an_ordinary_policy_that_does_the_same(
    small: ModuleType,
) -> None:
    policy, plain = changed(small), small.policy(seed=3)
    plain.load_state_dict(lora.merged(policy.state_dict(), 2.0))  # strict: the very same names
    assert torch.allclose(loss(small, policy), loss(small, plain), atol=1e-5)
    assert not torch.allclose(loss(small, policy), loss(small, small.policy()), atol=1e-3)
    seen = [small.window(name, 1).observation for name in small.BODIES]
    for one, other in zip(policy.eval().act(seen), plain.eval().act(seen), strict=True):
        for group, values in one.action.items():
            assert torch.allclose(
                torch.from_numpy(values), torch.from_numpy(other.action[group]), atol=1e-4
            )


def test_what_is_added_is_what_peft_adds(small: ModuleType) -> None:
    policy = changed(small)
    merged = lora.merged(policy.state_dict(), 2.0)
    for name, one in policy.trunk.named_modules():
        if hasattr(one, "get_delta_weight"):
            expected = one.base_layer.weight + one.get_delta_weight("default")
            assert torch.allclose(merged[f"trunk.{name}.weight"], expected, atol=1e-6)
            assert torch.allclose(one.weight, expected)  # for who multiplies by parts of it


def test_layers_are_put_back_as_they_were(small: ModuleType) -> None:
    policy = changed(small)
    lora.remove(policy.trunk)
    before = small.policy().state_dict()
    assert policy.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[name]) for name, value in policy.state_dict().items())
    assert not any("lora" in type(one).__module__ for one in policy.modules())


def test_every_linear_layer_of_the_trunk_is_changed_and_nothing_else(small: ModuleType) -> None:
    policy = changed(small, rank=3)
    added = {name: w for name, w in policy.named_parameters() if ".lora_" in name}
    assert all(name.startswith("trunk.blocks.") for name in added)
    trunk: NativeTrunk = small.policy().trunk
    assert len(added) == 2 * len(lora.layers(trunk)) == 2 * 4 * len(trunk.blocks)
    assert sum(weight.numel() for weight in added.values()) == lora.size(trunk, 3)
    wanting = {name for name, w in policy.trunk.named_parameters() if w.requires_grad}
    assert {f"trunk.{name}" for name in wanting} == set(added)


def test_without_peft_it_is_said_what_to_install(
    small: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    words = r"\(--tune lora\) needs the package 'peft'.*pip install \"octoverse\[tune\]\""
    with pytest.raises(MissingExtra, match=words):
        lora.add(small.policy().trunk, 4, 8)
