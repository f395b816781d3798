from dataclasses import replace
from types import ModuleType

import msgspec
import pytest

from octoverse.config import PolicyConfig, TokenizerUse
from octoverse.embodiment import Camera, Embodiment, GoalImage
from octoverse.embodiments.dobot_cr5 import DOBOT_CR5
from octoverse.embodiments.rc_car import RC_CAR
from octoverse.embodiments.road_car import ROAD_CAR
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.embodiments.widowx import WIDOWX
from octoverse.recipes import demo
from octoverse.recipes.generic import policy_config
from octoverse.tokenizers.calibration import CalibrationTokenizerConfig
from octoverse.tokenizers.goal_image import GoalImageTokenizerConfig
from octoverse.tokenizers.image import ImageTokenizerConfig
from octoverse.tokenizers.language import LanguageTokenizerConfig
from octoverse.training.new_body.reads import Reads, main_stream

DEMO = {"tabletop_arm": TABLETOP_ARM, "road_car": ROAD_CAR}


def reads(
    body: Embodiment, known: PolicyConfig | None = None, others: dict[str, Embodiment] = DEMO
) -> dict[str, tuple[TokenizerUse, TokenizerUse | None]]:
    """By main stream: its use, and the one that it was made after."""
    known = known or demo.policy_config()
    found = Reads(body, others, known, policy_config(body)).all()
    assert all(one.config == known.tokenizers.get(one.use.key, one.config) for one in found)
    return {main_stream(one.use, body): (one.use, one.after) for one in found}


def test_a_camera_of_the_same_role_is_read_by_the_same_module_with_its_words() -> None:
    use, after = reads(DOBOT_CR5)["wrist"]
    assert use.key == "keypoints/wrist"
    assert use.streams == {"image": "wrist", "instruction": "instruction"}
    assert after is not None and after.key == use.key and after.place == use.place


def test_a_camera_of_another_role_has_its_own_made_after_that_of_a_body_that_moves_alike() -> None:
    use, after = reads(WIDOWX)["secondary"]
    assert use.key == "keypoints/secondary" and use.place == "keypoints/secondary"
    assert after is not None and after.key == "keypoints/primary"


def test_a_body_that_moves_alike_is_preferred_to_the_same_role_of_one_that_does_not() -> None:
    front = {**DOBOT_CR5.observation, "wrist": Camera(height=64, width=64, role="front")}
    use, _ = reads(msgspec.structs.replace(DOBOT_CR5, observation=front))["wrist"]
    assert use.key == "keypoints/front"
    use, _ = reads(RC_CAR)["front"]
    assert use.key == "image/front"


def test_a_key_that_stands_for_something_else_is_not_taken() -> None:
    known = demo.policy_config()
    known = replace(
        known, tokenizers={**known.tokenizers, "keypoints/secondary": LanguageTokenizerConfig()}
    )
    found = Reads(WIDOWX, DEMO, known, policy_config(WIDOWX)).all()
    assert "keypoints/secondary/widowx" in {one.use.key for one in found}


def test_two_cameras_of_one_role_share_the_module_and_keep_their_own_places() -> None:
    twice = {**DOBOT_CR5.observation, "again": DOBOT_CR5.observation["wrist"]}
    found = reads(msgspec.structs.replace(DOBOT_CR5, observation=twice))
    (one, _), (other, after) = found["wrist"], found["again"]
    assert one.key == other.key and one.place != other.place
    assert after is not None and after.place == one.place


def test_numbers_that_mean_something_else_are_read_anew_and_the_same_ones_by_the_same() -> None:
    found = reads(DOBOT_CR5)
    assert found["joints"][0].key == "state/joints/6" and found["joints"][1] is None
    other = msgspec.structs.replace(TABLETOP_ARM, name="other")
    use, after = reads(other)["tool"]
    assert use.key == "state/tool" and after is not None


def test_a_stream_cannot_be_read_where_what_guides_the_tokenizer_is_lacking() -> None:
    mute = {k: v for k, v in DOBOT_CR5.observation.items() if k != "instruction"}
    use, after = reads(msgspec.structs.replace(DOBOT_CR5, observation=mute))["wrist"]
    assert after is not None and after.key == "image/front"  # a car's, which needs no words
    assert use.key == "image/wrist" and use.streams == {"image": "wrist"}


@pytest.mark.parametrize("has_goal", [True, False])
def test_a_goal_image_is_that_of_the_camera_itself(small: ModuleType, has_goal: bool) -> None:
    """A checkpoint that reads primary together with its goal."""

    class Both(ImageTokenizerConfig):
        inputs = ("image", "goal")

    known = policy_config(WIDOWX)
    [primary] = [u for u in known.bodies["widowx"].tokenizers if u.key == "image/primary"]
    both = replace(primary, streams={"image": "primary", "goal": "goal"})
    known = replace(
        known,
        bodies={"widowx": replace(known.bodies["widowx"], tokenizers=(both,))},
        tokenizers={"image/primary": Both(height=64, width=64)},
    )
    seen = {"high": Camera(height=64, width=64, role="primary")}
    if has_goal:
        seen |= {"wanted": GoalImage(camera="high", height=64, width=64)}  # type: ignore[dict-item]
    body = msgspec.structs.replace(TABLETOP_ARM, name="new", observation=seen)
    [one] = Reads(body, {"widowx": WIDOWX}, known, policy_config(body)).all()
    expected = {"image": "high", "goal": "wanted"} if has_goal else {"image": "high"}
    assert one.use.streams == expected and (one.after is None) is not has_goal


@pytest.mark.parametrize("calibrated", [True, False])
def test_how_a_camera_looks_is_read_where_that_is_known(calibrated: bool) -> None:
    known = demo.policy_config()
    looks = TokenizerUse(key="looks", streams={"calibration": "wrist.calibration"})
    arm = known.bodies["tabletop_arm"]
    arm = replace(arm, tokenizers=(*arm.tokenizers, looks))
    tokenizers = {**known.tokenizers, "looks": CalibrationTokenizerConfig()}
    known = replace(known, bodies={**known.bodies, "tabletop_arm": arm}, tokenizers=tokenizers)
    seen = {"hand": Camera(height=64, width=64, role="wrist", calibrated=calibrated)}
    body = msgspec.structs.replace(DOBOT_CR5, observation={**DOBOT_CR5.observation, **seen})
    found = Reads(body, DEMO, known, policy_config(body)).all()
    streams = [one.use.streams for one in found if one.use.key == "looks"]
    assert streams == ([{"calibration": "hand.calibration"}] if calibrated else [])


def test_a_goal_image_is_read_as_that_of_the_camera_most_like_its_own() -> None:
    known = policy_config(WIDOWX)
    goal = TokenizerUse(key="goal/primary", streams={"goal": "goal"})
    widowx = replace(known.bodies["widowx"], tokenizers=(goal,))
    known = replace(
        known,
        bodies={"widowx": widowx},
        tokenizers={"goal/primary": GoalImageTokenizerConfig(height=64, width=64)},
    )
    seen = {
        "left": Camera(height=64, width=64, role="side"),
        "wanted": GoalImage(camera="left", height=64, width=64),
    }
    body = msgspec.structs.replace(TABLETOP_ARM, name="new", observation=seen)
    found = Reads(body, {"widowx": WIDOWX}, known, policy_config(body)).all()
    [one] = [one for one in found if "wanted" in one.use.streams.values()]
    assert one.use.key == "goal/side" and one.after == goal
