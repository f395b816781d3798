import msgspec
import numpy as np
import pytest

from octoverse.embodiment import AccelerationCurvature, SafeStop, Waypoints
from octoverse.embodiments.aloha import ALOHA
from octoverse.embodiments.rc_car import RC_CAR
from octoverse.embodiments.road_car import ROAD_CAR
from octoverse.servers.braking import Stopping, brake


def arc(speed: float = 10.0, curvature: float = 0.02, steps: int = 30) -> np.ndarray:
    """A path on a circle, (steps, 3)."""
    heading = speed * np.arange(1, steps + 1) / 10 * curvature
    x, y = np.sin(heading) / curvature, (1 - np.cos(heading)) / curvature
    return np.stack([x, y, heading], axis=-1).astype(np.float32)


def test_braking_ends_where_the_speed_says() -> None:
    path = brake(arc(), 10.0, 6.0, 3.0, 30)
    way = np.hypot(*np.diff(path[:, :2], axis=0, prepend=0).T).cumsum()
    assert path.dtype == np.float32
    assert np.isclose(way[-1], 6.0, atol=0.05)
    assert np.allclose(path[20:], path[-1])
    assert np.isclose(path[-1, 2], 6.0 * 0.02, atol=0.01)


def test_braking_goes_straight_on_where_the_path_ends() -> None:
    path = brake(arc(curvature=1e-6)[:3], 10.0, 10.0, 3.0, 30)
    assert np.isclose(path[-1, 0], 10.0 * 3.0 - 0.5 * 3.0 * 9.0, atol=0.1)
    assert np.allclose(path[:, 1], 0, atol=1e-3)


def test_what_stands_stays() -> None:
    assert not brake(np.zeros((5, 3)), 10.0, 0.0, 3.0, 30).any()
    assert not brake(np.zeros((0, 3)), 10.0, 0.0, 3.0, 30).any()


def test_a_stop_brakes_along_the_way_that_it_was_given() -> None:
    way = arc(speed=8.0)
    stop = Stopping(ROAD_CAR, 10**9, 8.0, {}, {"path": way})
    first = stop.action(10**9, 8.0, np.zeros(3))
    assert first is not None
    assert np.allclose(first["path"], brake(way, 10.0, 8.0, 3.0, 30))
    # A second later it is slower, whatever the history still says, and further on.
    later = stop.action(2 * 10**9, 8.0, way[9].astype(np.float64))
    assert later is not None
    assert np.isclose(np.hypot(*later["path"][0, :2]), 0.5, atol=0.02)
    ROAD_CAR.check_action(later)


@pytest.mark.parametrize("known", [True, False])
def test_a_stop_that_knows_no_way_brakes_straight_ahead(known: bool) -> None:
    stop = Stopping(ROAD_CAR, 0, 6.0, {}, {"path": arc()} if not known else {})
    action = stop.action(0, 6.0, np.zeros(3) if known else None)
    assert action is not None
    assert np.allclose(action["path"][:, 1:], 0)
    assert np.isclose(action["path"][-1, 0], 6.0, atol=0.05)


def test_zero_stands_at_once() -> None:
    groups = {"path": Waypoints(steps=4, hz=10.0), "go": AccelerationCurvature(steps=3, hz=10.0)}
    body = msgspec.structs.replace(
        RC_CAR, action={**RC_CAR.action, **groups}, safe_stop=SafeStop(kind="zero")
    )
    action = Stopping(body, 0, 5.0, {}, {}).action(0, 5.0, None)
    assert action is not None
    assert {k: v.shape for k, v in action.items()} == {
        **{"pedals": (2,), "path": (4, 3), "go": (3, 2)}
    }
    assert not any(v.any() for v in action.values())


def test_hold_keeps_what_was_sent_and_makes_nothing_up() -> None:
    last = {"joints": np.full(12, 0.3, np.float32), "grippers": np.ones(2, np.float32)}
    held = Stopping(ALOHA, 0, 0.0, last, {}).action(10**9, 0.0, None)
    assert held is not None
    assert held["joints"].tolist() == last["joints"].tolist()
    assert held["grippers"].tolist() == [1.0, 1.0]
    assert Stopping(ALOHA, 0, 0.0, {}, {}).action(0, 0.0, None) is None
