import pytest

from octoverse.embodiments.passenger_car import PASSENGER_CAR
from octoverse.embodiments.road_car import ROAD_CAR
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.errors import BadConfig
from octoverse.recipes.vad import VAD
from octoverse.registry import load


def test_the_published_size_is_that_of_the_source() -> None:
    config = VAD.config([PASSENGER_CAR, ROAD_CAR])
    trunk = config.trunk
    assert (trunk.width, trunk.layers, trunk.heads, trunk.mlp_ratio) == (256, 6, 8, 2)
    assert {key: readout.layers for key, readout in config.readouts.items()} == {
        "path/64/constant_velocity": 2,
        "path/30/constant_velocity": 2,
    }


def test_all_cameras_of_all_cars_share_one_backbone_and_keep_their_own_places() -> None:
    config = VAD.config([PASSENGER_CAR, ROAD_CAR], "tiny")
    for body in (PASSENGER_CAR, ROAD_CAR):
        uses = [use for use in config.bodies[body.name].tokenizers if use.key == "image"]
        assert sorted(use.streams["image"] for use in uses) == sorted(body.cameras)
        assert len({use.place for use in uses}) == len(uses)


def test_it_reads_the_command_where_there_is_one() -> None:
    config = VAD.config([PASSENGER_CAR, ROAD_CAR], "tiny")
    read = {
        name: {stream for use in body.tokenizers for stream in use.streams.values()}
        for name, body in config.bodies.items()
    }
    assert {"command", "ego_history", "speed"} <= read["passenger_car"]
    assert "instruction" not in read["passenger_car"] and "instruction" in read["road_car"]


def test_bodies_that_are_no_cars_are_refused() -> None:
    with pytest.raises(BadConfig, match="'vad' is for cars that make waypoints of what any cam"):
        VAD.config([TABLETOP_ARM])


def test_it_is_found_by_its_name() -> None:
    assert load("recipe", "vad") is VAD
