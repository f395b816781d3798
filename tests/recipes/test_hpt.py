import pytest
import torch

from octoverse import registry
from octoverse.embodiment import Embodiment
from octoverse.errors import UnknownName
from octoverse.recipes.hpt import HPT
from octoverse.trunk.block import Block

BODIES: list[Embodiment] = [registry.load("embodiment", name) for name in HPT.example]


@pytest.mark.parametrize(
    ("size", "width", "millions"), [("base", 256, 12.6), ("small", 128, 3.1), ("large", 512, 50.5)]
)
def test_the_trunk_is_as_large_as_the_published_one(size: str, width: int, millions: float) -> None:
    trunk = HPT.config(BODIES, size).trunk
    assert (trunk.layers, trunk.width, trunk.heads) == (16, width, 8)
    with torch.device("meta"):
        weights = sum(p.numel() for p in Block(trunk).parameters()) * trunk.layers
    assert weights / 1e6 == pytest.approx(millions, rel=0.03)


def test_every_stem_makes_sixteen_tokens_of_whatever_a_body_has() -> None:
    config = HPT.config(BODIES)
    stems = {key: module.tokens for key, module in config.tokenizers.items()}
    assert stems == {
        "widowx/image/primary": 16,
        "widowx/state/tool": 16,
        "widowx/language": 1,
        "tabletop_arm/image/table": 16,
        "tabletop_arm/image/wrist": 16,
        "tabletop_arm/state/tool": 16,
        "tabletop_arm/language": 1,
    }
    assert set(config.readouts) == {"widowx/arm+gripper", "tabletop_arm/arm+gripper"}


def test_a_size_that_it_does_not_have_is_refused() -> None:
    with pytest.raises(UnknownName, match="No size of 'hpt' named 'huge'"):
        HPT.config(BODIES, "huge")
