from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from octoverse.checking import FrameCheck, stale
from octoverse.embodiment import Embodiment
from octoverse.embodiments.passenger_car import PASSENGER_CAR
from octoverse.embodiments.road_car import ROAD_CAR
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.errors import OctoverseError, SpecMismatch, UnknownName
from octoverse.synthetic import random_frame

BODIES = [TABLETOP_ARM, ROAD_CAR]
WRONG = st.sampled_from(
    [
        None,
        3,
        "words",
        np.float32(np.nan),
        np.full(5, np.nan, np.float32),
        np.full(5, np.inf, np.float32),
        np.full(5, 9.0, np.float32),
        np.zeros(5),
        [0.0] * 5,
        np.zeros(4, np.float32),
        np.zeros((96, 96, 3), np.float32),
        np.zeros((3, 96, 96), np.uint8),
        np.zeros((96, 96, 3), np.uint8),
        np.full((8, 3), np.nan, np.float32),
    ]
)


@pytest.mark.parametrize("body", [*BODIES, PASSENGER_CAR], ids=lambda b: b.name)
def test_a_sound_frame_passes_without_a_copy(body: Embodiment) -> None:
    frame = random_frame(body, np.random.default_rng(0))
    checked = FrameCheck(body)(frame)
    assert list(checked) == list(frame)
    for name in body.cameras:
        assert checked[name] is frame[name]


@given(data=st.data(), body=st.sampled_from(BODIES), wrong=WRONG)
def test_it_takes_what_the_body_takes_and_refuses_the_rest(
    data: st.DataObject, body: Embodiment, wrong: Any
) -> None:
    frame = random_frame(body, np.random.default_rng(0))
    frame[data.draw(st.sampled_from([*frame, "stranger"]))] = wrong
    try:
        body.check_frame(frame)
    except OctoverseError as error:
        with pytest.raises(type(error)) as caught:
            FrameCheck(body)(frame)
        assert str(caught.value) == str(error)
    else:
        assert set(FrameCheck(body)(frame)) == set(frame)


def test_numbers_come_out_in_the_types_of_the_wire() -> None:
    frame = random_frame(PASSENGER_CAR, np.random.default_rng(0))
    frame |= {"speed": [3.0], "command": 2, "ego_history": np.zeros((16, 3))}
    checked = FrameCheck(PASSENGER_CAR)(frame)
    assert checked["speed"].dtype == checked["ego_history"].dtype == np.float32
    assert checked["command"].dtype == np.int64
    assert checked["command"].shape == ()


def test_a_frame_that_lacks_something_is_refused_in_words() -> None:
    frame = random_frame(TABLETOP_ARM, np.random.default_rng(0))
    del frame["wrist"]
    with pytest.raises(SpecMismatch, match=r"tabletop_arm.wrist: expected its camera, got nothing"):
        FrameCheck(TABLETOP_ARM)(frame)
    with pytest.raises(UnknownName, match="No stream of 'tabletop_arm' named 'stranger'"):
        FrameCheck(TABLETOP_ARM)({"stranger": 1})


def test_a_stream_is_stale_beyond_the_time_that_it_may_be_from_its_frame() -> None:
    seen = {"table": 900, "wrist": 899, "tool": 1100, "instruction": 0}
    assert stale(TABLETOP_ARM, 1000, seen, 100) == {"wrist"}
    with pytest.raises(SpecMismatch, match=r"tabletop_arm.tool: .* 100 ns after .* got 1101 ns"):
        stale(TABLETOP_ARM, 1000, {"tool": 1101}, 100)
    with pytest.raises(UnknownName, match=r"No stream of 'tabletop_arm' named 'tabel'. Did you"):
        stale(TABLETOP_ARM, 1000, {"tabel": 1000}, 100)
