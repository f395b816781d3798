import msgspec
import pytest

from octoverse.embodiment import Camera, EgoHistory, Gripper, Instruction, State, Stream, Waypoints
from octoverse.embodiments.dobot_cr5 import DOBOT_CR5
from octoverse.embodiments.passenger_car import PASSENGER_CAR
from octoverse.embodiments.road_car import ROAD_CAR
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.embodiments.unitree_g1 import UNITREE_G1
from octoverse.embodiments.widowx import WIDOWX
from octoverse.training.new_body.likeness import (
    ALIKE,
    NEAR,
    SAME,
    UNLIKE,
    codec_fits,
    groups_like,
    moves_alike,
    nearest,
    streams_like,
)


def camera(role: str, side: int = 64) -> Camera:
    return Camera(height=side, width=side, role=role)


def state(*names: str, unit: str = "m") -> State:
    count = len(names)
    return State(names=names, units=(unit,) * count, low=(-1.0,) * count, high=(1.0,) * count)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (camera("wrist"), camera("wrist", 480), SAME),
        (camera("wrist"), camera("left_wrist"), NEAR),
        (camera("wrist"), camera("front"), ALIKE),
        (camera("wrist"), Instruction(), UNLIKE),
        (Instruction(), Instruction(optional=True), SAME),
        (state("x", "y"), state("x", "y"), SAME),
        (state("x", "y"), state("x", "z"), UNLIKE),
        (state("x", "y"), state("x", "y", unit="rad"), UNLIKE),
        (EgoHistory(steps=8, hz=4.0), EgoHistory(steps=8, hz=4.0), SAME),
        (EgoHistory(steps=8, hz=4.0), EgoHistory(steps=8, hz=10.0), UNLIKE),
    ],
)
def test_streams_are_like_by_what_they_mean(one: Stream, other: Stream, expected: int) -> None:
    assert streams_like(one, other) == streams_like(other, one) == expected


def test_groups_are_like_by_their_numbers_whatever_their_limits() -> None:
    arm = TABLETOP_ARM.action["arm"]
    wider = msgspec.structs.replace(arm, low=(-1.0,) * 4, high=(1.0,) * 4)
    assert groups_like(arm, wider) == SAME
    assert groups_like(arm, WIDOWX.action["arm"]) == ALIKE
    assert groups_like(arm, Gripper()) == UNLIKE
    path = ROAD_CAR.action["path"]
    assert isinstance(path, Waypoints)
    assert groups_like(path, msgspec.structs.replace(path, steps=path.steps + 1)) == ALIKE


def test_the_nearest_body_is_the_one_that_moves_most_alike() -> None:
    others = {body.name: body for body in (ROAD_CAR, UNITREE_G1, WIDOWX)}
    assert nearest(TABLETOP_ARM, others)[0] == "widowx"
    assert nearest(PASSENGER_CAR, others)[0] == "road_car"
    assert moves_alike(DOBOT_CR5, WIDOWX) and not moves_alike(DOBOT_CR5, ROAD_CAR)


@pytest.mark.parametrize(
    ("codec", "fits"),
    [("scaled", True), ("constant_velocity", True), ("relative", False), ("course", True)],
)
def test_a_codec_fits_where_the_body_has_what_it_refers_to(codec: str, fits: bool) -> None:
    assert codec_fits(codec, ROAD_CAR, ("path",)) is fits


def test_a_codec_does_not_fit_where_a_stream_is_lacking_or_numbers_are_others() -> None:
    assert not codec_fits("constant_velocity", TABLETOP_ARM, ("arm",))
    lacking = {k: v for k, v in ROAD_CAR.observation.items() if k != "speed"}
    blind = msgspec.structs.replace(ROAD_CAR, observation=lacking)
    assert not codec_fits("constant_velocity", blind, ("path",))
    assert codec_fits("relative", UNITREE_G1, ("arms", "hands"))
