import pytest

from octoverse.embodiments.passenger_car import PASSENGER_CAR
from octoverse.embodiments.road_car import ROAD_CAR
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.errors import BadConfig
from octoverse.recipes.diffusiondrive import DIFFUSIONDRIVE
from octoverse.registry import load


def test_the_published_size_is_that_of_the_source() -> None:
    config = DIFFUSIONDRIVE.config([PASSENGER_CAR, ROAD_CAR])
    assert (config.trunk.width, config.trunk.layers, config.trunk.heads) == (256, 3, 8)
    readout = config.readouts["path/64/constant_velocity"]
    assert (readout.anchors, readout.noised, readout.start) == (20, 50, 8)
    assert (readout.inference_steps, readout.layers, readout.rehearsed) == (2, 2, False)
    assert (readout.confidence_weight, readout.chunk_weight) == (10, 8)
    assert config.tokenizers["image/front"].tokens + 2 * config.tokenizers["image/side"].tokens == (
        8 * 15 + 2 * 8 * 9
    )


def test_it_reads_three_front_cameras_speed_poses_and_the_command() -> None:
    config = DIFFUSIONDRIVE.config([PASSENGER_CAR, ROAD_CAR], "tiny")
    read = {
        name: sorted(stream for use in body.tokenizers for stream in use.streams.values())
        for name, body in config.bodies.items()
    }
    cameras = ["cross_left", "cross_right", "ego_history", "front"]
    assert read["passenger_car"] == sorted([*cameras, "command", "speed"])
    assert read["road_car"] == sorted([*cameras, "instruction", "speed"])


def test_bodies_that_are_no_cars_are_refused() -> None:
    with pytest.raises(BadConfig, match=r"'diffusiondrive' is for cars .* of what front or cross"):
        DIFFUSIONDRIVE.config([TABLETOP_ARM])


def test_it_is_found_by_its_name() -> None:
    assert load("recipe", "diffusiondrive") is DIFFUSIONDRIVE
