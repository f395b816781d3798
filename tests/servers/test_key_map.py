from typing import Any

import msgspec
import numpy as np
import pytest

from octoverse.embodiment import Embodiment, JointPosition
from octoverse.embodiments.road_car import ROAD_CAR
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.errors import BadConfig, OctoverseError, SpecMismatch, UnknownName
from octoverse.servers.frontend_settings import Settings
from octoverse.servers.key_map import KeyMap
from octoverse.synthetic import random_frame

ARM: dict[str, Any] = {
    "frontend": "openpi",
    "body": "tabletop_arm",
    "address": "127.0.0.1:0",
    "observation": {
        "table": "images/front",
        "wrist": "images/wrist",
        "tool": ["pose", "gripper"],
        "instruction": "prompt",
    },
    "action": {"actions": ["arm", "gripper"]},
}
IMAGE = np.zeros((120, 160, 3), np.uint8)
SEEN: dict[str, Any] = {
    "images/front": IMAGE,
    "images/wrist": IMAGE[:60],
    "pose": np.array([0.1, 0.2, 0.3, 0.4]),
    "gripper": np.array([0.5]),
    "prompt": "lift",
}
CHUNK = {
    "arm": np.arange(24, dtype=np.float32).reshape(6, 4),
    "gripper": np.linspace(0, 1, 6, dtype=np.float32)[:, None],
}


def _map(servo: Any, **changes: Any) -> KeyMap:
    return KeyMap(msgspec.convert(ARM | changes, Settings), servo())


def test_parts_are_laid_behind_each_other_and_images_keep_their_sizes(servo: Any) -> None:
    key_map = _map(servo)
    arrays, words = key_map.frame(SEEN)
    np.testing.assert_allclose(arrays["tool"], [0.1, 0.2, 0.3, 0.4, 0.5])
    assert arrays["tool"].dtype == np.float32 and words == {"instruction": "lift"}
    assert arrays["table"] is IMAGE
    body = key_map.seen_by(arrays)
    body.check_frame(arrays | words)
    assert (body.cameras["table"].height, body.cameras["wrist"].height) == (120, 60)
    assert body.fingerprint == TABLETOP_ARM.fingerprint


def test_one_key_may_be_cut_into_ranges(servo: Any) -> None:
    parts = ["state[1:5]", "state[0:1]"]
    key_map = _map(servo, observation=ARM["observation"] | {"tool": parts})
    seen = {k: v for k, v in SEEN.items() if k not in ("pose", "gripper")}
    arrays, _ = key_map.frame(seen | {"state": np.arange(8) / 10})
    np.testing.assert_allclose(arrays["tool"], [0.1, 0.2, 0.3, 0.4, 0.0])
    with pytest.raises(SpecMismatch, match=r"'state': expected at least 5 numbers, got 3"):
        key_map.frame(seen | {"state": np.zeros(3)})


def test_every_kind_of_stream_is_taken(servo: Any) -> None:
    settings: dict[str, Any] = {
        **ARM,
        "body": "road_car",
        "observation": {name: name for name in ROAD_CAR.observation},
        "action": {name: name for name in ROAD_CAR.action},
    }
    key_map = KeyMap(msgspec.convert(settings, Settings), servo())
    frame = random_frame(ROAD_CAR, np.random.default_rng(0))
    arrays, words = key_map.frame(frame)
    ROAD_CAR.check_frame(arrays | words)
    assert (arrays | words).keys() == frame.keys()


def test_actions_are_concatenated_in_the_order_told(servo: Any) -> None:
    actions = _map(servo).actions(CHUNK)["actions"]
    np.testing.assert_array_equal(actions, np.hstack([CHUNK["arm"], CHUNK["gripper"]]))
    assert actions.dtype == np.float32
    told = {"turn": "arm[3:4]", "move": ["gripper", "arm[0:3]"]}
    key_map = _map(servo, action=told)
    found = key_map.actions(CHUNK)
    np.testing.assert_array_equal(found["turn"], CHUNK["arm"][:, 3:])
    np.testing.assert_array_equal(found["move"][:, 0], CHUNK["gripper"][:, 0])
    assert key_map.horizons == {"turn": 6, "move": 6}


def test_a_group_may_be_withheld(servo: Any) -> None:
    key_map = _map(servo, action={"actions": "arm"}, withheld=["gripper"])
    np.testing.assert_array_equal(key_map.actions(CHUNK)["actions"], CHUNK["arm"])


def test_grippers_are_turned_both_ways(servo: Any) -> None:
    key_map = _map(
        servo,
        grippers={
            "observation": {"tool.opening": {"open": 0.0, "closed": 1.0}},
            "action": {"gripper.opening": {"open": -1.0, "closed": 1.0}},
        },
    )
    arrays, _ = key_map.frame(SEEN | {"gripper": 0.25})
    np.testing.assert_allclose(arrays["tool"], [0.1, 0.2, 0.3, 0.4, 0.75])
    before = {name: value.copy() for name, value in CHUNK.items()}
    actions = key_map.actions(CHUNK)["actions"]
    np.testing.assert_allclose(actions[:, 4], np.linspace(1, -1, 6), atol=1e-6)
    np.testing.assert_array_equal(actions[:, :4], CHUNK["arm"])
    for name, value in before.items():
        np.testing.assert_array_equal(CHUNK[name], value)


def test_words_stand_in_where_the_client_says_nothing(servo: Any) -> None:
    told = {k: v for k, v in ARM["observation"].items() if k != "instruction"}
    silent = {k: v for k, v in SEEN.items() if k != "prompt"}
    words = {"instruction": "transfer the cube"}
    assert _map(servo, observation=told, words=words).frame(silent)[1] == words
    key_map = _map(servo, words=words)
    assert key_map.frame(silent)[1] == words
    assert key_map.frame(SEEN)[1] == {"instruction": "lift"}


def test_an_optional_stream_may_be_missing(servo: Any) -> None:
    wrist = msgspec.structs.replace(TABLETOP_ARM.cameras["wrist"], optional=True)
    body = msgspec.structs.replace(
        TABLETOP_ARM, observation=TABLETOP_ARM.observation | {"wrist": wrist}
    )
    policy = servo()
    policy.bodies = {body.name: body}
    key_map = KeyMap(msgspec.convert(ARM, Settings), policy)
    arrays, _ = key_map.frame({k: v for k, v in SEEN.items() if k != "images/wrist"})
    assert arrays.keys() == {"table", "tool"}


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ({"pose": None}, "'pose': expected the state 'tool' of 'tabletop_arm', got nothing"),
        ({"prompt": None}, "'prompt': expected the instruction 'instruction' of"),
        ({"speed": 1.0}, "got also 'speed'. Map it to a stream of 'tabletop_arm'"),
        ({b"speed": 1.0}, "got also \"b'speed'\""),
        ({"pose": np.zeros(5)}, "'pose + gripper': expected the 5 numbers of 'tool' (x, y, z, "),
        ({"pose": np.zeros((1, 4))}, "'pose': expected a row of numbers, got shape (1, 4)"),
        ({"images/front": IMAGE / 255}, "'images/front': expected a uint8 RGB image"),
        ({"prompt": 3}, "'prompt': expected words (str), got int 3"),
    ],
)
def test_an_observation_that_does_not_fit_is_refused(
    servo: Any, seen: dict[Any, Any], words: str
) -> None:
    observation = {k: v for k, v in {**SEEN, **seen}.items() if v is not None}
    with pytest.raises(SpecMismatch) as caught:
        _map(servo).frame(observation)
    assert words in str(caught.value)


def test_keys_that_are_named_as_ignored_may_come(servo: Any) -> None:
    arrays, _ = _map(servo, ignored=["speed"]).frame(SEEN | {"speed": 1.0})
    assert arrays.keys() == {"table", "wrist", "tool"}


def _observation(**changes: Any) -> dict[str, Any]:
    found = {**ARM["observation"], **changes}
    return {"observation": {k: v for k, v in found.items() if v is not None}}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"body": "table_arm"}, "No body of servo-1 named 'table_arm'. Did you mean 'tabletop"),
        (_observation(wrists="x"), "No stream of 'tabletop_arm' named 'wrists'. Did you mean"),
        (_observation(wrist=None), "observation.wrist: expected the client's key for the camera"),
        (_observation(table=["a", "b"]), "observation.table: expected one whole key for a camera"),
        (_observation(table="a[0:3]"), "observation.table: expected one whole key for a camera"),
        (_observation(tool="state[0:4]"), "expected ranges of 5 numbers in all (x, y, z, yaw, ope"),
        (_observation(tool="state[5:2]"), "'state[5:2]': expected a name, or a name and a range"),
        (_observation(tool=""), "'': expected a name, or a name and a range"),
        (_observation(tool=[]), "expected at least one part, got an empty list"),
        ({"words": {"tool": "x"}}, "words.tool: expected an instruction, got the state 'tool'"),
        ({"words": {"prompt": "x"}}, "No stream of 'tabletop_arm' named 'prompt'"),
        ({"action": {"actions": ["arm", "hand"]}}, "No action group of 'tabletop_arm' named 'han"),
        ({"action": {"actions": "arm"}}, "each of the 1 numbers of 'gripper' once, got []. Map"),
        ({"action": {"a": ["arm", "gripper", "arm[0:1]"]}}, "'arm' once, got [0, 0, 1, 2, 3]"),
        ({"action": {"a": ["arm[0:5]", "gripper"]}}, "a range within the 4 numbers of 'arm', got"),
        ({"withheld": ["gripper"]}, "each of the 0 numbers of 'gripper' once, got [0]"),
        ({"withheld": ["hand"]}, "No action group of 'tabletop_arm' named 'hand'"),
        (
            {"grippers": {"action": {"gripper.open": {"open": 1.0, "closed": 0.0}}}},
            "No number of a gripper named 'gripper.open'. Did you mean 'gripper.opening'",
        ),
        (
            {"grippers": {"observation": {"tool.yaw": {"open": 1.0, "closed": 0.0}}}},
            "expected 'tool.yaw' to be how far a gripper is open, in the unit 1, got one in rad",
        ),
    ],
)
def test_a_map_that_does_not_fit_the_body_is_refused(
    servo: Any, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(OctoverseError) as caught:
        _map(servo, **changes)
    assert isinstance(caught.value, BadConfig | UnknownName) and words in str(caught.value)


def test_groups_of_different_lengths_are_not_laid_beside_each_other(servo: Any) -> None:
    joints = JointPosition(names=("a",), units=("rad",), low=(-1.0,), high=(1.0,))
    body: Embodiment = msgspec.structs.replace(
        TABLETOP_ARM, action={**TABLETOP_ARM.action, "arm": joints}
    )
    policy = servo()
    policy.bodies = {body.name: body}
    policy.horizons = {body.name: {"arm": 6, "gripper": 3}}
    with pytest.raises(BadConfig, match=r"whose chunks have as many rows, got 3, 6. Give each"):
        KeyMap(msgspec.convert(ARM, Settings), policy)
