from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from octoverse import motion, registry
from octoverse.data.logs.drive import Agents, TimedQuestion
from octoverse.data.logs.join import Join, Stretch
from octoverse.embodiment import (
    AccelerationCurvature,
    Command,
    Embodiment,
    JointPosition,
    Pedals,
    SafeStop,
    State,
)
from octoverse.episode import Episode
from octoverse.errors import BadData

CAR: Embodiment = registry.load("embodiment", "passenger_car")
WHEEL = State(names=("steering_wheel", "speed"), units=("rad", "m/s"), low=(-9, -9), high=(9, 99))
CONTROLLED = Embodiment(
    name="controlled_car",
    control_hz=5.0,
    observation={"wheel": WHEEL},
    action={
        "controls": AccelerationCurvature(steps=20, hz=10.0),
        "pedals": Pedals(),
        "wheel": JointPosition(names=("steering_wheel",), units=("rad",), low=(-9,), high=(9,)),
    },
    safe_stop=SafeStop(kind="zero"),
)


def join(drives: Any, drive: Any, body: Embodiment = CAR, **changed: Any) -> Episode:
    last = int(drive.ego.times_ns[-1]) if drive.ego else drives.start + 12 * 10**9
    steps = int((last - drives.start) / 1e9 * body.control_hz) + 1
    known = (drives.start, last)
    stretch = Stretch(drive="d", key="d", start_ns=drives.start, steps=steps, known_ns=known)
    settings = {"tolerance": 0.03, "longest_gap": 0.5, "stretch": stretch, **changed}
    return Join(drive=drive, body=body, **settings).episode("made")


def real(episode: Episode, name: str) -> np.ndarray:
    valid = {**episode.observation_valid, **episode.action_valid}
    every = {**episode.observation, **episode.action}
    found: np.ndarray = valid.get(name, np.ones(len(every[name]), bool))
    return found


def test_a_drive_becomes_an_episode_that_fits_the_body(drives: Any) -> None:
    episode = join(drives, drives.make())
    assert (len(episode), episode.key, episode.source) == (121, "d", "made")
    assert np.diff(episode.times_ns).tolist() == [100_000_000] * 120
    names = {"front", "ego_history", "speed", "command", "instruction"}
    assert set(episode.observation) == names
    frame = {k: v[50] for k, v in episode.observation.items() if k not in ("front", "command")}
    CAR.check_frame({**frame, "front": np.zeros((320, 576, 3), np.uint8), "command": np.int64(0)})
    CAR.check_action({"path": episode.action["path"][50]})
    assert set(episode.calibration) == {"front"}
    assert episode.tracks is None and episode.questions == ()


def test_a_turn_to_the_left_goes_to_the_left(drives: Any) -> None:
    path = join(drives, drives.make()).action["path"]
    time = np.arange(1, 65) / 10
    turned = drives.speed * drives.bend * time
    expected = [np.sin(turned) / drives.bend, (1 - np.cos(turned)) / drives.bend, turned]
    np.testing.assert_allclose(path[10], np.stack(expected, axis=1), atol=0.02)
    assert path.dtype == np.float32


def test_a_future_that_is_not_there_is_invalid_row_by_row(drives: Any) -> None:
    episode = join(drives, drives.make())
    valid = episode.action_valid["path"]
    np.testing.assert_array_equal(valid.sum(axis=1), np.minimum(64, 120 - np.arange(121)))
    assert not episode.action["path"][~valid].any()


def test_history_ends_now_and_is_invalid_where_the_past_is_not_there(drives: Any) -> None:
    episode = join(drives, drives.make())
    history = np.asarray(episode.observation["ego_history"])
    assert np.flatnonzero(~real(episode, "ego_history")).tolist() == list(range(15))
    np.testing.assert_allclose(history[20, -1], 0, atol=1e-6)
    assert history[20, 0, 0] < -10 and (history[20, :-1, 1] > 0).all(), "a left turn came from it"
    back = motion.relative(history[30, 5], np.zeros(3))
    np.testing.assert_allclose(episode.action["path"][20, 9], back, atol=1e-3)


def test_waypoints_put_together_again_are_the_drive(drives: Any) -> None:
    drive = drives.make()
    path = join(drives, drive).action["path"][:, 0]
    heading = np.pi / 2
    here = np.array([0.0, 0.0, heading])
    for step in path[:-1]:
        here = motion.compose(here, step)
    np.testing.assert_allclose(here[:2], drive.ego.positions[-1, :2], atol=0.01)


def test_each_step_shows_the_frame_nearest_to_it(drives: Any) -> None:
    drive = drives.make()
    camera = drive.cameras["front"]
    # Two frames in a row are lost at 5 s.
    kept = [i for i in range(len(camera.times_ns)) if i not in (99, 100)]
    lost = replace(camera, times_ns=camera.times_ns[kept], images=[camera.images[i] for i in kept])
    episode = join(drives, replace(drive, cameras={"front": lost}))
    # Frames are 10 ms late at every second step, and 40 ms away where some are missing.
    assert [int(episode.observation["front"][i][0, 0, 0]) for i in (0, 1, 2)] == [0, 2, 4]
    assert np.flatnonzero(~real(episode, "front")).tolist() == [50, 120]


def test_cameras_that_the_drive_lacks_are_absent(drives: Any) -> None:
    episode = join(drives, drives.make(cameras={}))
    assert "front" not in episode.observation and not episode.calibration


def test_speed_that_was_not_measured_is_found_from_the_past(drives: Any) -> None:
    episode = join(drives, drives.make(speed=None))
    assert np.flatnonzero(~real(episode, "speed")).tolist() == [0, 1, 2]
    np.testing.assert_allclose(episode.observation["speed"][3:], drives.speed, atol=0.06)

    # Braking hard from 6 s on changes nothing that is known at 6 s.
    ego = drives.make().ego
    later = ego.times_ns > ego.times_ns[150]
    stopped = np.where(later[:, None], ego.positions[150], ego.positions)
    braked = join(drives, drives.make(speed=None, ego=replace(ego, positions=stopped)))
    np.testing.assert_array_equal(
        braked.observation["speed"][:61], episode.observation["speed"][:61]
    )


def test_commands_and_instructions_hold_until_the_next(drives: Any) -> None:
    episode = join(drives, drives.make())
    command = np.asarray(episode.observation["command"])
    assert not real(episode, "command")[:10].any() and real(episode, "command")[10:].all()
    assert (command[[10, 49, 50, 120]] == [0, 0, 1, 1]).all()
    assert set(episode.observation["instruction"]) == {"turn left"}


def test_a_command_of_another_kind_is_unknown_where_the_body_has_that(drives: Any) -> None:
    drive = drives.make()
    drive = replace(drive, command=replace(drive.command, values=["left", "take the exit"]))
    assert join(drives, drive).observation["command"][-1] == 3
    few = replace_observation({"command": Command(names=("left", "right"))})
    with pytest.raises(BadData, match=r"expected commands of 'few' \(left, right\), got 'take the"):
        join(drives, drive, few)


def replace_observation(observation: dict[str, Any]) -> Embodiment:
    return Embodiment(
        name="few",
        control_hz=10.0,
        observation=observation,
        action=CAR.action,
        safe_stop=CAR.safe_stop,
    )


def test_nothing_stands_in_a_gap_of_a_signal(drives: Any) -> None:
    drive = drives.make()
    kept = (drive.speed.times_ns <= drives.start + 3e9) | (
        drive.speed.times_ns >= drives.start + 4e9
    )
    speed = replace(
        drive.speed, times_ns=drive.speed.times_ns[kept], values=drive.speed.values[kept]
    )
    episode = join(drives, replace(drive, speed=speed))
    assert np.flatnonzero(~real(episode, "speed")).tolist() == list(range(31, 40))


def test_the_wheel_is_state_and_action(drives: Any) -> None:
    episode = join(drives, drives.make(), CONTROLLED)
    np.testing.assert_allclose(episode.action["wheel"][:, 0], np.arange(61) / 50, atol=1e-6)
    np.testing.assert_allclose(episode.observation["wheel"][30], [0.6, 8.0], atol=1e-6)
    assert "pedals" not in episode.action
    assert "wheel" not in join(drives, drives.make(steering=None), CONTROLLED).observation


def test_controls_drive_the_way_that_was_driven(drives: Any) -> None:
    episode = join(drives, drives.make(), CONTROLLED)
    controls, valid = episode.action["controls"], episode.action_valid["controls"]
    assert not valid[:2].any(), "without a past there is no speed to begin with"
    assert valid[2:50].all()
    np.testing.assert_array_equal(valid[51:].sum(axis=1), 20 - 2 * np.arange(1, 11))
    for step in (5, 20, 49):
        path, _ = motion.roll_out(np.array(8.0), controls[step, :, 0], controls[step, :, 1], 0.1)
        time = np.arange(1, 21) / 10
        expected = np.sin(0.4 * time) / 0.05, (1 - np.cos(0.4 * time)) / 0.05
        np.testing.assert_allclose(path[:, :2], np.stack(expected, axis=1), atol=0.1)
    assert (controls[5, :, 1] > 0.04).all(), "left is positive"


def test_controls_beyond_the_limits_are_left_out(drives: Any) -> None:
    ego = drives.make().ego
    jumped = ego.positions.copy()
    jumped[200:] += 3.0
    episode = join(drives, drives.make(ego=replace(ego, positions=jumped)), CONTROLLED)
    controls, valid = episode.action["controls"], episode.action_valid["controls"]
    assert not valid[39].all() and valid[20].all()
    group = CONTROLLED.action["controls"]
    assert (controls >= group.low).all() and (controls <= group.high).all()


def test_other_agents_are_seen_from_the_car(drives: Any) -> None:
    ego = drives.make().ego
    row = 50  # at 2 s
    frame = [*ego.positions[row, :2], 0.8 + np.pi / 2]
    ahead = motion.compose(np.array(frame), np.array([[10.0, 2.0, 0.5]] * 3))
    times = ego.times_ns[row] + np.array([-20, 10, 70]) * 1_000_000
    agents = Agents(
        times_ns=times,
        identity=np.array(["a", "a", "a"]),
        kind=np.array(["VEHICLE"] * 3),
        positions=np.concatenate([ahead[:, :2], np.ones((3, 1))], axis=1),
        headings=ahead[:, 2],
        size=np.array([[4.0, 2.0, 1.5]] * 3),
        velocity=np.array([[-np.sin(0.8), np.cos(0.8)]] * 3) * 5,
    )
    tracks = join(drives, drives.make(agents=agents)).tracks
    assert tracks is not None
    # The first two are near step 20, of which the second is nearer; the third is near step 21.
    assert tracks.step.tolist() == [20, 21]
    np.testing.assert_allclose(tracks.pose[0], [10.0, 2.0, 0.5], atol=0.01)
    np.testing.assert_allclose(tracks.velocity[0], [5.0, 0.0], atol=1e-6)
    assert tracks.size[0].tolist() == [4.0, 2.0, 1.5] and tracks.kind[0] == "VEHICLE"


def test_questions_stand_at_their_step(drives: Any) -> None:
    asked = TimedQuestion(
        at_ns=drives.start + 2_030_000_000, kind="planning", question="Why?", answer="So."
    )
    late = replace(asked, at_ns=drives.start + 20 * 10**9)
    (found,) = join(drives, drives.make(questions=(asked, late))).questions
    assert (found.step, found.kind, found.question, found.answer) == (20, "planning", "Why?", "So.")
