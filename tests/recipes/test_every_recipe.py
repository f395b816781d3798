"""Every published system, at its tiny size, from building to serving, on two bodies of its kind."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from octoverse import checkpoint, registry
from octoverse.acting import LocalPolicy, RobotPolicy
from octoverse.batch import Batch, training_batch
from octoverse.data.cutting import cut_all
from octoverse.data.source import check_index
from octoverse.data.statistics import statistics_of
from octoverse.data.weighted import Weighted
from octoverse.data.windows import StackedWindows
from octoverse.embodiment import Camera, Embodiment, GoalImage
from octoverse.episode import Action, Episode
from octoverse.policy import Policy
from octoverse.recipes.architecture import Architecture
from octoverse.servers.client import Client
from octoverse.servers.zeromq import Server
from octoverse.synthetic import random_episode, random_frame
from octoverse.training.fit import fit_readouts
from octoverse.training.loop import window_spec

RECIPES = {name: registry.load("recipe", name) for name in registry.names("recipe")}
SYSTEMS = {name: one for name, one in RECIPES.items() if isinstance(one, Architecture)}
STEPS, SAMPLES, SIDE = 30, 2, 64


@dataclass(frozen=True, kw_only=True)
class Made:
    """One synthetic episode of a body."""

    body: Embodiment
    made: Episode
    name: str = "synthetic"

    @property
    def embodiment(self) -> str:
        return self.body.name

    def __len__(self) -> int:
        return 1

    def lengths(self) -> np.ndarray:
        return np.array([len(self.made)])

    def fingerprint(self) -> str:
        return self.body.name

    def episode(self, index: int) -> Episode:
        check_index(self, index)
        return self.made


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_every_recipe_that_is_offered_is_a_system_or_brings_its_own_data() -> None:
    assert {name for name, one in SYSTEMS.items() if one.name != name} == set()
    assert set(RECIPES) - set(SYSTEMS) == {"demo", "real"}


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_system_is_built_trained_saved_loaded_and_served(name: str, tmp_path: Path) -> None:
    system = SYSTEMS[name]
    bodies = {one: shrunk(registry.load("embodiment", one)) for one in system.example}
    assert len(bodies) == 2
    policy, sources = built(system, bodies)
    batches = {one.embodiment: batch_of(policy, one) for one in sources}
    losses = trained(policy, batches)
    assert losses[-1] < losses[0] / 2, f"{losses[0]:.4f} -> {losses[-1]:.4f}"
    policy.name = name
    checkpoint.save(policy.eval(), tmp_path / name)
    loaded = checkpoint.load(tmp_path / name)
    before = {one: acted(LocalPolicy(policy, body), body) for one, body in bodies.items()}
    for one, body in bodies.items():
        after = acted(LocalPolicy(loaded, body), body)
        assert all(same(a, b) for a, b in zip(before[one], after, strict=True))
    with Server(loaded, address="tcp://127.0.0.1:0") as server:
        for one, body in bodies.items():
            with Client(server.address, body, timeout=30.0) as client:
                served = acted(client, body)
            # The server computes in a thread of its own, whose sums may be ordered otherwise.
            assert all(same(a, b, 1e-5) for a, b in zip(before[one], served, strict=True))


def built(system: Architecture, bodies: Mapping[str, Embodiment]) -> tuple[Policy, list[Made]]:
    """The policy with what its readouts learn beforehand, and its data."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    sources = [Made(body=one, made=random_episode(one, 16, rng)) for one in bodies.values()]
    statistics = {one.embodiment: statistics_of(one) for one in sources}
    config = system.config(list(bodies.values()), "tiny")
    policy = Policy(config, bodies, statistics)
    fit_readouts(policy, [Weighted(source=one) for one in sources], dict.fromkeys(bodies), seed=0)
    return policy, sources


def batch_of(policy: Policy, source: Made) -> Batch:
    """The same few samples in every step, from all over the episode."""
    name, steps = source.embodiment, list(range(0, len(source.made), len(source.made) // SAMPLES))
    spec = window_spec(policy, name)
    windows = cut_all(source.made, steps, source.body, spec, policy.preprocess)
    stacked = StackedWindows.from_windows(windows)
    stacked = replace(stacked, seeds=np.arange(len(stacked)))
    return training_batch(source.body, stacked, policy.device)


def trained(policy: Policy, batches: Mapping[str, Batch]) -> list[float]:
    """The loss of every step, and after the last."""
    optimizer, losses = torch.optim.AdamW(policy.train().parameters(), 2e-3), []
    for _ in range(STEPS):
        loss = policy.loss(batches).total
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    with torch.no_grad():
        return [*losses, policy.loss(batches).total.item()]


def acted(robot: RobotPolicy, body: Embodiment) -> list[Action]:
    """What a robot is told at three moments."""
    rng = np.random.default_rng(1)
    step = round(1e9 / body.control_hz)
    return [
        robot.act(random_frame(body, rng), observed_at_ns=i * step, seed=5).action for i in range(3)
    ]


def same(one: Action, other: Action, tolerance: float = 0.0) -> bool:
    return one.keys() == other.keys() and all(
        np.allclose(value, other[group], rtol=tolerance, atol=tolerance)
        for group, value in one.items()
    )


def shrunk(body: Embodiment) -> Embodiment:
    """The body with small pictures, which take less time to make up."""
    seen: dict[str, Any] = {
        name: msgspec.structs.replace(stream, height=SIDE, width=SIDE)
        if isinstance(stream, Camera | GoalImage)
        else stream
        for name, stream in body.observation.items()
    }
    return msgspec.structs.replace(body, observation=seen)
