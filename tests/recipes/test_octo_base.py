import numpy as np
import torch

from octoverse import registry
from octoverse.cli.check import random_statistics
from octoverse.embodiment import Embodiment
from octoverse.layouts import body_layout
from octoverse.policy import Policy
from octoverse.recipes.octo_base import OCTO_BASE
from octoverse.recipes.octo_small import OCTO_SMALL

FRANKA: Embodiment = registry.load("embodiment", "franka")


def test_it_is_octo_small_with_a_wider_trunk_and_93_million_parameters() -> None:
    statistics = {"franka": random_statistics(FRANKA, np.random.default_rng(0))}
    config = OCTO_BASE.config([FRANKA])
    body_layout(config, config.bodies["franka"])  # is kept, and cannot be made of no numbers
    with torch.device("meta"):
        policy = Policy(config, {"franka": FRANKA}, statistics)
    assert round(sum(one.numel() for one in policy.parameters()) / 1e6) == 93
    trunk, small = config.trunk, OCTO_SMALL.config([FRANKA])
    assert (trunk.width, trunk.layers, trunk.heads, trunk.max_frames) == (768, 12, 12, 10)
    assert (config.tokenizers, config.readouts) == (small.tokenizers, small.readouts)
    assert OCTO_BASE.config([FRANKA], "tiny") == OCTO_SMALL.config([FRANKA], "tiny")
