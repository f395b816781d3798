import pytest

from octoverse.embodiments.panda import PANDA
from octoverse.errors import SpecMismatch


def test_a_delta_beyond_robosuite_s_controller_is_refused() -> None:
    action = {"arm": [0.0, 0.0, 0.06, 0.0, 0.0, 0.0], "gripper": [1.0]}
    with pytest.raises(
        SpecMismatch, match=r"panda.arm\[dz\]: expected -0.05 to 0.05 m, got 0.06 m"
    ):
        PANDA.check_action(action)


def test_robosuite_s_own_gripper_sign_is_refused() -> None:
    action = {"arm": [0.0] * 6, "gripper": [-1.0]}
    with pytest.raises(SpecMismatch, match=r"panda.gripper\[opening\]: expected 0 to 1, got -1\.$"):
        PANDA.check_action(action)
