import pytest

from octoverse.embodiment import Embodiment, differences
from octoverse.embodiments import franka

RATES = {
    "franka": 15.0,
    "franka_3hz": 3.0,
    "franka_10hz": 10.0,
    "franka_20hz": 20.0,
    "franka_30hz": 30.0,
}


@pytest.mark.parametrize("name", RATES)
def test_every_rate_has_the_same_streams_and_actions(name: str) -> None:
    body: Embodiment = getattr(franka, name.upper())
    assert (body.name, body.control_hz) == (name, RATES[name])
    told = differences(franka.FRANKA, body)
    assert all(
        line.startswith(("control_hz", "action.arm.low", "action.arm.high", "action.done"))
        for line in told
    )


def test_those_that_say_when_they_are_done() -> None:
    done = [name for name in RATES if "done" in getattr(franka, name.upper()).action]
    assert done == ["franka_3hz", "franka_30hz"]


def test_cables_are_routed_by_shares_of_the_greatest_velocity() -> None:
    arm = franka.FRANKA_CABLE.action["arm"]
    assert arm.names == ("dx", "dy", "dz", "dyaw") and set(arm.units) == {"1"}
    assert "gripper" not in franka.FRANKA_CABLE.action
