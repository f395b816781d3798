"""In virtual time: steps are counted, and the policy's thread answers when it is told to."""

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import numpy as np
import pytest

from octoverse.acting import LocalPolicy
from octoverse.embodiment import Embodiment, Gripper, JointPosition, State
from octoverse.embodiments.rc_car import RC_CAR
from octoverse.embodiments.road_car import ROAD_CAR
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.episode import Action, ActionChunk, Frame
from octoverse.errors import RemoteError, ServerUnreachable, SpecMismatch
from octoverse.motion import compose, relative
from octoverse.servers import pilot as piloting
from octoverse.servers.pilot import Pilot
from octoverse.servers.player import ChunkPlayer
from octoverse.synthetic import random_frame

PATIENCE_S = 60.0
STEP = 100_000_000
JOINT: dict[str, Any] = {"names": ("j",), "units": ("rad",), "low": (-9.0,), "high": (9.0,)}
JOINTS = msgspec.structs.replace(
    TABLETOP_ARM,
    observation={"joints": State(**JOINT)},
    action={"joints": JointPosition(**JOINT), "grip": Gripper()},
)
UNREACHABLE = ServerUnreachable("tcp://127.0.0.1:1: expected a policy server, got no connection.")


class Remote:
    """A policy that answers, from what it sees, when it is told to; keeps what it was asked."""

    def __init__(self, body: Embodiment, rows: int = 10, frames: int = 1) -> None:
        self.body, self.rows, self.frames = body, rows, frames
        self.let = threading.Semaphore(0)
        self.asked: list[dict[str, Any]] = []
        self.seen: list[int] = []
        self.seeds: list[int] = []
        self.error: Exception | None = None
        self.heading = 0.05
        self.watch = threading.Event()
        self.watch.set()

    def act(self, frame: Frame, **told: Any) -> ActionChunk:
        self.asked.append(told | {"frame": frame})
        assert self.let.acquire(timeout=PATIENCE_S)
        if self.error is not None:
            raise self.error
        count = np.arange(self.rows, dtype=np.float32)[:, None]
        action: dict[str, np.ndarray] = {}
        if "joints" in frame:  # on from where the joint is
            action["joints"] = frame["joints"] + self.heading * (count + 1)
            action["grip"] = np.full((self.rows, 1), float(self.heading > 0), np.float32)
        elif "ego_history" in frame:  # straight on at 8 m/s
            ahead = 0.8 * np.arange(1, 31)
            action["path"] = np.stack([ahead, 0 * ahead, 0 * ahead], -1).astype(np.float32)
        else:
            action["pedals"] = np.full((self.rows, 2), 0.5, np.float32)
        return ActionChunk(
            embodiment=self.body.name, action=action, observed_at_ns=told["observed_at_ns"]
        )

    def observe(self, frame: Frame, *, observed_at_ns: int | None = None) -> None:
        assert self.watch.wait(PATIENCE_S)
        assert observed_at_ns is not None
        self.seen.append(observed_at_ns)

    def reset(self, seed: int = 0) -> None:
        self.seeds.append(seed)


class Arm:
    """Stands where it was sent."""

    def __init__(self) -> None:
        self.at = np.zeros(1, np.float32)

    @property
    def frame(self) -> dict[str, Any]:
        return {"joints": self.at}

    def do(self, action: Action | None) -> float:
        if action is not None:
            self.at = action["joints"]
        return float(self.at.item())


class Road:
    """A car that is after each step where its path says."""

    def __init__(self, speed: float = 8.0) -> None:
        back = -speed / 10 * np.arange(8)[::-1]
        self.poses = np.stack([back, 0 * back, 0 * back], -1)

    @property
    def frame(self) -> dict[str, Any]:
        history = relative(self.poses[-1], self.poses[-8:]).astype(np.float32)
        return random_frame(ROAD_CAR, np.random.default_rng(0)) | {"ego_history": history}

    def do(self, action: Action | None) -> float:
        assert action is not None
        self.poses = np.concatenate(
            [self.poses, compose(self.poses[-1], action["path"][0].astype(np.float64))[None]]
        )
        return 10 * float(np.hypot(*action["path"][0, :2]))


class Karting:
    frame: dict[str, Any] = random_frame(RC_CAR, np.random.default_rng(0))

    def do(self, action: Action | None) -> float:
        assert action is not None
        return float(action["pedals"][1])


class Flight:
    """Steps a robot, and lets an answer through `delay` steps after it was asked for."""

    def __init__(self, pilot: Pilot, remote: Remote, robot: Any, until: Any, delay: int) -> None:
        self.pilot, self.remote, self.robot = pilot, remote, robot
        self.until, self.delay = until, delay
        self.now, self.asked_at = 0, -1

    def __call__(self, steps: int) -> list[float]:
        return [self._step() for _ in range(steps)]

    def _step(self) -> float:
        if self.asked_at >= 0 and self.now >= self.asked_at + self.delay:
            self.answer()
        asked = len(self.remote.asked)
        hz = self.pilot.player.body.control_hz
        action = self.pilot.step(self.robot.frame, round(self.now * 1e9 / hz))
        if self.asked_at < 0 and self.pilot._asking:
            self.until(lambda: len(self.remote.asked) > asked)
            self.asked_at = self.now
        self.now += 1
        return float(self.robot.do(action))

    def answer(self) -> None:
        self.remote.let.release()
        self.until(lambda: bool(self.pilot._outcomes))
        self.asked_at = -1


@pytest.fixture
def fly(until: Callable[[Callable[[], bool]], None]) -> Iterator[Callable[..., Flight]]:
    flights: list[Flight] = []

    def begin(
        body: Embodiment, robot: Any, delay: int = 0, rows: int = 10, frames: int = 1, **how: Any
    ) -> Flight:
        remote = Remote(body, rows, frames)
        pilot = Pilot(remote, ChunkPlayer(body, **how))
        flights.append(Flight(pilot, remote, robot, until, delay))
        return flights[-1]

    yield begin
    for flight in flights:
        flight.remote.let.release(1000)
        flight.remote.watch.set()
        flight.pilot.close()
        assert not flight.pilot._thread.is_alive()


def test_a_step_never_waits_however_long_the_policy_takes(fly: Callable[..., Flight]) -> None:
    flight = fly(JOINTS, Arm(), delay=10**9)
    assert flight(50) == [0.0] * 50
    assert len(flight.remote.asked) == 1
    assert flight.pilot.player.stopped
    assert flight.pilot.trouble is None


def test_answers_are_played_from_the_step_on_that_follows_them(fly: Callable[..., Flight]) -> None:
    flight = fly(JOINTS, Arm(), delay=2, execute=5)
    played = flight(12)
    # Asked at 0, answered at 2, and until then the arm was held. Asked at 7, when it is at .25,
    # answered at 9, when two rows of that are past.
    assert np.allclose(played[:9], [0, 0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35])
    assert np.allclose(played[9:], 0.25 + 0.05 * np.array([3, 4, 5]))
    assert [told["observed_at_ns"] // STEP for told in flight.remote.asked] == [0, 7]


def test_the_policy_is_told_what_will_be_executed(fly: Callable[..., Flight]) -> None:
    flight = fly(JOINTS, Arm(), delay=2, execute=4, overlap="blend", rows=20)
    flight(30)
    told = [(t["chunk_ns"], t["executed_steps"], t["frozen_steps"]) for t in flight.remote.asked]
    assert told[0] == (None, 0, 0)  # nothing is played yet
    assert told[1] == (0, 4, 0)  # how long an answer takes is not known yet
    assert told[2:5] == [(at * STEP, 4, 2) for at in (6, 10, 14)]
    assert flight.pilot.delay_s == pytest.approx(0.2)


def test_promised_rows_are_executed_exactly(fly: Callable[..., Flight]) -> None:
    played = []
    for delay in (1, 10**9):  # the last answer comes earlier than was promised, or never
        flight = fly(JOINTS, Arm(), delay=3, execute=4, overlap="blend", rows=20)
        flight(12)
        asked = flight.remote.asked[-1]
        assert (asked["chunk_ns"], asked["executed_steps"]) == (7 * STEP, 4)
        assert asked["frozen_steps"] == 3
        flight.delay, flight.remote.heading = delay, -0.05
        played.append(flight(4))  # steps 12 to 15; promised were 11, 12 and 13
    assert played[0][:2] == played[1][:2]
    assert played[0][2] < played[1][2]


def test_where_answers_are_slow_it_asks_early(fly: Callable[..., Flight]) -> None:
    flight = fly(JOINTS, Arm(), delay=6, execute=19, rows=20)
    stood = []
    for _ in range(60):
        flight(1)
        stood.append(flight.pilot.player.stopped)
    # How long an answer takes is not known of the second question: it comes after 19 rows, and
    # the arm stands for it. The others come when only as much is left as an answer takes.
    asked = [told["observed_at_ns"] // STEP for told in flight.remote.asked]
    assert asked == [0, 25, 43, 56]
    assert all(stood[26:31]) and not any(stood[6:26]) and not any(stood[31:])


@pytest.mark.parametrize("overlap", ["newest", "ensemble", "blend"])
def test_a_server_that_is_away_for_a_while_ends_in_a_hold_and_then_it_goes_on(
    fly: Callable[..., Flight], overlap: str
) -> None:
    flight = fly(JOINTS, Arm(), delay=1, execute=5, overlap=overlap)
    flight(12)
    assert not flight.pilot.player.stopped
    flight.remote.error = UNREACHABLE
    away = flight(25)
    assert flight.pilot.player.stopped
    assert flight.pilot.trouble is UNREACHABLE
    assert flight.pilot.troubles >= 20  # asked again in every step, with the newest frame
    assert len(set(away[-10:])) == 1
    flight.remote.error = None
    back = flight(15)
    assert flight.pilot.trouble is None
    assert not flight.pilot.player.stopped
    assert back[-1] > away[-1] + 0.3
    # From before to after never further in one step than a late chunk skips.
    assert np.abs(np.diff([*away, *back])).max() < 0.16


def test_a_car_whose_server_is_away_brakes_and_then_drives_on(fly: Callable[..., Flight]) -> None:
    flight = fly(ROAD_CAR, Road(), delay=1, overlap="blend")
    speeds = flight(20)
    flight.remote.error = UNREACHABLE
    speeds += flight(60)
    assert flight.pilot.player.stopped
    assert speeds[-1] == 0.0
    # Never harder than it may brake.
    assert np.diff(speeds).min() > -0.31
    flight.remote.error = None
    assert np.isclose(flight(5)[-1], 8.0)


def test_a_car_on_pedals_lets_go_while_there_is_no_answer(fly: Callable[..., Flight]) -> None:
    flight = fly(RC_CAR, Karting(), delay=1)
    assert flight(5) == [0.0, 0.5, 0.5, 0.5, 0.5]
    flight.remote.error = UNREACHABLE
    assert flight(20)[-1] == 0.0
    flight.remote.error = None
    assert flight(3)[-1] == 0.5


def test_a_server_that_says_when_to_come_again_is_left_alone_until_then(
    fly: Callable[..., Flight],
) -> None:
    flight = fly(JOINTS, Arm(), delay=0)
    flight.remote.error = RemoteError("overloaded", "The queue is full.", retry_after_ms=450.0)
    flight(3)  # asked at 0, refused at 1
    flight.remote.error = None
    flight(6)
    assert [told["observed_at_ns"] // STEP for told in flight.remote.asked][:2] == [0, 6]
    assert flight.pilot.trouble is None
    assert flight.pilot.troubles == 1


@pytest.mark.parametrize("code", ["overloaded", "stale"])
def test_a_refused_question_is_asked_again_with_the_newest_frame(
    fly: Callable[..., Flight], code: str
) -> None:
    flight = fly(JOINTS, Arm(), delay=0)
    flight.remote.error = RemoteError(code, "Too late.")
    flight(4)
    assert [told["observed_at_ns"] // STEP for told in flight.remote.asked] == [0, 1, 2, 3]


def test_what_nobody_expected_is_kept_and_the_thread_lives(
    fly: Callable[..., Flight], caplog: pytest.LogCaptureFixture
) -> None:
    flight = fly(JOINTS, Arm(), delay=0)
    flight.remote.error = ZeroDivisionError("in the policy")
    flight(2)
    assert isinstance(flight.pilot.trouble, ZeroDivisionError)
    assert caplog.records[0].exc_info is not None
    flight.remote.error = None
    assert flight(3)[-1] > 0


def test_trouble_is_said_once_a_second(
    fly: Callable[..., Flight], caplog: pytest.LogCaptureFixture
) -> None:
    flight = fly(JOINTS, Arm(), delay=0)
    flight.remote.error = UNREACHABLE
    with caplog.at_level(logging.WARNING):
        flight(25)
    said = [r.message for r in caplog.records]
    assert len(said) == 3
    assert said[0].startswith("tabletop_arm: no chunk, 1 times since this was last said: tcp://")
    assert said[1].startswith("tabletop_arm: no chunk, 10 times")


def test_a_safe_stop_is_said_with_its_reason(
    fly: Callable[..., Flight], caplog: pytest.LogCaptureFixture
) -> None:
    flight = fly(JOINTS, Arm(), delay=0)
    flight(3)
    flight.delay = 10**9
    flight(15)
    assert [r.message for r in caplog.records] == [
        "tabletop_arm: safe stop: no answer has come in time"
    ]


def test_frames_between_questions_are_shown_where_the_window_wants_them(
    fly: Callable[..., Flight], until: Callable[[Callable[[], bool]], None]
) -> None:
    flight = fly(JOINTS, Arm(), delay=2, execute=5, frames=2)
    flight(15)
    until(lambda: len(flight.remote.seen) >= 10)
    asked = [told["observed_at_ns"] for told in flight.remote.asked]
    assert sorted([*flight.remote.seen, *asked])[:14] == [i * STEP for i in range(14)]
    assert flight.remote.seen == sorted(flight.remote.seen)


def test_a_policy_of_one_frame_is_shown_no_others(fly: Callable[..., Flight]) -> None:
    flight = fly(JOINTS, Arm(), delay=2, execute=5)
    flight(15)
    assert flight.remote.seen == []


def test_frames_that_nobody_takes_are_bounded(fly: Callable[..., Flight]) -> None:
    flight = fly(JOINTS, Arm(), delay=10**9, frames=2)
    flight(200)
    assert len(flight.pilot._frames) == 32
    assert flight.pilot._frames[-1][0] == 199 * STEP


def test_the_newest_frame_wins_while_the_policy_is_busy_with_older_ones(
    fly: Callable[..., Flight], until: Callable[[Callable[[], bool]], None]
) -> None:
    flight = fly(JOINTS, Arm(), delay=0, execute=3, frames=2)
    flight(2)
    pilot, arm = flight.pilot, flight.robot
    until(lambda: len(flight.remote.seen) == 1)
    flight.remote.watch.clear()  # the next frame that is shown holds the thread
    pilot.step(arm.frame, 2 * STEP)
    until(lambda: not pilot._frames)
    for now in range(3, 9):
        pilot.step(arm.frame, now * STEP)
    assert pilot._question is not None
    assert pilot._question.at_ns == 8 * STEP
    flight.remote.watch.set()
    until(lambda: flight.remote.asked[-1]["observed_at_ns"] == 8 * STEP)
    assert flight.remote.seen[-1] == 7 * STEP
    assert 4 * STEP not in [told["observed_at_ns"] for told in flight.remote.asked]


def test_a_camera_may_write_into_the_same_memory_again(fly: Callable[..., Flight]) -> None:
    flight, seen = fly(JOINTS, Arm(), delay=10**9), np.zeros(1, np.float32)
    flight.robot.at = seen
    flight(1)
    seen[:] = 7.0
    assert flight.remote.asked[0]["frame"]["joints"].item() == 0.0


def test_a_reset_drops_answers_to_the_old_episode_and_tells_the_policy_its_seed(
    fly: Callable[..., Flight], until: Callable[[Callable[[], bool]], None]
) -> None:
    flight = fly(JOINTS, Arm(), delay=10**9)
    flight(2)
    flight.pilot.reset(seed=7)
    flight.asked_at = -1
    assert flight.pilot.step(flight.robot.frame, 0) is None
    assert flight.remote.seeds == []  # its thread is still at the old question
    flight.remote.let.release()
    until(lambda: len(flight.remote.asked) == 2)
    assert flight.remote.seeds == [7]
    assert flight.pilot.step(flight.robot.frame, STEP) is None
    flight.answer()
    assert flight.pilot.step(flight.robot.frame, 2 * STEP) is not None


def test_a_reset_that_failed_is_made_up_for_before_the_next_question(
    fly: Callable[..., Flight], monkeypatch: pytest.MonkeyPatch
) -> None:
    flight, fails = fly(JOINTS, Arm(), delay=0), iter([True, True, False])
    told: list[int] = []

    def reset(seed: int = 0) -> None:
        told.append(seed)
        if next(fails):
            raise UNREACHABLE

    monkeypatch.setattr(flight.remote, "reset", reset)
    flight.pilot.reset(seed=3)
    for now in range(3):
        flight.pilot.step(flight.robot.frame, now * STEP)
        flight.until(lambda now=now: flight.pilot._outcomes or flight.remote.asked)
    assert told == [3, 3, 3]
    assert flight.pilot.troubles == 2


def test_a_policy_that_hangs_does_not_hang_the_end(
    fly: Callable[..., Flight], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(piloting, "_LAST_CALL_S", 0.01)
    flight = fly(JOINTS, Arm(), delay=10**9)
    flight(1)
    flight.pilot.close()
    assert caplog.records[-1].message == "tabletop_arm: the policy hangs, left it alone"
    monkeypatch.undo()


def test_a_policy_in_this_process_is_flown_as_well(
    servo: type, until: Callable[[Callable[[], bool]], None]
) -> None:
    """Each answer is what the policy alone gives for the frames that it was shown."""
    policy, alone = LocalPolicy(servo(), "tabletop_arm"), LocalPolicy(servo(), "tabletop_arm")
    rng, sent, said = np.random.default_rng(4), [], []
    with Pilot(policy, ChunkPlayer(TABLETOP_ARM, execute=2)) as pilot:
        pilot.reset(seed=5)
        alone.reset(seed=5)
        for now in range(8):
            frame = random_frame(TABLETOP_ARM, rng)
            action = pilot.step(frame, now * STEP)
            sent.append(None if action is None else action["arm"].tolist())
            if pilot._asking:
                until(lambda: bool(pilot._outcomes))
                said.append(alone.act(frame, observed_at_ns=now * STEP).action["arm"].tolist())
            else:
                until(lambda: not pilot._frames)
                alone.observe(frame, observed_at_ns=now * STEP)
    # Asked at 0, and answered when nothing had moved yet; asked at 3, 5 and 7, answered a step on.
    first, second, third, _ = said
    assert sent == [None, *first[:3], *second[1:3], *third[1:3]]


def test_a_policy_and_a_player_of_different_bodies_are_refused() -> None:
    with pytest.raises(SpecMismatch, match="a policy for rc_car and a player for road_car"):
        Pilot(Remote(RC_CAR), ChunkPlayer(ROAD_CAR))
