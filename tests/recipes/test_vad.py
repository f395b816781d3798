from types import ModuleType

import numpy as np
import pytest

from octoverse.acting import open_session
from octoverse.embodiments.passenger_car import PASSENGER_CAR
from octoverse.embodiments.road_car import ROAD_CAR
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.errors import BadConfig
from octoverse.policy import Policy
from octoverse.recipes.vad import VAD
from octoverse.registry import load
from octoverse.synthetic import random_frame


def test_the_published_size_is_that_of_the_source() -> None:
    config = VAD.config([PASSENGER_CAR, ROAD_CAR])
    trunk = config.trunk
    assert (trunk.width, trunk.layers, trunk.heads, trunk.mlp_ratio) == (256, 6, 8, 2)
    assert {key: readout.layers for key, readout in config.readouts.items()} == {
        "path/64/constant_velocity/4 commands": 2,
        "path/30/constant_velocity/0 commands": 2,
    }


def test_all_cameras_of_all_cars_share_one_backbone_and_keep_their_own_places() -> None:
    config = VAD.config([PASSENGER_CAR, ROAD_CAR], "tiny")
    for body in (PASSENGER_CAR, ROAD_CAR):
        uses = [use for use in config.bodies[body.name].tokenizers if use.key == "image"]
        assert sorted(use.streams["image"] for use in uses) == sorted(body.cameras)
        assert len({use.place for use in uses}) == len(uses)


def test_the_command_chooses_the_path_where_there_is_one() -> None:
    config = VAD.config([PASSENGER_CAR, ROAD_CAR], "tiny")
    read = {
        name: {stream for use in body.tokenizers for stream in use.streams.values()}
        for name, body in config.bodies.items()
    }
    assert {"ego_history", "speed"} <= read["passenger_car"]
    assert "command" not in read["passenger_car"]
    assert {key: one.commands for key, one in config.readouts.items()} == {
        "path/64/constant_velocity/4 commands": 4,
        "path/30/constant_velocity/0 commands": 0,
    }
    assert "instruction" not in read["passenger_car"] and "instruction" in read["road_car"]


def test_another_command_is_another_path_and_none_is_one_of_its_own(small: ModuleType) -> None:
    statistics = {"passenger_car": small.statistics(PASSENGER_CAR)}
    bodies = {"passenger_car": PASSENGER_CAR}
    policy = Policy(VAD.config([PASSENGER_CAR], "tiny"), bodies, statistics).eval()
    assert "command" in policy.reference_streams("passenger_car")
    frame, seen = random_frame(PASSENGER_CAR, np.random.default_rng(0)), []
    for command in (0, 1, None):
        session, given = open_session(policy, PASSENGER_CAR), dict(frame)
        del given["command"]
        if command is not None:
            given["command"] = np.int64(command)
        session.observe(given, 0)
        seen.append(session.observation())
    left, straight, told = (chunk.action["path"] for chunk in policy.act(seen))
    assert not np.allclose(left, straight) and not np.allclose(told, left)
    assert not np.allclose(told, straight)


def test_bodies_that_are_no_cars_are_refused() -> None:
    with pytest.raises(BadConfig, match="'vad' is for cars that make waypoints of what any cam"):
        VAD.config([TABLETOP_ARM])


def test_it_is_found_by_its_name() -> None:
    assert load("recipe", "vad") is VAD
