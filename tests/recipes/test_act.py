from typing import Any

import numpy as np
import pytest
import torch

from octoverse import registry
from octoverse.acting import LocalPolicy
from octoverse.batch import Batch, batch_of
from octoverse.cli.check import random_statistics
from octoverse.embodiment import Camera, Embodiment, JointPosition, SafeStop, State
from octoverse.policy import Policy
from octoverse.recipes.act import ACT
from octoverse.synthetic import random_action, random_frame

RNG = np.random.default_rng(0)
LEROBOT = 51_613_582
"""Parameters of LeRobot 0.4.4's ACT for one camera, 14 joints and 14 actions, counted by itself."""


def policy(bodies: list[Embodiment], size: str) -> Policy:
    torch.manual_seed(0)
    known = {body.name: body for body in bodies}
    statistics = {name: random_statistics(body, RNG) for name, body in known.items()}
    return Policy(ACT.config(bodies, size), known, statistics)


def test_it_has_the_parameters_of_lerobot_s() -> None:
    numbers: dict[str, Any] = {
        "names": tuple(f"joint_{i}" for i in range(14)),
        "units": ("rad",) * 14,
        "low": (-3.0,) * 14,
        "high": (3.0,) * 14,
    }
    body = Embodiment(
        name="two_arms",
        control_hz=50.0,
        observation={
            "top": Camera(height=480, width=640, role="primary"),
            "joints": State(**numbers),
        },
        action={"joints": JointPosition(**numbers)},
        safe_stop=SafeStop(kind="hold"),
    )
    count = sum(weight.numel() for weight in policy([body], "base").parameters())
    assert count == pytest.approx(LEROBOT, rel=0.02)


def test_its_sizes_are_the_published_ones() -> None:
    aloha = registry.load("embodiment", "aloha")
    made = ACT.config([aloha])
    trunk, decoder = made.trunk, made.readouts["joints+grippers/100x14"]
    assert (trunk.width, trunk.layers, trunk.heads, trunk.mlp_ratio * 512) == (512, 4, 8, 3200)
    assert (decoder.width, decoder.heads, decoder.feed_forward) == (512, 8, 3200)
    assert (decoder.encoder_layers, decoder.decoder_layers, decoder.latent) == (4, 1, 32)
    assert decoder.kl_weight == 10 and made.bodies["aloha"].horizon == 100
    keys = [use.key for use in made.bodies["aloha"].tokenizers]
    assert keys == ["camera"] * 4 + ["state/joints/12", "state/grippers/2"]
    assert made.tokenizers["camera"].tokens == 49


def test_two_bodies_share_the_camera_learn_and_act() -> None:
    bodies = [registry.load("embodiment", name) for name in ACT.example]
    made, batches, seen = policy(bodies, "tiny"), {}, []
    for body in bodies:
        robot, windows = LocalPolicy(made, body.name), []
        for step in range(2):
            robot.reset()
            robot.observe(random_frame(body, RNG))
            windows.append(robot.session.observation(seed=0, step=step))
        inputs = batch_of(body, windows, made.device)
        rows = [[random_action(body, RNG) for _ in range(8)] for _ in range(2)]
        action = {
            group: torch.tensor(np.array([[row[group] for row in one] for one in rows]))
            for group in body.action
        }
        real = {group: torch.ones(2, 8, dtype=torch.bool) for group in body.action}
        batches[body.name] = Batch(inputs.streams, action, real, inputs.seeds)
        seen.append(windows[0])
    optimizer, losses = torch.optim.AdamW(made.parameters(), 1e-3), []
    for _ in range(20):
        loss = made.loss(batches).total
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2
    for body, chunk in zip(bodies, made.eval().act(seen), strict=True):
        for group, values in chunk.action.items():
            assert values.shape == (8, body.action[group].size)
