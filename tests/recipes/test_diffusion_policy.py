from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from octoverse import registry
from octoverse.acting import LocalPolicy
from octoverse.cli.check import random_statistics
from octoverse.embodiment import Embodiment
from octoverse.errors import BadConfig
from octoverse.policy import Policy
from octoverse.readout import TrunkShape
from octoverse.readouts.diffusion import Diffusion
from octoverse.recipes.diffusion_policy import DIFFUSION_POLICY
from octoverse.synthetic import random_frame

ARM, PLANAR, ALOHA, CAR = (
    registry.load("embodiment", name)
    for name in ("tabletop_arm", "xarm_planar", "aloha", "road_car")
)


def policy(*bodies: Embodiment, size: str = "tiny") -> Policy:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    return Policy(
        DIFFUSION_POLICY.config(bodies, size),
        {body.name: body for body in bodies},
        {body.name: random_statistics(body, rng) for body in bodies},
    ).eval()


def test_at_the_published_size_it_is_as_large_as_lerobot_s() -> None:
    """Which has 262,709,026 parameters for one camera of 96 x 96, two states and two actions."""
    config = DIFFUSION_POLICY.config([PLANAR])
    assert config.trunk.layers == 0
    shape = TrunkShape(width=config.trunk.width, layers=0, heads=config.trunk.heads)
    with torch.device("meta"):
        parts = [module.build(shape.width) for module in config.tokenizers.values()]
        parts += [module.build(shape, 16, 2) for module in config.readouts.values()]
    count = sum(p.numel() for part in parts for p in part.parameters())
    assert count == pytest.approx(262_709_026, rel=0.02)


@pytest.mark.parametrize("body", [ARM, ALOHA, CAR], ids=lambda body: body.name)
def test_it_acts_for_any_body_that_sees(body: Embodiment) -> None:
    robot = LocalPolicy(policy(body), body.name)
    chunk = robot.act(random_frame(body, np.random.default_rng(1)))
    for name, group in body.action.items():
        assert chunk.action[name].shape[-1] == group.size
        assert np.isfinite(chunk.action[name]).all()


def test_every_part_of_what_it_sees_matters() -> None:
    made, rng = policy(ARM), np.random.default_rng(1)
    (head,) = made.readouts.values()
    assert isinstance(head, Diffusion)
    head.inference_steps = 1  # untrained, more of them would only tell which way it drifts
    frame, other = random_frame(ARM, rng), random_frame(ARM, rng)

    def deltas(seen: dict[str, Any]) -> np.ndarray:
        return LocalPolicy(made, ARM.name).act(seen).action["arm"]

    for stream in ("table", "wrist", "tool"):
        changed = {**frame, stream: other[stream]}
        assert not np.array_equal(deltas(frame), deltas(changed)), stream
    said = {**frame, "instruction": "something else"}
    assert np.array_equal(deltas(frame), deltas(said))  # one policy, one task


def test_bodies_share_the_camera_and_heads_are_named_by_what_they_make() -> None:
    config = DIFFUSION_POLICY.config([ARM, PLANAR], "tiny")
    assert list(config.tokenizers) == ["camera", "state/tool/5", "state/tool/2"]
    assert list(config.readouts) == ["arm+gripper/16x5/6", "arm/16x2/4"]


def test_fewer_steps_can_be_chosen_when_it_acts() -> None:
    made = policy(PLANAR)
    (head,) = made.readouts.values()
    assert isinstance(head, Diffusion)
    head.sampler, head.inference_steps = "ddim", 5
    frame = random_frame(PLANAR, np.random.default_rng(1))
    assert LocalPolicy(made, PLANAR.name).act(frame).action["arm"].shape == (16, 2)


def test_a_body_that_sees_nothing_is_refused() -> None:
    words = {"instruction": ARM.observation["instruction"]}
    blind = msgspec.structs.replace(ARM, observation=words)
    expected = "diffusion_policy reads cameras and states, and 'tabletop_arm' has neither"
    with pytest.raises(BadConfig, match=expected):
        DIFFUSION_POLICY.config([blind])
