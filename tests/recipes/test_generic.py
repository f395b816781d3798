from types import ModuleType

import msgspec
import numpy as np
import pytest
import torch

from octoverse.acting import open_session
from octoverse.embodiment import Embodiment
from octoverse.embodiments.passenger_car import PASSENGER_CAR
from octoverse.embodiments.road_car import ROAD_CAR
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.embodiments.widowx import WIDOWX
from octoverse.policy import Policy
from octoverse.preprocess import PreprocessConfig
from octoverse.recipes.generic import policy_config
from octoverse.registry import load, names
from octoverse.synthetic import random_frame

EVERY = [load("embodiment", name) for name in names("embodiment")]


def built(small: ModuleType, *bodies: Embodiment, **settings: object) -> Policy:
    torch.manual_seed(0)
    return Policy(
        policy_config(*bodies, **settings),  # type: ignore[arg-type]
        {body.name: body for body in bodies},
        {body.name: small.statistics(body) for body in bodies},
    ).eval()


def test_one_policy_of_all_bodies_acts_for_all_of_them_in_one_call(small: ModuleType) -> None:
    policy, seen = built(small, *EVERY, horizon=5), []
    for body in EVERY:
        session = open_session(policy, body)
        session.observe(random_frame(body, np.random.default_rng(0)), 0)
        seen.append(session.observation())
    for body, chunk in zip(EVERY, policy.act(seen), strict=True):
        assert chunk.embodiment == body.name
        assert {k: len(v) for k, v in chunk.action.items()} == policy.horizons[body.name]


@pytest.mark.parametrize("body", EVERY, ids=lambda body: body.name)
def test_every_action_group_has_a_readout_and_every_camera_a_tokenizer(body: Embodiment) -> None:
    config = policy_config(body)
    made = [group for use in config.bodies[body.name].readouts for group in use.groups]
    read = {s for use in config.bodies[body.name].tokenizers for s in use.streams.values()}
    assert sorted(made) == sorted(body.action)
    assert set(body.cameras) <= read


def test_cameras_of_one_role_share_a_tokenizer_across_bodies() -> None:
    config = policy_config(TABLETOP_ARM, WIDOWX)
    arm, widow = config.bodies["tabletop_arm"], config.bodies["widowx"]
    table = next(use for use in arm.tokenizers if use.streams.get("image") == "table")
    primary = next(use for use in widow.tokenizers if use.streams.get("image") == "primary")
    assert table.key == primary.key == "image/primary"


def test_two_cameras_of_one_role_share_weights_and_keep_their_own_places(
    small: ModuleType,
) -> None:
    twice = {**TABLETOP_ARM.observation, "second": TABLETOP_ARM.observation["table"]}
    arm = msgspec.structs.replace(TABLETOP_ARM, name="watched_arm", observation=twice)
    uses = policy_config(arm).bodies["watched_arm"].tokenizers
    one, other = (use for use in uses if use.streams.get("image") in ("table", "second"))
    assert one.key == other.key and one.place != other.place
    assert one.place in built(small, arm).layouts["watched_arm"].groups


def test_cars_of_one_horizon_share_the_readout_unless_their_speed_is_unknown(
    small: ModuleType,
) -> None:
    blind = msgspec.structs.replace(
        ROAD_CAR,
        name="blind_car",
        observation={k: v for k, v in ROAD_CAR.observation.items() if k != "speed"},
    )
    config = policy_config(ROAD_CAR, blind)
    [driven] = config.bodies["road_car"].readouts
    [guessed] = config.bodies["blind_car"].readouts
    assert config.readouts[driven.key].codec == "constant_velocity"
    assert config.readouts[guessed.key].codec == "scaled"
    again = policy_config(blind, ROAD_CAR)
    assert again.readouts == config.readouts
    policy, seen = built(small, ROAD_CAR, blind), []
    for body in (ROAD_CAR, blind):
        session = open_session(policy, body)
        session.observe(random_frame(body, np.random.default_rng(0)), 0)
        seen.append(session.observation())
    assert [chunk.embodiment for chunk in policy.act(seen)] == ["road_car", "blind_car"]


def test_two_groups_of_one_kind_have_a_readout_each(small: ModuleType) -> None:
    both = msgspec.structs.replace(
        TABLETOP_ARM,
        name="two_hands",
        action={
            "left": TABLETOP_ARM.action["gripper"],
            "right": TABLETOP_ARM.action["gripper"],
        },
    )
    keys = [use.key for use in policy_config(both).bodies["two_hands"].readouts]
    assert len(set(keys)) == 2
    assert set(built(small, both).horizons["two_hands"]) == {"left", "right"}


def test_images_have_the_sizes_that_are_asked_for() -> None:
    config = policy_config(PASSENGER_CAR, preprocess=PreprocessConfig(height=32, width=96))
    sizes = {one.tokens for key, one in config.tokenizers.items() if key.startswith("image")}
    assert sizes == {2 * 6}
