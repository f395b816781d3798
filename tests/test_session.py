import tracemalloc
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from octoverse.embodiment import (
    Camera,
    Command,
    Embodiment,
    Gripper,
    Instruction,
    SafeStop,
    State,
    Waypoints,
)
from octoverse.embodiments.road_car import ROAD_CAR
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.episode import ActionChunk, Calibration, Frame
from octoverse.errors import SpecMismatch, UnknownName
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
    assert counts(session) == [1]
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


@pytest.mark.parametrize("now", [2**63 - 1, np.int64(2**63 - 1)])
def test_a_time_from_the_future_is_survived_by_a_reset(now: int) -> None:
    session = Session(BODY, frames=3)
    for i in range(3):
        session.observe(frame(i), i * STEP)
    session.observe(frame(7), now)
    assert counts(session) == [None, None, 7]
    assert session.observation().observed_at_ns == 2**63 - 1
    words = "a time came from the future by mistake, reset the session"
    with pytest.raises(SpecMismatch, match=words):
        session.observe(frame(8), 3 * STEP)
    session.reset()
    session.observe(frame(8), 3 * STEP)
    assert counts(session) == [None, None, 8]


def test_a_clock_set_back_is_refused_until_the_reset() -> None:
    session = Session(BODY, frames=2)
    session.observe(frame(1), 0)
    for at in (-1, np.iinfo(np.int64).min):
        with pytest.raises(SpecMismatch, match=r"from 0 ns on, got -\d+ ns. Use a monotonic clock"):
            session.observe(frame(2), at)
    session.observe(frame(3), STEP)
    assert counts(session) == [1, 3]


@pytest.mark.parametrize(("before", "valid"), [(0.05, True), (0.06, False), (-0.05, True)])
def test_a_stream_that_was_seen_long_before_its_frame_is_invalid_there(
    before: float, valid: bool
) -> None:
    session, late = Session(BODY, frames=2), round(before * 1e9)
    session.observe(frame(1), STEP, seen={"eye": STEP})
    session.observe(frame(2), 2 * STEP, seen={"eye": 2 * STEP - late, "instruction": 0})
    seen = session.observation()
    assert seen.valid["eye"].tolist() == [True, valid]
    assert seen.streams["eye"][1].any() == valid
    assert seen.valid["count"].all()
    session.observe(frame(3), 3 * STEP)
    assert session.observation().valid["eye"].tolist() == [valid, True]


def test_words_have_no_time() -> None:
    session = Session(BODY)
    session.observe(frame(1, instruction="go"), STEP, seen={"instruction": 0})
    assert session.observation().streams["instruction"] == "go"


def test_times_of_streams_that_cannot_be_are_refused_and_change_nothing() -> None:
    session = Session(BODY)
    session.observe(frame(1), 0)
    words = r"toy.eye: expected it to be seen at most 50000000 ns after its frame, which is of 1000"
    with pytest.raises(SpecMismatch, match=words):
        session.observe(frame(2), STEP, seen={"eye": STEP + STEP // 2 + 1})
    with pytest.raises(UnknownName, match=r"No stream of 'toy' named 'eyes'. Did you mean 'eye'"):
        session.observe(frame(2), STEP, seen={"eyes": STEP})
    assert counts(session) == [1]


def test_two_robots_of_one_body_never_touch() -> None:
    sessions = [Session(BODY, frames=2) for _ in range(2)]
    for i in range(3):
        for robot, session in enumerate(sessions):
            session.observe(frame(10 * robot + i, instruction=f"robot {robot}"), i * STEP)
            session.memory["last"] = session.memory["instruction"]["keys"] = robot
            session.answered(chunk_of(i * STEP, first=robot))
    assert [counts(session) for session in sessions] == [[1, 2], [11, 12]]
    sessions[1].observe(frame(13, instruction="something else"), 3 * STEP)
    for robot, session in enumerate(sessions):
        assert session.memory["last"] == robot
        assert session.prefix(0, 0, 1)["gripper"][0, 0] == robot
    assert sessions[0].memory["instruction"] == {"keys": 0}
    sessions[1].reset()
    assert counts(sessions[0]) == [1, 2]
    assert sessions[0].prefix(0, 0, 1)


@pytest.mark.parametrize("frames", [1, 3])
def test_what_a_window_takes_up_is_told_and_bounded_however_fast_frames_come(frames: int) -> None:
    session, one = Session(BODY, frames=frames), 12 + 4 + 2
    assert session.window_bytes == 0
    session.observe(frame(1, instruction="go"), 0)
    assert session.window_bytes == one
    most = 0
    for i in range(5_000):
        session.observe(frame(i, instruction="go"), i * STEP // 500)
        most = max(most, session.window_bytes)
    assert most <= one * (1 if frames == 1 else (frames - 1 / 2) * 16 + 2)
    session.reset()
    assert session.window_bytes == 0


def test_a_frame_does_not_keep_a_message_of_which_it_is_a_small_part(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    message = memoryview(bytes(100_000))
    small = np.ndarray((2, 2, 3), np.uint8, message, 64)
    session = Session(BODY)
    session.observe({"eye": small, "count": np.ndarray((1,), np.float32, message)}, 0)
    seen = session.observation().streams
    assert not np.may_share_memory(seen["eye"], small)
    assert not np.may_share_memory(seen["count"], np.frombuffer(message, np.uint8))
    monkeypatch.setattr("octoverse.session._FEW", 8)
    most = np.ndarray((2, 2, 3), np.uint8, memoryview(bytes(16)), 0)
    session.observe({**frame(1), "eye": most}, STEP)
    assert np.may_share_memory(session.observation().streams["eye"], most)


def chunk_of(at_ns: int, first: float = 0.0) -> ActionChunk:
    rows = np.arange(5, dtype=np.float32)[:, None] / 10 + first
    return ActionChunk(embodiment="toy", action={"gripper": rows}, observed_at_ns=at_ns)


def test_rows_of_an_answer_that_are_executed_anyway_are_given_for_the_next() -> None:
    session = Session(BODY)
    session.answered(chunk_of(7))
    assert session.prefix(7, 1, 2)["gripper"][:, 0].tolist() == pytest.approx([0.1, 0.2])
    assert session.prefix(7, 3, 9)["gripper"][:, 0].tolist() == pytest.approx([0.3, 0.4])
    assert session.prefix(7, 5, 2) == session.prefix(7, 0, 0) == session.prefix(8, 0, 2) == {}
    assert session.prefix(7, 2**63 - 1, 2**63 - 1) == {}
    session.reset()
    assert session.prefix(7, 1, 2) == {}


def test_the_last_few_answers_are_known() -> None:
    session = Session(BODY)
    for at in range(6):
        session.answered(chunk_of(at))
    assert [bool(session.prefix(at, 0, 1)) for at in range(6)] == [False] * 2 + [True] * 4
    session.answered(chunk_of(5, first=0.5))
    assert session.prefix(5, 0, 1)["gripper"][0, 0] == 0.5


def test_rows_of_a_path_are_not_given() -> None:
    body = msgspec.structs.replace(BODY, action={**BODY.action, "path": Waypoints(steps=5, hz=10)})
    session, chunk = Session(body), chunk_of(0)
    path = np.zeros((5, 3), np.float32)
    session.answered(replace(chunk, action={**chunk.action, "path": path}))
    assert set(session.prefix(0, 0, 2)) == {"gripper"}


@pytest.mark.parametrize("body", [TABLETOP_ARM, ROAD_CAR], ids=lambda body: body.name)
def test_a_thousand_idle_sessions_cost_little(body: Embodiment) -> None:
    look = Calibration(
        intrinsics=(90.0, 0, 48, 0, 90.0, 48, 0, 0, 1),
        extrinsics=tuple(np.eye(4).ravel().tolist()),
    )
    spec = msgspec.msgpack.encode(body)

    def made() -> Session:  # every robot sends its own spec
        own = msgspec.msgpack.decode(spec, type=Embodiment)
        return Session(own, frames=2, calibration=dict.fromkeys(body.cameras, look))

    made()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        kept = [made() for _ in range(1000)]
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(kept) == 1000
    assert after - before < 25e6
