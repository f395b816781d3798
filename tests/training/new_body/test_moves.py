from dataclasses import replace

import msgspec

from octoverse.config import PolicyConfig, ReadoutUse
from octoverse.embodiment import Embodiment, EndEffectorDelta, Gripper
from octoverse.embodiments.aloha import ALOHA
from octoverse.embodiments.dobot_cr5 import DOBOT_CR5
from octoverse.embodiments.passenger_car import PASSENGER_CAR
from octoverse.embodiments.road_car import ROAD_CAR
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.embodiments.unitree_g1 import UNITREE_G1
from octoverse.embodiments.widowx import WIDOWX
from octoverse.readouts.regression import RegressionConfig
from octoverse.recipes import demo
from octoverse.recipes.generic import policy_config
from octoverse.training.new_body.moves import Moves

DEMO = {"tabletop_arm": TABLETOP_ARM, "road_car": ROAD_CAR}


def moves(
    body: Embodiment, known: PolicyConfig | None = None, others: dict[str, Embodiment] = DEMO
) -> list[tuple[ReadoutUse, str | None]]:
    known = known or demo.policy_config()
    found = Moves(body, others, known, policy_config(body)).all()
    assert sorted(g for one in found for g in one.use.groups) == sorted(body.action)
    return [(one.use, one.after.key if one.after else None) for one in found]


def test_the_same_numbers_are_made_by_the_same_module_in_the_same_order() -> None:
    hand = {"fingers": Gripper(), "hand": TABLETOP_ARM.action["arm"]}
    [(use, after)] = moves(msgspec.structs.replace(TABLETOP_ARM, name="new", action=hand))
    assert (use.key, use.groups, after) == ("end_effector", ("hand", "fingers"), "end_effector")


def test_other_numbers_of_one_kind_have_their_own_made_after_it() -> None:
    [(use, after)] = moves(WIDOWX)
    assert use.key == "end_effector/widowx" and use.groups == ("arm", "gripper")
    assert after == "end_effector"


def test_what_is_of_no_known_kind_is_made_as_any_body_s_is() -> None:
    (gripper, after), (arm, none) = moves(DOBOT_CR5)
    assert gripper.groups == ("gripper",) and after == "end_effector"
    assert arm.key == "joint_velocity/8x6" and none is None


def test_each_group_is_made_once_by_one_of_two_readouts_that_could() -> None:
    both = {"left": EndEffectorDelta(), "right": EndEffectorDelta()}
    two = msgspec.structs.replace(WIDOWX, name="two", action=both)
    found = moves(two, policy_config(WIDOWX), {"widowx": WIDOWX})
    assert [use.key for use, _ in found] == [
        "end_effector_delta/8x6",
        "end_effector_delta/8x6/right",
    ]


def test_a_codec_that_does_not_fit_is_not_taken() -> None:
    lacking = {k: v for k, v in PASSENGER_CAR.observation.items() if k != "speed"}
    blind = msgspec.structs.replace(PASSENGER_CAR, observation=lacking)
    [(use, after)] = moves(blind)
    assert after is None and use.key.endswith("/scaled")
    [(use, after)] = moves(PASSENGER_CAR)
    assert after == "waypoints"


def test_numbers_that_a_readout_masks_stay_masked_and_there_are_enough_of_them() -> None:
    known = policy_config(WIDOWX)
    wide = ReadoutUse(key="wide", groups=("arm", "gripper"), size=10)
    known = replace(
        known,
        bodies={"widowx": replace(known.bodies["widowx"], readouts=(wide,))},
        readouts={"wide": RegressionConfig()},
    )
    [(use, _)] = moves(TABLETOP_ARM, known, {"widowx": WIDOWX})
    assert use.size == 10
    known = replace(
        known,
        bodies={"widowx": replace(known.bodies["widowx"], readouts=(replace(wide, size=7),))},
    )
    more = {"arm": EndEffectorDelta(), "gripper": Gripper(
        names=("a", "b", "c"), units=("1",) * 3, low=(0.0,) * 3, high=(1.0,) * 3
    )}  # fmt: skip
    [(use, _)] = moves(
        msgspec.structs.replace(TABLETOP_ARM, name="more", action=more), known, {"widowx": WIDOWX}
    )
    assert use.size == 9


def test_groups_of_different_rows_are_not_joined() -> None:
    known = policy_config(ALOHA)
    assert [use.groups for use, _ in moves(UNITREE_G1, known, {"aloha": ALOHA})] == [
        ("arms",), ("hands",),
    ]  # fmt: skip
