from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from octoverse.embodiment import Camera, Command, Embodiment, Gripper, Instruction, SafeStop, State
from octoverse.episode import Frame
from octoverse.errors import SpecMismatch
from octoverse.session import Session

BODY = Embodiment(
    name="toy",
    control_hz=10.0,
    observation={
        "eye": Camera(height=2, width=2, role="primary"),
        "spare": Camera(height=4, width=2, role="wrist", optional=True),
        "count": State(names=("count",), units=("1",), low=(-1e6,), high=(1e6,)),
        "gear": Command(names=("back", "on"), optional=True),
        "instruction": Instruction(optional=True),
    },
    action={"gripper": Gripper()},
    safe_stop=SafeStop(kind="hold"),
)
STEP = 100_000_000


def frame(count: float, **more: Any) -> dict[str, Any]:
    eye = np.full((2, 2, 3), int(count) % 256, np.uint8)
    return {"eye": eye, "count": np.array([count], np.float32), **more}


def counts(session: Session) -> list[float | None]:
    seen = session.observation()
    pairs = zip(seen.streams["count"][:, 0], seen.valid["count"], strict=True)
    return [float(value) if valid else None for value, valid in pairs]


def test_a_window_holds_the_newest_frames_oldest_first() -> None:
    session = Session(BODY, frames=3)
    for i in range(5):
        session.observe(frame(i), i * STEP)
    seen = session.observation(seed=7, step=4)
    assert counts(session) == [2, 3, 4]
    assert seen.streams["eye"].shape == (3, 2, 2, 3)
    assert (seen.embodiment, seen.observed_at_ns, seen.seed, seen.step) == ("toy", 4 * STEP, 7, 4)


def test_a_missing_frame_is_invalid_and_zero_and_never_stretched() -> None:
    session = Session(BODY, frames=4)
    for i in (1, 2, 4):
        session.observe(frame(i), i * STEP)
    seen = session.observation()
    assert counts(session) == [1, 2, None, 4]
    assert not seen.streams["eye"][2].any()


def test_before_the_first_frames_the_window_is_invalid() -> None:
    session = Session(BODY, frames=3)
    session.observe(frame(9), 0)
    assert counts(session) == [None, None, 9]


def test_the_spacing_is_kept_whatever_the_rate_of_frames() -> None:
    session = Session(BODY, frames=3, spacing=0.4)
    for i in range(20):
        session.observe(frame(i), i * STEP)
    assert counts(session) == [11, 15, 19]


def test_frames_that_come_faster_than_they_are_needed_stay_bounded() -> None:
    session = Session(BODY, frames=2, spacing=0.1)
    for i in range(10_000):
        session.observe(frame(i), i * STEP // 1000)
    assert len(session._window) < 64
    assert counts(session)[1] == 9_999
    assert abs(counts(session)[0] - 8_999) <= 1000 / 16  # type: ignore[operator]


@given(
    st.lists(st.integers(0, 3 * STEP), min_size=1, max_size=40),
    st.integers(1, 5),
    st.sampled_from([0.05, 0.1, 0.25]),
)
def test_every_place_holds_a_frame_of_its_time_or_none(
    gaps: list[int], frames: int, spacing: float
) -> None:
    session = Session(BODY, frames=frames, spacing=spacing)
    times = np.cumsum(gaps)
    for i, at in enumerate(times):
        session.observe(frame(i), int(at))
    found = counts(session)
    assert found[-1] == len(times) - 1
    for back, index in enumerate(found[::-1]):
        wanted = times[-1] - back * round(spacing * 1e9)
        nearest = np.abs(times - wanted).min()
        if index is None:  # only what had to make room may have been nearer
            assert nearest >= spacing * 1e9 * (1 / 2 - 2 / 16)
        else:
            assert abs(times[int(index)] - wanted) <= spacing * 1e9 / 2 + 1


@pytest.mark.parametrize(("late", "valid"), [(0.04, True), (0.06, False)])
def test_a_frame_counts_up_to_half_a_spacing_from_its_time(late: float, valid: bool) -> None:
    session = Session(BODY, frames=2)
    session.observe(frame(1), 0)
    session.observe(frame(2), round((0.1 + late) * 1e9))
    assert counts(session) == [1 if valid else None, 2]


def test_the_same_time_again_replaces_the_newest_frame() -> None:
    session = Session(BODY, frames=2)
    session.observe(frame(1), 0)
    session.observe(frame(2), STEP)
    session.observe(frame(3), STEP)
    assert counts(session) == [1, 3]


def test_a_frame_older_than_the_newest_is_refused() -> None:
    session = Session(BODY)
    session.observe(frame(1), STEP)
    with pytest.raises(SpecMismatch, match=r"order of time, from 100000000 ns on, got 99999999 ns"):
        session.observe(frame(2), STEP - 1)
    session.reset()
    session.observe(frame(2), STEP - 1)
    assert counts(session) == [2]


def test_an_optional_stream_that_never_comes_is_zero_and_invalid() -> None:
    session = Session(BODY, frames=2)
    session.observe(frame(1), 0)
    seen = session.observation()
    assert seen.streams["spare"].shape == (2, 4, 2, 3)
    assert seen.streams["gear"].shape == (2,)
    assert seen.streams["instruction"] == ""
    assert not any(seen.valid[name].any() for name in ("spare", "gear", "instruction"))


def test_a_stream_counts_where_it_came() -> None:
    session = Session(BODY, frames=2)
    session.observe(frame(1, gear=np.int64(1)), 0)
    session.observe(frame(2, instruction="go"), STEP)
    seen = session.observation()
    assert seen.valid["gear"].tolist() == [True, False]
    assert seen.streams["gear"].tolist() == [1, 0]
    assert seen.streams["instruction"] == "go"
    assert seen.valid["instruction"].tolist() == [True, True]


@pytest.mark.parametrize("frames", [1, 2])
def test_a_caller_may_use_its_buffer_again(frames: int) -> None:
    session = Session(BODY, frames=frames)
    buffer = frame(1)
    session.observe(buffer, 0)
    buffer["eye"][:] = 99
    assert (session.observation().streams["eye"][-1] == 1).all()


def test_frames_are_prepared_once_each_before_they_are_kept() -> None:
    calls = []

    def halve(one: Frame) -> Frame:
        calls.append(one)
        return {**one, "eye": one["eye"][:1, :1]}

    streams = {**BODY.observation, "eye": Camera(height=1, width=1, role="primary")}
    session = Session(BODY, frames=2, prepare=halve, streams=streams)
    for i in range(3):
        session.observe(frame(i), i * STEP)
        seen = session.observation()
    assert len(calls) == 3
    assert seen.streams["eye"].shape == (2, 1, 1, 3)


def test_a_stream_that_the_window_does_not_hold_is_neither_prepared_nor_kept() -> None:
    def only(one: Frame) -> Frame:
        assert set(one) == {"count"}
        return one

    session = Session(BODY, prepare=only, streams={"count": BODY.observation["count"]})
    session.observe(frame(1), 0)
    assert set(session.observation().streams) == {"count"}


def test_what_prepare_gives_must_fit_the_window() -> None:
    session = Session(BODY, prepare=lambda one: {**one, "eye": one["eye"].astype(np.float32)})
    with pytest.raises(SpecMismatch, match=r"toy.eye: expected uint8 \(2, 2, 3\) in the window"):
        session.observe(frame(1), 0)


def test_a_frame_that_does_not_fit_the_body_changes_nothing() -> None:
    session = Session(BODY)
    session.observe(frame(1), 0)
    with pytest.raises(SpecMismatch, match=r"toy.count\[count\]: expected a finite number"):
        session.observe({**frame(2), "count": np.array([np.nan])}, STEP)
    assert counts(session) == [1]


def test_memory_of_the_instruction_goes_when_it_changes_and_the_rest_stays() -> None:
    session = Session(BODY)
    session.observe(frame(1, instruction="left"), 0)
    session.memory["last"] = 1
    session.memory["instruction"]["keys"] = "of left"
    before = session.memory
    session.observe(frame(2, instruction="left"), STEP)
    assert session.memory["instruction"] == {"keys": "of left"}
    session.observe(frame(3, instruction="right"), 2 * STEP)
    assert session.memory["last"] == 1
    assert session.memory["instruction"] == {}
    before["instruction"]["keys"] = "written by a call that is still at work"
    assert session.memory["instruction"] == {}


def test_reset_forgets_window_and_memory() -> None:
    session = Session(BODY, frames=2)
    session.observe(frame(1), 0)
    session.memory["last"] = 1
    session.reset()
    assert "last" not in session.memory
    with pytest.raises(ValueError, match="must observe a frame before"):
        session.observation()


def test_memory_that_outgrows_its_bound_is_dropped() -> None:
    session = Session(BODY, memory_bytes=1000)
    session.observe(frame(1), 0)
    session.memory["keys"] = [np.zeros(200, np.uint8), {"deep": (b"x" * 700, "y" * 100)}]
    session.observation()
    assert session.memory_dropped == 0
    session.memory["more"] = np.zeros(1, np.uint8)
    session.observation()
    assert session.memory_dropped == 1
    assert "keys" not in session.memory


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="frames must be at least 1, got 0"):
        Session(BODY, frames=0)
    with pytest.raises(ValueError, match="spacing must be above 0 s, got 0 s"):
        Session(BODY, spacing=0)


def test_an_observation_carries_what_the_answer_must_begin_with() -> None:
    session, rows = Session(BODY), np.ones((2, 1), np.float32)
    session.observe(frame(1), 0)
    assert not session.observation().prefix
    assert session.observation(prefix={"gripper": rows}).prefix["gripper"] is rows


def test_the_window_tells_its_size() -> None:
    session = Session(BODY, frames=2)
    assert session.window_bytes == 0
    session.observe(frame(1, instruction="go"), STEP)
    session.observe(frame(2), 2 * STEP)
    numbers = session.observation().streams["count"][0].nbytes
    assert session.window_bytes == 2 * (2 * 2 * 3 + numbers) + len("go")
