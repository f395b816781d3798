"""A real policy, untrained and small, as a checkpoint and behind a server; made-up rollouts."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from octoverse import checkpoint as checkpoints
from octoverse.cli.check import random_statistics
from octoverse.evaluation.rollout import Rollout
from octoverse.policy import Policy
from octoverse.servers.zeromq import Server


@pytest.fixture(scope="session")
def policy(small: ModuleType) -> Policy:
    """Its actions are sampled, so that seeds matter."""
    torch.manual_seed(0)
    random, bodies = np.random.default_rng(0), small.BODIES
    statistics = {name: random_statistics(body, random) for name, body in bodies.items()}
    return Policy(small.config("flow"), bodies, statistics).eval()


@pytest.fixture(scope="session")
def checkpoint(policy: Policy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "small"
    checkpoints.save(policy, folder)
    return folder


@pytest.fixture(scope="session")
def server(policy: Policy) -> Iterator[Server]:
    with Server(policy, address="tcp://127.0.0.1:0") as serving:
        yield serving


@pytest.fixture(scope="session")
def rollout() -> Callable[..., Rollout]:
    """Makes one up."""

    def make(**changes: Any) -> Rollout:
        plain: dict[str, Any] = {
            "environment": "tabletop-lift",
            "seed": 0,
            "instruction": "lift the red cube",
            "success": True,
            "steps": 20,
            "seconds": 1.5,
            "metrics": {"height": 0.06},
            "executed": 2,
            "latencies_ms": (4.0, 6.0),
        }
        return Rollout(**(plain | changes))

    return make
