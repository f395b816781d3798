from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from octoverse.acting import (
    ActingPolicy,
    LocalPolicy,
    RobotPolicy,
    check_chunk,
    check_present,
    open_session,
)
from octoverse.embodiment import Embodiment
from octoverse.embodiments.road_car import ROAD_CAR
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.episode import ActionChunk, Calibration, Frame, Observation
from octoverse.errors import SpecMismatch, UnknownName
from octoverse.session import Session
from octoverse.synthetic import random_frame

HORIZONS = {"arm": 4, "gripper": 4}
FRAME = random_frame(TABLETOP_ARM, np.random.default_rng(0))


class Tracing:
    """Answers with the seed, the step and what it remembers."""

    model, statistics = "tracing", "none"
    frames, spacing = 2, 0.2
    bodies: Mapping[str, Embodiment] = {"tabletop_arm": TABLETOP_ARM}
    horizons: Mapping[str, Mapping[str, int]] = {"tabletop_arm": HORIZONS}
    camera_sizes: Mapping[str, Mapping[str, tuple[int, int]]] = {"tabletop_arm": {"table": (8, 6)}}

    seen: Observation

    def prepare(self, body: str, frame: Frame) -> Frame:
        assert body == "tabletop_arm"
        return {**frame, "table": frame["table"][:8, :6]}

    def act(
        self, observations: Sequence[Observation], memories: Sequence[dict[str, Any]]
    ) -> list[ActionChunk]:
        [seen], [memory] = observations, memories
        self.seen = seen
        memory["calls"] = memory.get("calls", 0) + 1
        numbers = [seen.seed, seen.step, memory["calls"], seen.valid["tool"].sum()]
        return [
            ActionChunk(
                embodiment="tabletop_arm",
                action={
                    "arm": np.tile(np.array(numbers, np.float32), (4, 1)),
                    "gripper": np.ones((4, 1), np.float32),
                },
                observed_at_ns=seen.observed_at_ns,
            )
        ]


def chunk(**changes: Any) -> ActionChunk:
    return replace(
        ActionChunk(
            embodiment="tabletop_arm",
            action={"arm": np.zeros((4, 4), np.float32), "gripper": np.ones((4, 1), np.float32)},
            observed_at_ns=5,
        ),
        **changes,
    )


def test_a_local_policy_counts_steps_and_keeps_window_and_memory() -> None:
    local = LocalPolicy(Tracing(), "tabletop_arm")
    local.reset(seed=9)
    first = local.act(FRAME, observed_at_ns=0)
    local.observe(FRAME, observed_at_ns=100_000_000)
    second = local.act(FRAME, observed_at_ns=200_000_000)
    assert first.action["arm"][0].tolist() == [9, 0, 1, 1]
    assert second.action["arm"][0].tolist() == [9, 1, 2, 2]
    assert local.act(FRAME, observed_at_ns=300_000_000, seed=3).action["arm"][0, 0] == 3
    local.reset()
    assert local.act(FRAME, observed_at_ns=0).action["arm"][0].tolist() == [0, 0, 1, 1]


def test_a_local_policy_begins_with_the_rows_that_are_executed_anyway() -> None:
    local = LocalPolicy(policy := Tracing(), "tabletop_arm")
    assert local.frames == 2
    first = local.act(FRAME, observed_at_ns=0)
    local.act(FRAME, observed_at_ns=1, chunk_ns=0, executed_steps=1, frozen_steps=2)
    assert policy.seen.prefix["arm"].tolist() == first.action["arm"][1:3].tolist()
    local.reset()
    local.act(FRAME, observed_at_ns=1, chunk_ns=0, executed_steps=1, frozen_steps=2)
    assert not policy.seen.prefix


def test_a_stream_that_was_seen_long_before_its_frame_is_missing_from_it() -> None:
    local, spacing = LocalPolicy(Tracing(), "tabletop_arm"), 200_000_000
    for at_ns in (spacing, 2 * spacing):
        chunk = local.act(FRAME, observed_at_ns=at_ns, seen_at_ns={"tool": spacing})
    assert chunk.action["arm"][0].tolist() == [0, 1, 2, 1], "seen in one frame of two"
    local.observe(FRAME, observed_at_ns=3 * spacing, seen_at_ns={"tool": spacing})
    assert local.session.observation().valid["tool"].tolist() == [False, False]


def test_time_is_the_clock_s_where_none_is_given() -> None:
    local = LocalPolicy(Tracing(), "tabletop_arm")
    assert local.act(FRAME).observed_at_ns < local.act(FRAME).observed_at_ns


def test_protocols_fit_what_is_written_against_them() -> None:
    assert isinstance(Tracing(), ActingPolicy)
    assert isinstance(LocalPolicy(Tracing(), TABLETOP_ARM), RobotPolicy)


def test_a_session_holds_images_at_the_size_that_the_policy_wants() -> None:
    session = open_session(Tracing(), TABLETOP_ARM)
    session.observe(FRAME, 0)
    seen = session.observation()
    assert seen.streams["table"].shape == (2, 8, 6, 3)
    assert seen.streams["wrist"].shape == (2, 96, 96, 3)
    assert (session.frames, session.spacing) == (2, 0.2)


def test_calibration_stands_in_memory_from_the_start() -> None:
    known = {"table": Calibration(intrinsics=(1.0,) * 9, extrinsics=(0.0,) * 16)}
    local = LocalPolicy(Tracing(), TABLETOP_ARM, known)
    local.reset()
    assert local.session.memory["calibration"] == known


def test_a_body_that_the_policy_does_not_know_is_refused() -> None:
    with pytest.raises(UnknownName, match=r"No body of tracing named 'tabletop_arn'. Did you mean"):
        LocalPolicy(Tracing(), "tabletop_arn")


def test_a_chunk_of_large_numbers_passes() -> None:
    large = {"arm": np.full((4, 4), 3e38, np.float32), "gripper": np.ones((4, 1), np.float32)}
    check_chunk(TABLETOP_ARM, HORIZONS, chunk(action=large), 5)


def test_a_sound_chunk_passes() -> None:
    check_chunk(TABLETOP_ARM, HORIZONS, chunk(), 5)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"embodiment": "widowx"}, "expected one for tabletop_arm at 5 ns, got one for widowx"),
        ({"observed_at_ns": 4}, "at 5 ns, got one for tabletop_arm at 4 ns"),
        ({"action": {"arm": np.zeros((4, 4), np.float32)}}, "expected arm, gripper, got arm"),
        ({"action": {}}, "expected arm, gripper, got nothing"),
        ({"arm": np.zeros((3, 4), np.float32)}, r"expected float32 \(4, 4\), got float32 \(3, 4\)"),
        ({"arm": np.zeros((4, 4))}, r"expected float32 \(4, 4\), got float64 \(4, 4\)"),
        ({"arm": np.full((4, 4), np.nan, np.float32)}, "expected finite numbers, got NaN"),
        ({"arm": np.full((4, 4), -np.inf, np.float32)}, "expected finite numbers, got NaN"),
    ],
)
def test_a_chunk_that_is_none_is_refused(wrong: dict[str, Any], words: str) -> None:
    if "arm" in wrong:
        wrong = {"action": {**chunk().action, "arm": wrong["arm"]}}
    with pytest.raises(SpecMismatch, match=words):
        check_chunk(TABLETOP_ARM, HORIZONS, chunk(**wrong), 5)


def test_numbers_that_are_always_sent_must_be_known_to_act_upon() -> None:
    session, frame = Session(ROAD_CAR), random_frame(ROAD_CAR, np.random.default_rng(0))
    session.observe(frame, 10**9, seen={"front": 0})
    check_present(ROAD_CAR, session.observation())  # nothing is relative to an image
    session.observe(frame, 2 * 10**9, seen={"speed": 10**9, "ego_history": 10**9})
    with pytest.raises(SpecMismatch, match=r"road_car: expected \S+, \S+ of the newest frame's ti"):
        check_present(ROAD_CAR, session.observation())
    session.observe(frame, 3 * 10**9)
    check_present(ROAD_CAR, session.observation())
