"""Who shares weights with whom is what the keys say: CrossFormer's way, and HPT's."""

import numpy as np
import torch

from octoverse import registry
from octoverse.batch import Batch, batch_of
from octoverse.cli.check import random_statistics
from octoverse.config import PolicyConfig
from octoverse.embodiment import Embodiment
from octoverse.episode import Observation
from octoverse.policy import Policy
from octoverse.recipes.crossformer import CROSSFORMER
from octoverse.recipes.hpt import HPT
from octoverse.synthetic import random_frame


def load(*names: str) -> list[Embodiment]:
    return [registry.load("embodiment", name) for name in names]


def keys(config: PolicyConfig, body: str) -> tuple[set[str], set[str]]:
    one = config.bodies[body]
    return {use.key for use in one.tokenizers}, {use.key for use in one.readouts}


def learns(config: PolicyConfig, bodies: list[Embodiment], name: str) -> set[str]:
    """The modules that one body's samples pull at."""
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    statistics = {body.name: random_statistics(body, rng) for body in bodies}
    policy = Policy(config, {body.name: body for body in bodies}, statistics)
    policy.loss({name: sample(policy, policy.bodies[name], rng)}).total.backward()
    pulled = [k for k, v in policy.named_parameters() if v.grad is not None and v.grad.any()]
    return {".".join(place.split(".")[: 3 if "positions" in place else 2]) for place in pulled}


def sample(policy: Policy, body: Embodiment, rng: np.random.Generator) -> Batch:
    frame = policy.prepare(body.name, random_frame(body, rng))
    window = Observation(
        embodiment=body.name,
        streams={
            name: value if isinstance(value, str) else np.stack([value] * policy.frames)
            for name, value in frame.items()
        },
        valid={name: np.ones(policy.frames, bool) for name in frame},
    )
    rows = policy.horizons[body.name]
    return Batch(
        batch_of(body, [window], policy.device).streams,
        {name: torch.rand(1, rows[name], group.size) for name, group in body.action.items()},
        {name: torch.ones(1, rows[name], dtype=torch.bool) for name in body.action},
        torch.zeros(1, dtype=torch.int64),
    )


def test_hpt_shares_the_trunk_and_nothing_else() -> None:
    bodies = load("widowx", "tabletop_arm")
    config = HPT.config(bodies, "tiny")
    (ours, heads), (theirs, other_heads) = (keys(config, body.name) for body in bodies)
    assert not ours & theirs and not heads & other_heads
    assert all(key.startswith("widowx/") for key in ours | heads)
    learnt, other = (learns(config, bodies, body.name) for body in bodies)
    assert learnt & other == {"trunk.blocks", "trunk.norm"}


def test_crossformer_shares_by_camera_and_has_a_head_for_each_class_of_actions() -> None:
    bodies = load("widowx", "google_robot_10hz", "aloha")
    config = CROSSFORMER.config(bodies, "tiny")
    one, same, two = (keys(config, body.name) for body in bodies)
    assert one == same == ({"primary/image/goal/instruction"}, {"end effector delta + gripper/4x7"})
    assert two[0] & one[0] == {"primary/image/goal/instruction"} and not two[1] & one[1]
    assert {"left_wrist/image/instruction", "right_wrist/image/instruction"} < two[0]
    assert two[1] == {"joint position + gripper/8x14"}
    shared = learns(config, bodies, "widowx") & learns(config, bodies, "aloha")
    assert "tokenizers.primary/image/goal/instruction" in shared
    assert not any(name.startswith("readouts") for name in shared)
    assert "readouts.end effector delta + gripper/4x7" in learns(
        config, bodies, "google_robot_10hz"
    ) & learns(config, bodies, "widowx")
