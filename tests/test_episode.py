import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from octoverse.embodiment import Embodiment, Gripper, SafeStop, State, Waypoints
from octoverse.episode import ActionChunk, Episode


def body(control_hz: float, path_hz: float = 10.0) -> Embodiment:
    return Embodiment(
        name="probe",
        control_hz=control_hz,
        observation={"x": State(names=("x",), units=("m",), low=(0.0,), high=(1.0,))},
        action={"hand": Gripper(), "path": Waypoints(steps=4, hz=path_hz)},
        safe_stop=SafeStop(kind="hold"),
    )


def chunk(rows: int, observed_at_ns: int = 0) -> ActionChunk:
    return ActionChunk(
        embodiment="probe",
        action={"hand": np.zeros((rows, 1), np.float32), "path": np.zeros((4, 3), np.float32)},
        observed_at_ns=observed_at_ns,
    )


def test_a_control_step_starts_at_once_and_a_waypoint_is_reached_later() -> None:
    made = chunk(rows=3, observed_at_ns=1_000)
    assert made.times_ns(body(20.0), "hand").tolist() == [1_000, 50_001_000, 100_001_000]
    assert made.times_ns(body(20.0, 5.0), "path")[[0, 3]].tolist() == [200_001_000, 800_001_000]


@given(st.floats(1, 240), st.integers(0, 2**62))
def test_times_are_whole_nanoseconds_that_never_drift(hz: float, now: int) -> None:
    times = chunk(rows=200, observed_at_ns=now).times_ns(body(hz), "hand")
    assert times.dtype == np.int64
    ideal = np.arange(200) / hz * 1e9
    assert np.abs((times - now) - ideal).max() <= 0.5 + 1e-3


def test_a_group_that_the_body_lacks_has_no_times() -> None:
    with pytest.raises(KeyError, match="leg"):
        chunk(rows=1).times_ns(body(10.0), "leg")


def test_an_episode_is_as_long_as_its_times() -> None:
    episode = Episode(
        embodiment="probe",
        source="made",
        key="0",
        times_ns=np.arange(7),
        observation={"x": np.zeros((7, 1))},
        action={"hand": np.zeros((7, 1))},
    )
    assert len(episode) == 7
    assert episode.observation_valid == {} and episode.action_valid == {}


def test_rows_of_a_chunk_are_those_of_control_steps() -> None:
    made = chunk(rows=3)
    made.action["hand"][:] = [[0.0], [0.1], [0.2]]
    assert made.rows(body(20.0), 1, 9)["hand"].tolist() == made.action["hand"][1:].tolist()
    assert set(made.rows(body(20.0), 1, 9)) == {"hand"}
    assert made.rows(body(20.0), 3, 1) == made.rows(body(20.0), 0, 0) == {}
