from octoverse.embodiment import JointPosition
from octoverse.embodiments.unitree_g1 import UNITREE_G1


def test_actions_are_fourteen_joints_and_twelve_shares_of_travel_at_30_hz() -> None:
    arms, hands = UNITREE_G1.action["arms"], UNITREE_G1.action["hands"]
    assert (arms.size, set(arms.units)) == (14, {"rad"})
    assert (hands.size, set(hands.units)) == (12, {"1"})
    assert isinstance(hands, JointPosition)  # no gripper: which end is open is not known
    assert UNITREE_G1.control_hz == 30.0


def test_shoulders_roll_as_mirror_images() -> None:
    arms = UNITREE_G1.action["arms"]
    left, right = (arms.names.index(f"{side}_shoulder_roll") for side in ("left", "right"))
    assert (arms.low[left], arms.high[left]) == (-arms.high[right], -arms.low[right])
