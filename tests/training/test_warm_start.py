from dataclasses import replace
from pathlib import Path
from types import ModuleType

import msgspec
import pytest
import torch
from rich.console import Console

from octoverse import checkpoint
from octoverse.config import PolicyConfig
from octoverse.embodiments.rc_car import RC_CAR
from octoverse.errors import BadCheckpoint
from octoverse.policy import Policy
from octoverse.readout import Fitted
from octoverse.readouts.anchors import AnchorsConfig
from octoverse.training.loop import train
from octoverse.training.new_body.extend import extend_config
from octoverse.training.warm_start import load_shared

ARM = "tabletop_arm"


@pytest.fixture
def stored(small: ModuleType, tmp_path: Path) -> Path:
    folder = tmp_path / "stored"
    checkpoint.save(small.policy(seed=1), folder)
    return folder


def arm_policy(small: ModuleType, config: PolicyConfig) -> Policy:
    torch.manual_seed(2)
    return Policy(config, small.BODIES, {ARM: small.statistics(small.BODIES[ARM])})


def test_a_known_body_keeps_its_config_and_all_its_weights(small: ModuleType, stored: Path) -> None:
    config = extend_config(small.BODIES[ARM], stored).config
    policy = arm_policy(small, config)
    shared = load_shared(policy, stored)
    assert shared.fresh == {}
    weights = checkpoint.read_weights(stored)
    for key, value in policy.state_dict().items():
        assert torch.equal(value, weights[key])
    seen = small.window(ARM, 3).observation
    one, two = policy.eval().act([seen])[0], checkpoint.load(stored).act([seen])[0]
    assert (one.action["arm"] == two.action["arm"]).all()


def test_a_new_body_shares_trunk_language_and_what_has_the_same_key(
    small: ModuleType, stored: Path
) -> None:
    config = extend_config(RC_CAR, stored).config
    assert config.preprocess == small.config().preprocess
    torch.manual_seed(2)
    policy = Policy(config, {"rc_car": RC_CAR}, {"rc_car": small.statistics(RC_CAR)})
    before = {key: value.clone() for key, value in policy.state_dict().items()}
    shared = load_shared(policy, stored)
    weights = checkpoint.read_weights(stored)
    for key, value in policy.state_dict().items():
        carried = key in weights
        assert torch.equal(value, weights[key] if carried else before[key])
    assert {"trunk", "tokenizers language"} <= set(shared.loaded)
    assert shared.loaded["trunk"] == sum(
        v.numel() for k, v in weights.items() if k.startswith("trunk") and "positions" not in k
    )
    assert "readouts pedals/8x2" in shared.fresh
    assert "tokenizers image" in shared.loaded
    total = sum(value.numel() for value in policy.state_dict().values())
    assert sum(shared.loaded.values()) + sum(shared.fresh.values()) == total


def test_the_table_says_where_every_module_comes_from_and_what_is_trained(
    small: ModuleType, stored: Path
) -> None:
    shared = load_shared(arm_policy(small, extend_config(small.BODIES[ARM], stored).config), stored)
    shared = replace(
        shared, fresh={"readouts new": 1234}, begun={"tokenizers side": ("tokenizers front", 56)}
    )
    plan = dict.fromkeys([*shared.loaded, *shared.fresh, *shared.begun], "trained")
    console = Console(width=120)
    with console.capture() as caught:
        console.print(shared.table({**plan, "trunk": "frozen"}))
    rows = {" ".join(line.split()) for line in caught.get().splitlines()}
    assert "readouts new 1,234 new trained" in rows
    assert "tokenizers side 56 begin as tokenizers front trained" in rows
    assert f"trunk {shared.loaded['trunk']:,} from the checkpoint frozen" in rows


def test_a_module_of_another_shape_begins_anew(small: ModuleType, stored: Path) -> None:
    config = small.config()
    wider = replace(config, tokenizers={
        **config.tokenizers,
        "keypoints": replace(config.tokenizers["keypoints"], channels=16),
    })  # fmt: skip
    torch.manual_seed(2)
    statistics = {name: small.statistics(body) for name, body in small.BODIES.items()}
    policy = Policy(wider, small.BODIES, statistics)
    fresh = load_shared(policy, stored).fresh
    assert set(fresh) == {"tokenizers keypoints"}


def test_anchors_of_another_body_are_learned_anew_where_the_rest_begins_with_its_weights(
    small: ModuleType, tmp_path: Path
) -> None:
    config = small.config()
    config = replace(config, readouts={**config.readouts, "hand": AnchorsConfig(anchors=3)})
    statistics = {name: small.statistics(body) for name, body in small.BODIES.items()}
    policy = Policy(config, small.BODIES, statistics)
    readout = policy.readout("hand")
    assert isinstance(readout, Fitted)
    readout.fit(torch.randn(9, small.HORIZON, 5), torch.ones(9, small.HORIZON, 5).bool())
    checkpoint.save(policy, tmp_path / "stored")
    begins = {"readouts.hand": "readouts.other"}
    weights = {
        name.replace("readouts.hand", "readouts.other"): value
        for name, value in policy.state_dict().items()
    }
    fresh = Policy(config, small.BODIES, statistics)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "read_weights", lambda folder: weights)
        shared = load_shared(fresh, tmp_path / "stored", begins)
    mine, theirs = fresh.state_dict(), policy.state_dict()
    assert mine["readouts.hand.anchors.fitted"] == 0
    assert torch.equal(mine["readouts.hand.read.weight"], theirs["readouts.hand.read.weight"])
    assert "readouts hand" in shared.fresh and "readouts hand" in shared.begun


def test_a_body_may_change_between_checkpoint_and_training(small: ModuleType, stored: Path) -> None:
    """The same name with one more number: that module begins anew, nothing else does."""
    body = small.BODIES[ARM]
    tool = body.observation["tool"]
    longer = msgspec.structs.replace(
        tool,
        names=(*tool.names, "force"),
        units=(*tool.units, "N"),
        low=(*tool.low, -1.0),
        high=(*tool.high, 1.0),
    )
    changed = msgspec.structs.replace(body, observation={**body.observation, "tool": longer})
    config = extend_config(changed, stored).config
    sizes = {**config.tokenizers, "state/tool": replace(config.tokenizers["state/tool"], size=6)}
    policy = Policy(
        replace(config, tokenizers=sizes), {ARM: changed}, {ARM: small.statistics(changed)}
    )
    shared = load_shared(policy, stored)
    assert set(shared.fresh) == {"tokenizers state/tool"}


def test_training_begins_with_the_shared_weights(
    small: ModuleType, stored: Path, tmp_path: Path
) -> None:
    recipe = small.recipe(steps=2, learning_rate=1e-9, weight_decay=0.0)
    policy = train(
        recipe,
        small.BODIES,
        tmp_path / "run",
        start=lambda fresh: print(load_shared(fresh, stored)),
        quiet=True,
    )
    weights = checkpoint.read_weights(stored)
    for key, value in policy.state_dict().items():
        assert torch.allclose(value, weights[key], atol=1e-6)


def test_a_damaged_checkpoint_is_not_half_taken_over(small: ModuleType, stored: Path) -> None:
    (stored / "model.safetensors").write_bytes(b"")
    policy = arm_policy(small, extend_config(small.BODIES[ARM], stored).config)
    before = {key: value.clone() for key, value in policy.state_dict().items()}
    with pytest.raises(BadCheckpoint, match=r"its hash is not the one in versions.json"):
        load_shared(policy, stored)
    assert all(torch.equal(value, before[key]) for key, value in policy.state_dict().items())
