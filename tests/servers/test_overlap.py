import math
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from octoverse.embodiment import (
    AccelerationCurvature,
    EndEffectorDelta,
    Gripper,
    JointPosition,
    Pedals,
    SafeStop,
    Terminate,
)
from octoverse.embodiments.road_car import ROAD_CAR
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.episode import ActionChunk
from octoverse.motion import relative
from octoverse.servers.overlap import Overlap, OverlapKind

HZ, STEP = 10, 100_000_000
JOINT = JointPosition(names=("j",), units=("rad",), low=(-3.2,), high=(3.2,))
BODY = msgspec.structs.replace(
    TABLETOP_ARM,
    action={
        "joint": JOINT,
        "tool": EndEffectorDelta(),
        "pedals": Pedals(),
        "grip": Gripper(),
        "done": Terminate(),
    },
)
E = math.e


def nowhere(then_ns: int) -> np.ndarray | None:
    return None


def chunk(at: int, level: float, rows: int = 10) -> ActionChunk:
    """A chunk that says `level` in every number but the binary ones, which say row % 2."""
    action = {
        name: np.full((rows, group.size), level, np.float32) for name, group in BODY.action.items()
    }
    for name in ("grip", "done"):
        action[name] = np.full((rows, 1), float(level > 0), np.float32)
    return ActionChunk(embodiment=BODY.name, action=action, observed_at_ns=at)


def walk(at: int, values: Any) -> ActionChunk:
    found = chunk(at, 0.0, len(values))
    found.action["joint"][:, 0] = values
    return found


def joint(overlap: Overlap, step: int, last: dict[str, np.ndarray] | None = None) -> float:
    return float(overlap.plan(step * STEP, nowhere, last or {})["joint"].item())


@pytest.mark.parametrize("decay", [0.0, 0.01, 0.7])
def test_an_ensemble_is_the_published_mean_of_all_that_cover_the_step(decay: float) -> None:
    overlap, rng = Overlap(BODY, "ensemble", decay), np.random.default_rng(1)
    said = rng.normal(size=(30, 6)).astype(np.float32)
    for now in range(30):
        overlap.add(walk(now * STEP, said[now]), 0)
        covering = [said[then][now - then] for then in range(max(0, now - 5), now + 1)]
        weights = np.exp(-decay * np.arange(len(covering)))
        expected = np.sum(weights * covering) / weights.sum()
        assert np.isclose(joint(overlap, now), expected, atol=1e-6)


def test_the_newest_is_played_alone() -> None:
    overlap = Overlap(BODY, "newest", 0.01)
    overlap.add(chunk(0, 0.1), 0)
    overlap.add(chunk(2 * STEP, 0.3), 0)
    plan = overlap.plan(3 * STEP, nowhere, {})
    assert all(np.allclose(plan[name], 0.3) for name in ("joint", "tool", "pedals"))


@pytest.mark.parametrize(("asked", "came"), [(3, 5), (4, 4), (2, 8)])
def test_a_blend_has_the_published_weights(asked: int, came: int) -> None:
    overlap, horizon = Overlap(BODY, "blend", 0.01), 10
    overlap.add(chunk(0, 1.0), 0)
    for now in range(came):
        assert joint(overlap, now) == 1.0
    overlap.add(chunk(asked * STEP, 0.0), 0)
    # The paper's d, s and i: rows frozen, rows executed before asking, row of the new chunk.
    d, s = came - asked, asked
    for now in range(came, asked + horizon):
        i = now - asked
        c = (horizon - s - i) / (horizon - s - d + 1)
        expected = c * (E**c - 1) / (E - 1) if i < horizon - s else 0.0
        assert np.isclose(joint(overlap, now), expected, atol=1e-6)


def test_promised_rows_are_played_to_the_bit_though_the_chunk_has_come() -> None:
    overlap, rng = Overlap(BODY, "blend", 0.01), np.random.default_rng(2)
    old, new = rng.normal(size=(2, 10)).astype(np.float32)
    overlap.add(walk(0, old), 0)
    joint(overlap, 2)
    overlap.add(walk(2 * STEP, new), 4)
    assert [joint(overlap, now) for now in range(3, 6)] == old[3:6].tolist()
    assert min(old[6], new[4]) < joint(overlap, 6) < max(old[6], new[4])
    assert joint(overlap, 11) == new[9]


@given(
    start=st.floats(-3, 3),
    gap=st.floats(-3, 3),
    steps=st.lists(st.floats(-0.1, 0.1), min_size=40, max_size=40),
    asked=st.integers(1, 15),
    delay=st.integers(0, 8),
    frozen=st.integers(0, 8),
)
def test_a_blend_never_jumps(
    start: float, gap: float, steps: list[float], asked: int, delay: int, frozen: int
) -> None:
    horizon = 20
    old = start + np.cumsum(steps[:horizon])
    new = old[asked] + gap + np.cumsum(steps[horizon:])
    overlap = Overlap(BODY, "blend", 0.01)
    overlap.add(walk(0, old), 0)
    came, frozen = min(asked + delay, horizon - 1), min(frozen, horizon - 1 - asked)
    played = []
    for now in range(asked + horizon):
        if now == came:
            overlap.add(walk(asked * STEP, new), frozen)
        played.append(joint(overlap, now))
    within = max(np.abs(np.diff(old)).max(), np.abs(np.diff(new)).max())
    # What they disagree by is spread over the steps that are left of the old one.
    left = horizon - max(came, asked + frozen)
    steepest = 1 - (left / (left + 1)) * (E ** (left / (left + 1)) - 1) / (E - 1)
    both = np.abs(old[asked:] - new[: horizon - asked]).max()
    assert np.abs(np.diff(played)).max() <= within + steepest * both + 1e-5
    assert np.isclose(played[-1], new[-1], atol=1e-6)


def test_chunks_that_come_while_one_still_takes_over_blend_into_what_is_played() -> None:
    overlap = Overlap(BODY, "blend", 0.01)
    played = []
    for now in range(40):
        if now % 3 == 0:
            overlap.add(chunk(now * STEP, (-1.0) ** (now // 3), rows=20), 0)
        played.append(joint(overlap, now))
    # Every third step a chunk turns by 2, and none lets the joint go there at once.
    assert np.abs(np.diff(played)).max() < 0.5
    assert len(overlap._layers) <= 8


@pytest.mark.parametrize("kind", ["ensemble", "blend"])
def test_what_is_binary_is_never_averaged(kind: OverlapKind) -> None:
    overlap = Overlap(BODY, kind, 0.01)
    overlap.add(chunk(0, 1.0), 0)
    overlap.plan(0, nowhere, {})
    overlap.add(chunk(2 * STEP, 0.0), 2 if kind == "blend" else 0)
    for now in range(2, 10):
        plan = overlap.plan(now * STEP, nowhere, {})
        assert plan["grip"].item() == plan["done"].item() == float(kind == "blend" and now < 4)
        assert 0 < plan["pedals"][0] < 1 or now < 4
        assert np.allclose(plan["pedals"][0], plan["tool"])


def test_after_a_stop_joints_go_on_from_where_they_were_held_and_nothing_else_does() -> None:
    overlap, last = Overlap(BODY, "blend", 0.01), {"joint": np.ones(1, np.float32)}
    overlap.add(chunk(0, 0.0, rows=20), 0)
    played = [joint(overlap, now, last) for now in range(20)]
    assert 0.7 < played[0] < 1.0
    assert np.all(np.diff(played) <= 0)
    assert np.abs(np.diff(played)).max() < 0.25
    assert not any(played[10:])
    tool = overlap.plan(0, nowhere, {"tool": np.ones(6, np.float32)})["tool"]
    assert not tool.any()


def test_a_chunk_that_begins_where_the_joint_was_held_is_played_as_it_is() -> None:
    overlap, rows = Overlap(BODY, "blend", 0.01), np.linspace(1.0, 3.0, 20, dtype=np.float32)
    overlap.add(walk(0, rows), 0)
    last = {"joint": np.ones(1, np.float32)}
    assert [joint(overlap, now, last) for now in range(20)] == rows.tolist()


@pytest.mark.parametrize("frozen", [0, 2])
def test_a_joint_whose_chunk_has_run_out_goes_on_from_its_end(frozen: int) -> None:
    overlap, end = Overlap(BODY, "blend", 0.01), {"joint": np.ones(1, np.float32)}
    overlap.add(chunk(0, 1.0, rows=4), 0)
    assert joint(overlap, 2) == 1.0
    overlap.add(chunk(2 * STEP, 0.0, rows=12), frozen)
    if frozen:
        assert joint(overlap, 3, end) == 1.0
    played = [joint(overlap, now, end) for now in range(4, 14)]
    assert 0.5 < played[0] < 1.0
    assert np.all(np.diff(played) <= 0)
    assert np.abs(np.diff([1.0, *played])).max() < 0.4
    assert played[-1] == 0.0
    assert not overlap.plan(5 * STEP, nowhere, end)["pedals"].any()


def arc(speed: float, turn: float) -> np.ndarray:
    time = np.arange(1, 31) / HZ
    heading = turn * time
    rows = [speed * time * np.sinc(heading / 2 / np.pi) * f(heading / 2) for f in (np.cos, np.sin)]
    return np.stack([*rows, (heading + np.pi) % (2 * np.pi) - np.pi], -1).astype(np.float32)


def car_chunk(at: int, path: np.ndarray) -> ActionChunk:
    return ActionChunk(embodiment="road_car", action={"path": path}, observed_at_ns=at)


@pytest.mark.parametrize("kind", ["ensemble", "blend"])
def test_paths_that_agree_stay_what_they_are_wherever_they_were_seen_from(
    kind: OverlapKind,
) -> None:
    """One drive, seen from three places along it, is one path; headings pass half a turn."""
    road, overlap = arc(8.0, 1.5), Overlap(ROAD_CAR, kind, 0.01)
    poses = np.concatenate([np.zeros((1, 3)), road])

    def since(now: int) -> Any:
        return lambda then_ns: relative(poses[then_ns // STEP], poses[now])

    for now in (0, 4, 7):
        overlap.add(car_chunk(now * STEP, road), 0)
        overlap.plan(now * STEP, since(now), {})
    plan = overlap.plan(9 * STEP, since(9), {})["path"]
    assert plan.dtype == np.float32
    assert np.allclose(plan[:18, :2], road[:18, :2], atol=1e-4)
    assert np.allclose(np.exp(1j * plan[:18, 2]), np.exp(1j * road[:18, 2]), atol=1e-4)
    assert plan[:, 2].min() < -3 and plan[:, 2].max() >= 3


def test_paths_are_mixed_moment_by_moment() -> None:
    overlap = Overlap(ROAD_CAR, "blend", 0.01)
    straight, left = arc(10.0, 1e-9), arc(10.0, 1e-9) + np.array([0, 1, 0], np.float32)

    def since(now: int) -> Any:
        return lambda then_ns: np.array([(now * STEP - then_ns) * 1e-8, 0.0, 0.0])

    overlap.add(car_chunk(0, straight), 0)
    overlap.plan(0, since(0), {})
    overlap.add(car_chunk(5 * STEP, left), 0)
    seen = [overlap.plan(now * STEP, since(now), {})["path"] for now in (6, 7)]
    aside = seen[0][:, 1]
    assert 0 < aside[0] < 0.2
    assert np.all(np.diff(aside) >= 0)
    assert np.allclose(aside[24:], 1.0)
    # A moment's place is the same, whenever one looks at it: the car is never sent elsewhere.
    assert np.allclose(seen[1][:22, 1], aside[1:23], atol=1e-5)
    assert np.allclose(seen[0][:, 0], np.arange(1, 31), atol=1e-4)


def test_a_path_whose_place_is_lost_counts_no_more() -> None:
    overlap = Overlap(ROAD_CAR, "ensemble", 0.01)
    overlap.add(car_chunk(0, arc(10.0, 0.5)), 0)
    overlap.add(car_chunk(5 * STEP, arc(10.0, 1e-9)), 0)
    plan = overlap.plan(5 * STEP, nowhere, {})["path"]
    assert np.array_equal(plan, arc(10.0, 1e-9))


def test_controls_are_mixed_by_their_own_rate() -> None:
    group = AccelerationCurvature(steps=8, hz=5.0)
    body = msgspec.structs.replace(
        ROAD_CAR, action={"controls": group}, safe_stop=SafeStop(kind="zero")
    )

    def controls(at: int, level: float) -> ActionChunk:
        rows = np.full((8, 2), level, np.float32)
        return ActionChunk(embodiment="road_car", action={"controls": rows}, observed_at_ns=at)

    overlap = Overlap(body, "ensemble", 0.0)
    overlap.add(controls(0, 1.0), 0)
    overlap.add(controls(4 * STEP, 3.0), 0)  # two rows on
    plan = overlap.plan(4 * STEP, nowhere, {})["controls"]
    assert np.allclose(plan[:6], 2.0)
    assert np.allclose(plan[6:], 3.0)


@pytest.mark.parametrize("kind", ["newest", "ensemble", "blend"])
def test_the_chunks_that_are_kept_are_bounded(kind: OverlapKind) -> None:
    overlap = Overlap(BODY, kind, 0.01)
    for _ in range(500):
        overlap.add(chunk(0, 1.0, rows=1000), 0)
    assert len(overlap._layers) <= 128
    assert np.isclose(joint(overlap, 1), 1.0)
    for now in range(100):
        overlap.add(chunk(now * STEP, 1.0), 0)
        joint(overlap, now)
    overlap.clear()
    assert overlap.newest is None
