from typing import Any

import msgspec
import numpy as np
import pytest

from octoverse.errors import BadMessage
from octoverse.servers.frontend_settings import Settings
from octoverse.servers.groot_dialects import ROBOTS, asked, modality_config
from octoverse.servers.key_map import KeyMap

VIDEO = np.arange(2 * 3 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 3, 4, 5, 3)
STATE = np.arange(2 * 3 * 6, dtype=np.float32).reshape(2, 3, 6)
TASK = "annotation.human.task_description"
NESTED: dict[str, Any] = {
    "video": {"front": VIDEO},
    "state": {"arm": STATE},
    "language": {TASK: [["push"], ["lift"]]},
}
FLAT: dict[str, Any] = {"video.front": VIDEO, "state.arm": STATE, TASK: ["push", "lift"]}
ONE: dict[str, Any] = {"video.front": VIDEO[1], "state.arm": STATE[1], TASK: ["lift"]}
ACTIONS = [{"arm": np.full((4, 2), i, np.float32)} for i in range(2)]


def _is_second(robot: dict[str, Any]) -> None:
    np.testing.assert_array_equal(robot["video.front"], VIDEO[1, 2])
    np.testing.assert_array_equal(robot["state.arm"], STATE[1, 2])
    assert robot[TASK] == "lift" and len(robot) == 3


def test_maps_in_an_envelope_are_answered_with_information_beside() -> None:
    found = asked({"observation": NESTED, "options": None}, ())
    assert len(found.robots) == 2
    _is_second(found.robots[1])
    actions, information = found.answer(ACTIONS)
    assert information == {}
    np.testing.assert_array_equal(actions["arm"], np.stack([a["arm"] for a in ACTIONS]))


def test_flat_keys_in_an_envelope_are_answered_with_flat_keys() -> None:
    found = asked({"observation": FLAT, "options": {}}, ())
    _is_second(found.robots[1])
    actions, _ = found.answer(ACTIONS)
    assert actions.keys() == {"action.arm"} and actions["action.arm"].shape == (2, 4, 2)


def test_flat_keys_of_many_robots_are_answered_without_information() -> None:
    found = asked(FLAT, ())
    _is_second(found.robots[1])
    assert found.answer(ACTIONS)["action.arm"].shape == (2, 4, 2)


@pytest.mark.parametrize("words", ["lift", ["lift"], ["push", "lift"]])
def test_flat_keys_of_one_robot_are_answered_for_one(words: Any) -> None:
    found = asked(ONE | {TASK: words}, ())
    [robot] = found.robots
    _is_second(robot)
    assert found.answer(ACTIONS[:1])["action.arm"].shape == (4, 2)


def test_keys_that_are_ignored_are_not_looked_at() -> None:
    found = asked(
        ONE | {"timestamp": np.zeros((7, 7, 7, 7)), "depth": [1, 2]}, {"timestamp", "depth"}
    )
    _is_second(found.robots[0])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (None, "observation: expected a map of keys, got a NoneType"),
        ({"observation": [1]}, "observation: expected a map of keys, got a list"),
        ({}, "expected arrays for one number of robots, got no arrays"),
        ({TASK: ["lift"]}, "expected arrays for one number of robots, got no arrays"),
        (ONE | {"state.arm": STATE}, "one number of robots, got 2 robots, one robot"),
        (FLAT | {"state.arm": STATE[:1]}, "one number of robots, got 1 robots, 2 robots"),
        (
            {"state.arm": np.zeros((ROBOTS + 1, 1, 6), np.float32)},
            f"expected 1 to {ROBOTS} robots, got {ROBOTS + 1}",
        ),
        ({"state.arm": np.zeros((0, 1, 6), np.float32)}, "robots, got 0"),
        (ONE | {"video.front": VIDEO[0, 0]}, "'video.front': expected 4 dimensions, frames first"),
        (ONE | {"state.arm": STATE[0, 0]}, "'state.arm': expected 2 dimensions, frames first"),
        (ONE | {"state.arm": STATE[0, :0]}, "'state.arm': expected 2 dimensions, frames first"),
        ({"state.arm": STATE[None]}, "'state.arm': expected 2 dimensions"),
        (FLAT | {TASK: ["lift"]}, f"'{TASK}': expected the words of 2 robots, got 1"),
        (FLAT | {TASK: 7}, f"'{TASK}': expected the words of 2 robots, got no list"),
        (ONE | {TASK: []}, f"'{TASK}': expected words, got an empty list"),
        (NESTED | {"depth": {"front": VIDEO}}, "video, state and language, got 'depth': a dict"),
        (NESTED | {"video": VIDEO}, "video, state and language, got 'video': a ndarray"),
    ],
)
def test_what_is_in_no_dialect_is_refused_in_words(data: Any, words: str) -> None:
    with pytest.raises(BadMessage) as caught:
        asked(data, ())
    assert words in str(caught.value)


def _key_map(servo: Any) -> KeyMap:
    told = {
        "frontend": "groot",
        "body": "tabletop_arm",
        "address": "127.0.0.1:0",
        "observation": {
            "table": "video.front",
            "wrist": "video.wrist",
            "tool": "state.tool",
            "instruction": TASK,
        },
        "action": {"arm": "arm", "gripper": "gripper"},
    }
    return KeyMap(msgspec.convert(told, Settings), servo())


def test_the_keys_are_told_as_n1_6_tells_them(servo: Any) -> None:
    told = modality_config(_key_map(servo), "n1.6")
    assert all(config["__ModalityConfig_class__"] for config in told.values())
    assert {kind: config["as_json"] for kind, config in told.items()} == {
        "video": {"delta_indices": [0], "modality_keys": ["front", "wrist"]},
        "state": {"delta_indices": [0], "modality_keys": ["tool"]},
        "language": {"delta_indices": [0], "modality_keys": [TASK]},
        "action": {"delta_indices": [0, 1, 2, 3, 4, 5], "modality_keys": ["arm", "gripper"]},
    }


def test_the_keys_are_told_as_n1_5_tells_them_as_text(servo: Any) -> None:
    told = modality_config(_key_map(servo), "n1.5")
    found = {kind: msgspec.json.decode(config["as_json"]) for kind, config in told.items()}
    assert found["video"] == {"delta_indices": [0], "modality_keys": ["video.front", "video.wrist"]}
    assert found["action"]["modality_keys"] == ["action.arm", "action.gripper"]
    assert found["language"]["modality_keys"] == [TASK]


def test_a_kind_that_nobody_reads_is_not_told(servo: Any) -> None:
    told = {
        "frontend": "groot",
        "body": "tabletop_arm",
        "address": "127.0.0.1:0",
        "observation": {"table": "video.a", "wrist": "video.b", "tool": "state.tool"},
        "words": {"instruction": "lift"},
        "action": {"all": ["arm", "gripper"]},
    }
    key_map = KeyMap(msgspec.convert(told, Settings), servo())
    assert modality_config(key_map, "n1.6").keys() == {"video", "state", "action"}
