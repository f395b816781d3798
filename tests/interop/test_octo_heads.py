from typing import Any

import pytest

from octoverse.errors import BadData
from octoverse.interop.octo_heads import Head, read_head
from octoverse.interop.octo_spec import Spec


def head(name: str = "DiffusionActionHead", **arguments: Any) -> Head:
    given = {"readout_key": "readout_action", **arguments}
    spec = Spec({"module": "m", "name": name, "args": [], "kwargs": given}, "heads.action")
    return read_head("action", spec, "readout_action")


def test_octo_s_own_diffusion_head_is_understood() -> None:
    found = head(use_map=False, action_horizon=4, n_diffusion_samples=1, dropout_rate=0.0)
    assert (found.kind, found.horizon, found.size, found.largest) == ("diffusion", 4, 7, 5.0)
    assert (found.hidden, found.blocks, found.time_width, found.steps) == (256, 3, 32, 20)


def test_regression_heads_pool_by_attention_unless_said() -> None:
    plain = head("ContinuousActionHead", loss_type="mse", max_action=2.0)
    assert (plain.kind, plain.pooled, plain.loss, plain.largest) == (
        "regression",
        False,
        "mse",
        2.0,
    )
    assert (head("L1ActionHead").pooled, head("L1ActionHead").loss) == (True, "l1")
    assert (head("MSEActionHead").pooled, head("MSEActionHead").loss) == (True, "mse")
    assert not head("L1ActionHead", use_map=False).pooled


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        (
            "UNetDDPMActionHead",
            {},
            "heads.action: expected a DiffusionActionHead or one of .* got U",
        ),
        (
            "DiffusionActionHead",
            {"readout_key": "obs_primary"},
            "readout_key: expected readout_action, got obs_primary. Heads that read other tokens",
        ),
        (
            "DiffusionActionHead",
            {"use_map": True},
            "use_map: expected False, got True. Octo's diff",
        ),
        (
            "DiffusionActionHead",
            {"loss_type": "l1"},
            "loss_type: expected mse, got l1. Other losses",
        ),
        (
            "L1ActionHead",
            {"loss_type": "l2"},
            "loss_type: expected mse or l1, got l2. Other losses",
        ),
        (
            "DiffusionActionHead",
            {"use_layer_norm": False},
            "use_layer_norm: expected True, got Fal",
        ),
        ("DiffusionActionHead", {"colour": 1}, "DiffusionActionHead has the setting 'colour'"),
        ("L1ActionHead", {"hidden_dim": 3}, "L1ActionHead has the setting 'hidden_dim'"),
    ],
)
def test_what_cannot_be_imported_is_refused_in_words(
    name: str, arguments: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadData, match=words):
        head(name, **arguments)
