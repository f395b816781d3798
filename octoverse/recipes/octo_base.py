"""Octo's base model: as octo_small, with a ViT-B as the trunk; 93 M parameters.

Source: Octo Model Team, "Octo", 2024; octo-models/octo, scripts/configs/octo_pretrain_config.py.
What is faithful and what is not is said in octo_small.py.
"""

from collections.abc import Sequence

from octoverse.config import PolicyConfig
from octoverse.embodiment import Embodiment
from octoverse.recipes.architecture import Architecture
from octoverse.recipes.octo_small import TRAINING, VARIATION, octo


def policy(bodies: Sequence[Embodiment], size: str) -> PolicyConfig:
    """Its policy for these bodies."""
    return octo(bodies, "tiny" if size == "tiny" else "base")


OCTO_BASE = Architecture(
    name="octo_base",
    about="Octo: shallow stems with the goal stacked, a ViT-B trunk, a small diffusion head",
    policy=policy,
    sizes=("base", "tiny"),
    example=("widowx", "franka"),
    variation=VARIATION,
    training=TRAINING,
)
