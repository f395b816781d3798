import re
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from octoverse.embodiment import (
    AccelerationCurvature,
    ActionGroup,
    Camera,
    Command,
    EgoHistory,
    Embodiment,
    EndEffectorDelta,
    GoalImage,
    Gripper,
    Instruction,
    JointPosition,
    Pedals,
    Route,
    SafeStop,
    State,
    Stream,
    Twist,
    Waypoints,
    check_stream,
    differences,
    kind_of,
    stream_shape,
)
from octoverse.errors import SpecMismatch, UnknownName
from octoverse.synthetic import random_action, random_frame

HOLD = SafeStop(kind="hold")
LETTERS = st.text("abcdefgh_", min_size=1, max_size=6)


def state(**changes: Any) -> State:
    fields: dict[str, Any] = {
        "names": ("x", "turn"),
        "units": ("m", "rad"),
        "low": (-1.0, -3.0),
        "high": (1.0, 3.0),
    }
    return State(**{**fields, **changes})


def body(**changes: Any) -> Embodiment:
    fields: dict[str, Any] = {
        "name": "probe",
        "control_hz": 10.0,
        "observation": {
            "front": Camera(height=8, width=6, role="front"),
            "tool": state(),
            "past": EgoHistory(steps=4, hz=10.0),
            "route": Route(points=5),
            "turn": Command(names=("left", "right"), optional=True),
            "goal": GoalImage(camera="front", height=8, width=6),
            "words": Instruction(),
        },
        "action": {"arm": EndEffectorDelta(), "path": Waypoints(steps=3, hz=10.0)},
        "safe_stop": HOLD,
    }
    return Embodiment(**{**fields, **changes})


@st.composite
def numbers(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.lists(LETTERS, min_size=1, max_size=4, unique=True))
    low = [draw(st.floats(-100, 100)) for _ in names]
    return {
        "names": tuple(names),
        "units": tuple(draw(st.sampled_from(["m", "rad", "m/s", "1"])) for _ in names),
        "low": tuple(low),
        "high": tuple(value + draw(st.floats(0.5, 50)) for value in low),
    }


STREAMS: st.SearchStrategy[Stream] = st.one_of(
    st.builds(Camera, height=st.integers(1, 9), width=st.integers(1, 9), role=LETTERS),
    numbers().map(lambda fields: State(**fields)),
    st.builds(EgoHistory, steps=st.integers(1, 9), hz=st.floats(1, 50)),
    st.builds(Route, points=st.integers(1, 9)),
    st.builds(Command, names=st.lists(LETTERS, min_size=1, unique=True).map(tuple)),
    st.builds(Instruction, optional=st.booleans()),
)
GROUPS: st.SearchStrategy[ActionGroup] = st.one_of(
    numbers().map(lambda fields: JointPosition(**fields)),
    st.builds(Waypoints, steps=st.integers(1, 9), hz=st.floats(1, 50)),
    st.builds(AccelerationCurvature, steps=st.integers(1, 9), hz=st.floats(1, 50)),
    st.sampled_from([Gripper(), Pedals(), Twist(), EndEffectorDelta()]),
)
BODIES = st.builds(
    Embodiment,
    name=LETTERS,
    control_hz=st.floats(0.5, 200) | st.integers(1, 200),
    observation=st.dictionaries(LETTERS, STREAMS, min_size=1, max_size=4),
    action=st.dictionaries(LETTERS, GROUPS, min_size=1, max_size=3),
    safe_stop=st.just(HOLD),
)


@given(BODIES)
def test_a_spec_survives_the_wire_and_means_the_same(one: Embodiment) -> None:
    copy = msgspec.json.decode(msgspec.json.encode(one), type=Embodiment)
    assert copy == one
    assert copy.fingerprint == one.fingerprint
    assert differences(one, copy) == []


@given(BODIES, st.integers(0, 2**32))
def test_every_body_s_random_frame_and_action_fit_it(one: Embodiment, seed: int) -> None:
    rng = np.random.default_rng(seed)
    one.check_frame(random_frame(one, rng))
    one.check_action(random_action(one, rng))


@given(BODIES, st.integers(0, 2**32))
def test_gymnasium_s_spaces_contain_what_fits(one: Embodiment, seed: int) -> None:
    pytest.importorskip("gymnasium")
    rng = np.random.default_rng(seed)
    assert one.observation_space.contains(random_frame(one, rng))
    assert one.action_space.contains(random_action(one, rng))


def test_gymnasium_samples_fit_the_spec() -> None:
    pytest.importorskip("gymnasium")
    space = body().action_space
    space.seed(0)
    for _ in range(20):
        body().check_action(space.sample())


@given(st.integers(1, 2000), st.integers(1, 2000), st.booleans())
def test_camera_size_and_calibration_do_not_change_the_meaning(
    height: int, width: int, calibrated: bool
) -> None:
    camera = Camera(height=height, width=width, role="front", calibrated=calibrated)
    other = body(observation={**body().observation, "front": camera})
    assert other.fingerprint == body().fingerprint
    assert differences(body(), other) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"control_hz": 20.0}, "control_hz: 10.0 here, 20.0 there"),
        (
            {"observation": {**body().observation, "tool": state(units=("mm", "rad"))}},
            "observation.tool.units: ['m', 'rad'] here, ['mm', 'rad'] there",
        ),
        (
            {"observation": {**body().observation, "tool": state(names=("y", "turn"))}},
            "observation.tool.names: ['x', 'turn'] here, ['y', 'turn'] there",
        ),
        (
            {"observation": {**body().observation, "past": EgoHistory(steps=4, hz=5.0)}},
            "observation.past.hz: 10.0 here, 5.0 there",
        ),
        (
            {
                "observation": {
                    **body().observation,
                    "front": Camera(height=8, width=6, role="wrist"),
                }
            },
            "observation.front.role: 'front' here, 'wrist' there",
        ),
        (
            {"action": {**body().action, "path": Waypoints(steps=9, hz=10.0)}},
            "action.path.steps: 3 here, 9 there",
        ),
        ({"action": {"arm": EndEffectorDelta()}}, "action.path: here, missing there"),
        ({"action": {**body().action, "hand": Gripper()}}, "action.hand: there, missing here"),
    ],
)
def test_what_changes_the_meaning_changes_the_fingerprint_and_is_named(
    changes: dict[str, Any], words: str
) -> None:
    other = body(**changes)
    assert other.fingerprint != body().fingerprint
    assert words in differences(body(), other)


def test_another_kind_of_group_under_the_same_name_is_a_difference() -> None:
    other = body(action={**body().action, "arm": Gripper()})
    assert "action.arm.type: 'end_effector_delta' here, 'gripper' there" in differences(
        body(), other
    )


def test_an_absent_optional_stream_is_no_difference_and_a_needed_one_is() -> None:
    seen = dict(body().observation)
    del seen["turn"], seen["words"]
    assert differences(body(), body(observation=seen)) == ["observation.words: here, missing there"]


def test_the_name_and_the_way_to_stop_do_not_change_the_meaning() -> None:
    other = body(name="other", safe_stop=SafeStop(kind="brake"))
    assert other.fingerprint == body().fingerprint


def test_whole_numbers_and_floats_mean_the_same() -> None:
    low, high = (-1, -3), (1, 3)
    other = body(
        control_hz=10, observation={**body().observation, "tool": state(low=low, high=high)}
    )
    assert other.fingerprint == body().fingerprint


def test_the_order_of_streams_does_not_change_the_meaning() -> None:
    seen = body().observation
    other = body(observation={name: seen[name] for name in reversed(seen)})
    assert other.fingerprint == body().fingerprint


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: state(units=("m",)),
            "names, units, low and high must have one length, got 2, 1, 2 and 2",
        ),
        (lambda: Gripper(low=()), "must have one length, got 1, 1, 0 and 1"),
        (
            lambda: state(names=("x", "x")),
            "names must be given, not empty and distinct, got ('x', 'x')",
        ),
        (lambda: Command(names=()), "names must be given, not empty and distinct, got ()"),
        (
            lambda: state(high=(float("inf"), 3.0)),
            "x: low and high must be finite Python floats, low below high, got -1.0 and inf",
        ),
        (lambda: state(low=(-1.0, 4.0)), "turn: low and high must be finite Python floats"),
        (
            lambda: state(low=(np.float64(-1.0), -3.0)),
            "x: low and high must be finite Python floats",
        ),
        (
            lambda: Camera(height=0, width=6, role="front"),
            "height must be a Python number above 0, got 0",
        ),
        (lambda: EgoHistory(steps=4, hz=0.0), "hz must be a Python number above 0, got 0.0"),
        (lambda: Route(points=-1), "points must be a Python number above 0, got -1"),
        (
            lambda: GoalImage(camera="front", height=8, width=0),
            "width must be a Python number above 0",
        ),
        (lambda: Waypoints(steps=0, hz=10.0), "steps must be a Python number above 0, got 0"),
        (
            lambda: AccelerationCurvature(steps=5, hz=float("nan")),
            "hz must be a Python number above 0, got nan",
        ),
        (
            lambda: SafeStop(kind="brake", deceleration=-3.0),
            "deceleration must be a Python number above 0, got -3.0",
        ),
        (lambda: body(control_hz=0.0), "control_hz must be a Python number above 0, got 0.0"),
        (lambda: body(observation={}), "'probe' must see at least one stream and move one group"),
        (lambda: body(action={}), "'probe' must see at least one stream and move one group"),
        (
            lambda: body(action={"hand": Gripper()}, safe_stop=SafeStop(kind="brake")),
            "'probe': safe_stop 'brake' needs a Waypoints action group",
        ),
    ],
)
def test_a_spec_that_makes_no_sense_is_refused(make: Any, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        make()


def test_a_goal_for_a_camera_that_is_not_there_is_refused() -> None:
    goal = GoalImage(camera="frnt", height=8, width=6)
    with pytest.raises(UnknownName, match=r"No camera for 'probe.goal' named 'frnt'. Did you mean"):
        body(observation={**body().observation, "goal": goal})


def frame(**changes: Any) -> dict[str, Any]:
    return {**random_frame(body(), np.random.default_rng(0)), **changes}


PICTURE = np.zeros((8, 6, 3), np.uint8)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"front": PICTURE / 255.0},
            "probe.front: expected uint8 RGB from 0 to 255, got float64. If it is a float image in "
            "[0, 1], send (image * 255).astype('uint8').",
        ),
        ({"front": PICTURE[:4]}, "probe.front: expected shape (8, 6, 3), got (4, 6, 3)."),
        ({"goal": PICTURE[..., 0]}, "probe.goal: expected shape (8, 6, 3), got (8, 6)."),
        ({"tool": np.zeros(3)}, "probe.tool: expected shape (2,) (x, turn), got (3,)."),
        ({"tool": ["0", "1"]}, "probe.tool: expected float32, got <U1."),
        ({"tool": [[0.0], [0.0, 1.0]]}, "probe.tool: expected an array, got a ragged list"),
        (
            {"tool": np.array([0.0, np.nan])},
            "probe.tool[turn]: expected a finite number, got nan. Look for a sensor that was not "
            "ready or a division by zero.",
        ),
        ({"tool": np.array([0.0, 4.0])}, "probe.tool[turn]: expected -3 to 3 rad, got 4 rad."),
        ({"past": np.full((4, 3), np.inf)}, "probe.past[0, 0]: expected a finite number, got inf."),
        ({"past": np.zeros((4, 3), bool)}, "probe.past: expected float32, got bool."),
        ({"route": [[0.0, 1.0]]}, "probe.route: expected shape (5, 2), got (1, 2)."),
        ({"turn": 2}, "probe.turn: expected an index from 0 to 1 (left, right), got 2."),
        ({"turn": -1}, "probe.turn: expected an index from 0 to 1 (left, right), got -1."),
        ({"turn": 0.5}, "probe.turn: expected an integer index, got float64."),
        ({"words": b"go"}, "probe.words: expected words (str), got bytes."),
    ],
)
def test_a_frame_that_does_not_fit_is_refused_in_words(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecMismatch, match=re.escape(words)):
        body().check_frame(frame(**changes))


def test_a_missing_stream_is_refused_unless_it_is_optional() -> None:
    seen = frame()
    del seen["turn"], seen["goal"]
    body().check_frame(seen)
    del seen["past"]
    words = (
        "probe.past: expected its ego history, got nothing. "
        "Send it in every frame, or declare it optional in the embodiment."
    )
    with pytest.raises(SpecMismatch, match=re.escape(words)):
        body().check_frame(seen)


def test_an_unknown_stream_is_refused_with_the_nearest_name() -> None:
    words = "No stream of 'probe' named 'frnt'. Did you mean 'front'?"
    with pytest.raises(UnknownName, match=re.escape(words)):
        body().check_frame(frame(frnt=PICTURE))


def test_an_action_that_does_not_fit_is_refused_in_words() -> None:
    action = random_action(body(), np.random.default_rng(0))
    with pytest.raises(
        SpecMismatch, match=re.escape("probe.path: expected an action, got nothing.")
    ):
        body().check_action({"arm": action["arm"]})
    with pytest.raises(UnknownName, match="No action group of 'probe' named 'leg'"):
        body().check_action({**action, "leg": np.zeros(1)})
    with pytest.raises(SpecMismatch, match=re.escape("probe.path: expected shape (3, 3)")):
        body().check_action({**action, "path": action["path"][:1]})
    with pytest.raises(SpecMismatch, match=re.escape("probe.arm[dz]: expected -0.1 to 0.1 m, got")):
        body().check_action({**action, "arm": np.array([0, 0, 0.3, 0, 0, 0])})


def test_a_rounding_beyond_a_limit_is_forgiven() -> None:
    check_stream("tool", state(), np.array([1.00001, 3.0], np.float32))


@pytest.mark.parametrize("name", body().observation)
def test_the_shape_said_is_the_shape_of_a_value(name: str) -> None:
    assert np.shape(frame()[name]) == stream_shape(body().observation[name])


def test_cameras_are_the_camera_streams_alone() -> None:
    assert list(body().cameras) == ["front"]


def test_kinds_are_told_in_words() -> None:
    assert kind_of(EgoHistory(steps=1, hz=1.0)) == "ego history"
    assert kind_of(EndEffectorDelta()) == "end effector delta"


def test_a_spec_of_an_unknown_kind_is_refused_by_the_decoder() -> None:
    plain = msgspec.to_builtins(body())
    plain["observation"]["front"]["type"] = "lidar"
    with pytest.raises(msgspec.ValidationError, match="Invalid value 'lidar'"):
        msgspec.convert(plain, Embodiment)
