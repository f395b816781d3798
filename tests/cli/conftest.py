"""A checkpoint of a real policy, untrained and small."""

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from octoverse import checkpoint as checkpoints
from octoverse.cli.check import random_statistics
from octoverse.policy import Policy


@pytest.fixture(scope="session")
def small_checkpoint(small: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its bodies are tabletop_arm and road_car."""
    torch.manual_seed(0)
    random, bodies = np.random.default_rng(0), small.BODIES
    statistics = {name: random_statistics(body, random) for name, body in bodies.items()}
    folder = tmp_path_factory.mktemp("runs") / "small"
    checkpoints.save(Policy(small.config(), bodies, statistics), folder)
    return folder
