from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octoverse.embodiment import (
    AccelerationCurvature,
    Embodiment,
    JointPosition,
    JointVelocity,
    PathGroup,
    SafeStop,
)
from octoverse.embodiments.aloha import ALOHA
from octoverse.embodiments.google_robot import GOOGLE_ROBOT
from octoverse.embodiments.rc_car import RC_CAR
from octoverse.embodiments.road_car import ROAD_CAR
from octoverse.embodiments.stretch import STRETCH
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.episode import ActionChunk
from octoverse.errors import SpecMismatch
from octoverse.motion import compose, relative
from octoverse.servers.overlap import OverlapKind
from octoverse.servers.player import ChunkPlayer
from octoverse.synthetic import random_frame, random_step

STEP = 100_000_000


def arm_chunk(at: int, rows: int = 4) -> ActionChunk:
    count = np.arange(rows, dtype=np.float32)[:, None]
    return ActionChunk(
        embodiment="tabletop_arm",
        action={"arm": 0.001 * (count + 1) * np.ones(4, np.float32), "gripper": count / 10},
        observed_at_ns=at,
    )


def arc(speed: float = 10.0, curvature: float = 0.02, steps: int = 30) -> np.ndarray:
    """A path on a circle, (steps, 3)."""
    way = speed * np.arange(1, steps + 1) / 10
    heading = way * curvature
    x, y = np.sin(heading) / curvature, (1 - np.cos(heading)) / curvature
    return np.stack([x, y, heading], axis=-1).astype(np.float32)


def car_chunk(at: int, **changes: Any) -> ActionChunk:
    return ActionChunk(embodiment="road_car", action={"path": arc(**changes)}, observed_at_ns=at)


class Car:
    """A road car that is where it says; drives along arcs."""

    def __init__(self, speed: float = 10.0, curvature: float = 0.02) -> None:
        self.now, self.pose = 0, np.array([5.0, -3.0, 1.0])
        self.speed, self.curvature = speed, curvature
        self.poses = [self.pose] * 8
        for _ in range(8):
            self.drive()
        self.now = 0

    def drive(self) -> None:
        way = self.speed / 10
        turn = way * self.curvature
        chord = way * np.sinc(turn / 2 / np.pi)
        move = np.array([chord * np.cos(turn / 2), chord * np.sin(turn / 2), turn])
        self.pose = compose(self.pose, move)
        self.poses = [*self.poses[1:], self.pose]
        self.now += STEP

    @property
    def frame(self) -> dict[str, Any]:
        history = relative(self.pose, np.stack(self.poses)).astype(np.float32)
        return random_frame(ROAD_CAR, np.random.default_rng(0)) | {"ego_history": history}


def test_in_lock_step_the_action_is_the_chunk_s_first_row() -> None:
    player = ChunkPlayer(TABLETOP_ARM, execute=1)
    assert player.needs_chunk(0)
    assert player.action(0) is None
    for i in range(5):
        chunk = arm_chunk(i * STEP)
        player.add(chunk)
        assert not player.needs_chunk(i * STEP)
        action = player.action(i * STEP)
        assert action is not None
        assert action["arm"].tobytes() == chunk.action["arm"][0].tobytes()
        TABLETOP_ARM.check_action(action)
        assert player.needs_chunk((i + 1) * STEP)


def test_in_lock_step_the_action_is_the_whole_path() -> None:
    player, car = ChunkPlayer(ROAD_CAR, execute=1), Car()
    for _ in range(5):
        chunk = car_chunk(car.now)
        player.add(chunk)
        action = player.action(car.now, car.frame)
        assert action is not None
        assert action["path"].tobytes() == chunk.action["path"].tobytes()
        car.drive()


@pytest.mark.parametrize(("execute", "asked"), [(1, 1), (3, 3), (None, 2), (99, 4)])
def test_a_chunk_is_wanted_after_so_many_steps(execute: int | None, asked: int) -> None:
    player = ChunkPlayer(TABLETOP_ARM, execute=execute)
    player.add(arm_chunk(0))
    wanted = [i for i in range(6) if player.needs_chunk(i * STEP)]
    assert wanted[0] == asked


def test_half_of_a_path_is_driven_by_default() -> None:
    player = ChunkPlayer(ROAD_CAR)
    player.add(car_chunk(0))
    assert not player.needs_chunk(14 * STEP)
    assert player.needs_chunk(15 * STEP)


@pytest.mark.parametrize(("late", "row"), [(0.0, 0), (0.04, 0), (0.06, 1), (0.19, 2), (0.3, 3)])
def test_a_late_chunk_skips_what_is_past(late: float, row: int) -> None:
    player, chunk = ChunkPlayer(TABLETOP_ARM), arm_chunk(0)
    player.add(chunk)
    action = player.action(round(late * 1e9))
    assert action is not None
    assert np.array_equal(action["arm"], chunk.action["arm"][row])


def test_an_older_chunk_never_replaces_a_newer_one() -> None:
    player = ChunkPlayer(TABLETOP_ARM)
    player.add(arm_chunk(2 * STEP))
    player.add(arm_chunk(0))
    action = player.action(2 * STEP)
    assert action is not None
    assert action["gripper"] == 0.0


def test_hold_stops_moving_and_keeps_the_grip() -> None:
    player = ChunkPlayer(TABLETOP_ARM)
    player.add(arm_chunk(0))
    for i in range(4):
        player.action(i * STEP)
        assert not player.stopped
    for i in (4, 5, 100):
        action = player.action(i * STEP)
        assert action is not None
        assert player.stopped
        assert player.needs_chunk(i * STEP)
        assert not action["arm"].any()
        assert action["gripper"] == np.float32(0.3)
    player.add(arm_chunk(100 * STEP))
    assert not player.stopped
    assert player.action(100 * STEP)["arm"].any()  # type: ignore[index]


def test_hold_keeps_joints_where_they_were_sent() -> None:
    joint: dict[str, Any] = {"names": ("j",), "units": ("rad",), "low": (-3.0,), "high": (3.0,)}
    body = msgspec.structs.replace(
        TABLETOP_ARM, action={"go": JointPosition(**joint), "spin": JointVelocity(**joint)}
    )
    player = ChunkPlayer(body)
    rows = np.array([[1.0], [2.0]], np.float32)
    player.add(
        ActionChunk(embodiment=body.name, action={"go": rows, "spin": rows}, observed_at_ns=0)
    )
    player.action(STEP)
    action = player.action(2 * STEP)
    assert action is not None
    assert (action["go"].item(), action["spin"].item()) == (2.0, 0.0)


def test_zero_lets_go_of_everything() -> None:
    player = ChunkPlayer(RC_CAR)
    rows = np.full((4, 2), 0.5, np.float32)
    player.add(ActionChunk(embodiment="rc_car", action={"pedals": rows}, observed_at_ns=0))
    assert player.action(3 * STEP // 2)["pedals"].tolist() == [0.5, 0.5]  # type: ignore[index]
    assert player.action(2 * STEP)["pedals"].tolist() == [0.0, 0.0]  # type: ignore[index]
    assert player.stopped


@pytest.mark.parametrize("steps", [1, 5, 12])
def test_a_path_is_seen_from_where_the_car_is_now(steps: int) -> None:
    player, car = ChunkPlayer(ROAD_CAR), Car()
    player.add(car_chunk(0))
    for _ in range(steps):
        player.action(car.now, car.frame)
        car.drive()
    action = player.action(car.now, car.frame)
    assert action is not None
    assert not player.stopped
    # Driving an arc along itself, what is left looks the same from everywhere.
    assert np.allclose(action["path"][: 30 - steps], arc()[: 30 - steps], atol=1e-3)
    ROAD_CAR.check_action(action)


def test_a_car_that_drifts_is_led_back_to_its_path() -> None:
    player, car = ChunkPlayer(ROAD_CAR), Car(curvature=0.0)
    ahead = np.stack([np.arange(1, 31), np.full(30, 2.0), np.zeros(30)], -1).astype(np.float32)
    player.add(ActionChunk(embodiment="road_car", action={"path": ahead}, observed_at_ns=car.now))
    for _ in range(3):
        car.drive()
    action = player.action(car.now, car.frame)
    assert action is not None
    assert np.allclose(action["path"][:27], ahead[3:] - [3, 0, 0], atol=1e-4)


def test_a_car_whose_server_is_gone_brakes_along_its_path_to_a_stand() -> None:
    player, car = ChunkPlayer(ROAD_CAR), Car(speed=8.0)
    player.add(car_chunk(0, speed=8.0))
    start, speeds = car.pose, []
    for _ in range(80):
        action = player.action(car.now, car.frame)
        assert action is not None
        ROAD_CAR.check_action(action)
        way = float(np.hypot(*action["path"][0, :2]))
        speeds.append(10 * way)
        car.speed = 10 * way
        car.drive()
        place = relative(start, car.pose)
        assert abs(np.hypot(place[0], place[1] - 50) - 50) < 0.3  # still on the circle
    assert player.stopped
    assert speeds[14] > 7.9
    assert np.all(np.diff(speeds[16:]) <= 1e-3)
    assert np.diff(speeds).min() > -0.1 * 3.0 * 1.01
    assert speeds[-1] == 0.0
    assert np.hypot(*relative(start, car.pose)[:2]) < 24.0  # within the path's three seconds


def test_without_knowing_where_it_is_a_car_brakes_straight_ahead() -> None:
    player, car = ChunkPlayer(ROAD_CAR), Car()
    player.add(car_chunk(0))
    player.action(car.now, car.frame)
    for _ in range(9):  # longer than its history: nobody knows how far it has come
        car.drive()
    action = player.action(car.now, car.frame)
    assert action is not None
    assert player.stopped
    assert np.allclose(action["path"][:, 1:], 0)
    assert np.isclose(action["path"][-1, 0], 10.0 * 3.0 - 0.5 * 3.0 * 3.0**2, atol=0.3)


def test_controls_of_a_unicycle_move_on_and_coast_at_the_end() -> None:
    group = AccelerationCurvature(steps=4, hz=10.0)
    body = msgspec.structs.replace(
        RC_CAR, control_hz=10.0, action={"controls": group}, safe_stop=SafeStop(kind="zero")
    )
    player = ChunkPlayer(body)
    rows = np.array([[1, 0.1], [2, 0.2], [3, 0.3], [4, 0.25]], np.float32)
    player.add(ActionChunk(embodiment="rc_car", action={"controls": rows}, observed_at_ns=0))
    assert np.array_equal(player.action(0)["controls"], rows)  # type: ignore[index]
    later = player.action(2 * STEP)
    assert later is not None
    assert np.allclose(later["controls"], [[3, 0.3], [4, 0.25], [0, 0.25], [0, 0.25]])
    assert not player.action(4 * STEP)["controls"].any()  # type: ignore[index]
    assert player.stopped


def test_reset_forgets_the_chunk() -> None:
    player = ChunkPlayer(TABLETOP_ARM)
    player.add(arm_chunk(5 * STEP))
    player.action(50 * STEP)
    player.reset()
    assert not player.stopped
    assert player.action(0) is None
    player.add(arm_chunk(0))
    assert player.action(0) is not None


def test_what_cannot_be_played_is_refused() -> None:
    with pytest.raises(ValueError, match="execute must be at least 1, got 0"):
        ChunkPlayer(TABLETOP_ARM, execute=0)
    blind: Embodiment = msgspec.structs.replace(
        ROAD_CAR, observation={"speed": ROAD_CAR.observation["speed"]}
    )
    with pytest.raises(ValueError, match="'road_car' moves along Waypoints and must see an EgoHis"):
        ChunkPlayer(blind)
    player = ChunkPlayer(ROAD_CAR)
    with pytest.raises(SpecMismatch, match="expected one for road_car, got one for tabletop_arm"):
        player.add(arm_chunk(0))
    player.add(car_chunk(STEP))
    with pytest.raises(ValueError, match="expected the present frame with 'ego_history', got none"):
        player.action(STEP)
    with pytest.raises(ValueError, match=r"now_ns must be at least 100000000, .*, got 0. Use one"):
        player.action(0, Car().frame)


JOINT: dict[str, Any] = {"names": ("j",), "units": ("rad",), "low": (-3.0,), "high": (3.0,)}
JOINTS = msgspec.structs.replace(TABLETOP_ARM, action={"go": JointPosition(**JOINT)})


def joint_chunk(at: int, *values: float) -> ActionChunk:
    rows = np.array(values, np.float32)[:, None]
    return ActionChunk(embodiment="tabletop_arm", action={"go": rows}, observed_at_ns=at)


def test_before_the_first_chunk_a_car_on_pedals_stands() -> None:
    player = ChunkPlayer(RC_CAR)
    action = player.action(0)
    assert action is not None
    assert action["pedals"].tolist() == [0.0, 0.0]
    assert player.stopped
    assert player.needs_chunk(0)


def test_before_the_first_chunk_a_moving_car_brakes_straight_ahead() -> None:
    player, car = ChunkPlayer(ROAD_CAR), Car(curvature=0.0)
    speeds = []
    for _ in range(40):
        action = player.action(car.now, car.frame)
        assert action is not None
        assert np.allclose(action["path"][:, 1:], 0)
        speeds.append(10 * float(action["path"][0, 0]))
        car.speed = speeds[-1]
        car.drive()
    assert speeds[0] > 9.5
    assert np.all(np.diff(speeds) <= 1e-3)
    assert speeds[-1] == 0.0
    player.add(car_chunk(car.now))
    action = player.action(car.now, car.frame)
    assert action is not None
    assert not player.stopped
    assert np.array_equal(action["path"], arc())


def test_what_must_be_held_is_left_alone_until_somebody_has_said_where_it_is() -> None:
    player = ChunkPlayer(JOINTS)
    assert player.action(0) is None
    player.add(joint_chunk(0, 1.0, 2.0))
    # It came too late to be played: its place is none to go to.
    assert player.action(5 * STEP) is None
    player.add(joint_chunk(6 * STEP, 1.0, 2.0))
    assert [player.action(i * STEP)["go"].item() for i in (6, 7, 8)] == [1.0, 2.0, 2.0]  # type: ignore[index]


def test_after_a_stop_a_blending_player_goes_on_from_where_joints_were_held() -> None:
    player, played = ChunkPlayer(JOINTS, overlap="blend"), []
    player.add(joint_chunk(0, 0.0, 0.5, 1.0))
    for now in range(20):
        if now == 7:
            assert player.stopped
            player.add(joint_chunk(6 * STEP, *[-1.0] * 10))
        played.append(player.action(now * STEP)["go"].item())  # type: ignore[index]
    assert played[2:7] == [1.0] * 5
    assert 0 < played[7] < 1.0
    assert np.all(np.diff(played[7:]) <= 0)
    assert np.abs(np.diff(played)).max() < 0.8  # the chunks are 2 apart, and stand
    assert played[-1] == -1.0


@pytest.mark.parametrize("overlap", ["newest", "ensemble", "blend"])
def test_while_a_body_is_held_no_row_is_past(overlap: OverlapKind) -> None:
    player = ChunkPlayer(TABLETOP_ARM, overlap=overlap)
    assert player.action(0) is None
    late = arm_chunk(0, rows=6)
    player.add(late)
    played = [player.action(now * STEP) for now in range(3, 6)]
    assert [a["gripper"].item() for a in played if a] == late.action["gripper"][:3, 0].tolist()
    assert np.array_equal(played[0]["arm"], late.action["arm"][0])  # type: ignore[index]
    assert player.playing(5 * STEP) == (0, 2)
    # One that was seen while the arm moved has lost only what it moved since: till the stop at 9.
    assert player.action(9 * STEP) is not None
    assert player.stopped
    player.add(arm_chunk(7 * STEP, rows=6))
    player.action(11 * STEP)
    assert not player.stopped
    assert player.playing(11 * STEP) == (7 * STEP, 2)


def test_a_car_that_is_stopped_goes_by_time() -> None:
    player = ChunkPlayer(RC_CAR)
    player.action(0)
    rows = np.arange(8, dtype=np.float32)[:, None] * np.ones(2, np.float32) / 10
    player.add(ActionChunk(embodiment="rc_car", action={"pedals": rows}, observed_at_ns=0))
    assert np.array_equal(player.action(3 * STEP // 2)["pedals"], rows[3])  # type: ignore[index]


def test_after_a_stop_the_stale_chunk_is_not_averaged_in() -> None:
    player = ChunkPlayer(JOINTS, overlap="ensemble")
    player.add(joint_chunk(0, 5.0, 5.0))
    player.action(0)
    assert player.action(2 * STEP)["go"].item() == 5.0  # type: ignore[index]
    assert player.stopped
    player.add(joint_chunk(STEP, 1.0, 1.0, 1.0, 1.0))
    assert player.action(2 * STEP)["go"].item() == 1.0  # type: ignore[index]
    player.add(joint_chunk(2 * STEP, 2.0, 2.0))
    assert 1.4 < player.action(3 * STEP)["go"].item() < 1.5  # type: ignore[index]


def test_a_chunk_that_comes_when_all_of_it_is_past_changes_nothing_of_the_stop() -> None:
    player, car = ChunkPlayer(ROAD_CAR), Car(speed=8.0)
    player.add(car_chunk(0, speed=8.0))
    speeds = []
    for step in range(60):
        if step == 30:
            player.add(car_chunk(STEP // 2, speed=8.0))
        action = player.action(car.now, car.frame)
        assert action is not None
        speeds.append(10 * float(np.hypot(*action["path"][0, :2])))
        car.speed = speeds[-1]
        car.drive()
    assert np.all(np.diff(speeds[16:]) <= 1e-3)
    assert speeds[-1] == 0.0


def test_a_car_brakes_along_what_it_drove_where_two_paths_were_mixed() -> None:
    player, car = ChunkPlayer(ROAD_CAR, overlap="ensemble", decay=0.0), Car(curvature=0.0)
    for aside in (0.0, 2.0):
        ahead = np.stack([np.arange(1, 31), np.full(30, aside), np.zeros(30)], -1)
        player.add(
            ActionChunk(
                embodiment="road_car", action={"path": ahead.astype(np.float32)}, observed_at_ns=0
            )
        )
    for _ in range(16):
        action = player.action(car.now, car.frame)
        car.drive()
    assert action is not None
    assert player.stopped
    assert np.isclose(action["path"][5, 1], 1.0, atol=0.01)


def test_it_says_what_is_playing_and_how_much_of_it_is_past() -> None:
    player = ChunkPlayer(TABLETOP_ARM, overlap="blend")
    assert player.playing(0) is None
    assert player.remaining_s(0) == 0.0
    assert player.frozen_steps(1.0, 0) == 0
    player.add(arm_chunk(STEP))
    assert player.playing(STEP) == (STEP, 0)
    assert player.playing(3 * STEP) == (STEP, 2)
    assert np.isclose(player.remaining_s(3 * STEP), 0.15)
    assert [player.frozen_steps(s, 2 * STEP) for s in (0.0, 0.1, 0.11, 9.0)] == [0, 1, 2, 3]
    player.action(9 * STEP)
    assert player.playing(9 * STEP) is None
    assert player.remaining_s(9 * STEP) == 0.0


def test_rows_are_promised_only_where_the_player_blends_and_steps_by_control_steps() -> None:
    for overlap in ("newest", "ensemble"):
        player = ChunkPlayer(TABLETOP_ARM, overlap=overlap)
        player.add(arm_chunk(0))
        assert player.frozen_steps(0.2, 0) == 0
    player = ChunkPlayer(ROAD_CAR, overlap="blend")
    player.add(car_chunk(0))
    assert player.frozen_steps(0.2, 0) == 0


def test_promised_rows_are_played_and_then_the_new_chunk_takes_over() -> None:
    player = ChunkPlayer(JOINTS, overlap="blend")
    player.add(joint_chunk(0, *np.arange(8) / 8))
    played = [player.action(now * STEP)["go"].item() for now in range(3)]  # type: ignore[index]
    frozen = player.frozen_steps(0.3, 2 * STEP)
    player.add(joint_chunk(2 * STEP, *[-1.0] * 8), frozen_steps=frozen)
    played += [player.action(now * STEP)["go"].item() for now in range(3, 10)]  # type: ignore[index]
    assert frozen == 3
    assert played[:5] == [0, 1 / 8, 2 / 8, 3 / 8, 4 / 8]
    assert played[5] < 5 / 8
    assert played[8:] == [-1.0, -1.0]


def any_chunk(body: Embodiment, at: int, rng: np.random.Generator) -> ActionChunk:
    """A chunk of nine control steps within the limits, or of a drive on an arc."""
    action = {}
    for name, group in body.action.items():
        if isinstance(group, PathGroup):
            action[name] = arc(rng.uniform(0, 20), rng.choice([-1, 1]) * rng.uniform(0.01, 0.2))
        else:
            rows = [random_step(group, rng) for _ in range(9)]
            action[name] = np.stack(rows).astype(np.float32)
    return ActionChunk(embodiment=body.name, action=action, observed_at_ns=at)


@pytest.mark.parametrize("overlap", ["newest", "ensemble", "blend"])
@pytest.mark.parametrize("body", [TABLETOP_ARM, ALOHA, GOOGLE_ROBOT, RC_CAR, ROAD_CAR, STRETCH])
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_whatever_comes_or_does_not_come_every_action_is_sound(
    body: Embodiment, overlap: OverlapKind, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    player = ChunkPlayer(body, overlap=overlap, execute=int(rng.integers(1, 9)))
    frame, step = random_frame(body, rng), 1e9 / body.control_hz
    now, asked, acted = 0.0, list[tuple[float, int]](), False
    for _ in range(120):
        now += step * rng.choice([1, 1, 1, 1, 1.3, 0.6, 5])
        for at, frozen in [one for one in asked if rng.random() < 0.3]:
            asked.remove((at, frozen))
            if rng.random() < 0.8:  # else it is lost
                chunk = any_chunk(body, round(at), rng)
                player.add(chunk, frozen_steps=frozen)
        action = player.action(round(now), frame)
        if action is not None:
            body.check_action(action)
            assert all(v.dtype == np.float32 for v in action.values())
        assert action is not None or not acted  # never silent again
        acted = acted or action is not None
        assert player.remaining_s(round(now)) >= 0
        if player.needs_chunk(round(now)) and rng.random() < 0.7:
            delay = rng.uniform(0, 0.5)
            asked.append((now, player.frozen_steps(delay, round(now))))


def test_weights_that_grow_with_age_without_end_are_refused() -> None:
    with pytest.raises(ValueError, match="decay must be at least 0, got -1"):
        ChunkPlayer(TABLETOP_ARM, overlap="ensemble", decay=-1)
