from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from octoverse.episode import Episode

Fixture = Callable[..., Any]


def turned(episode: Episode) -> Episode:
    """Gives deltas in the frame of a tool that yaws."""
    tool, arm = np.asarray(episode.observation["tool"]), episode.action["arm"].copy()
    cos, sin = np.cos(tool[:, 5]), np.sin(tool[:, 5])
    arm[:, 0], arm[:, 1] = (
        cos * arm[:, 0] + sin * arm[:, 1],
        cos * arm[:, 1] - sin * arm[:, 0],
    )
    return replace(episode, action={**episode.action, "arm": arm})


def yawing(episode: Episode) -> Episode:
    """Lets the tool yaw, and leave roll and pitch alone."""
    tool, arm = np.array(episode.observation["tool"]), episode.action["arm"].copy()
    tool[:, 3:5] *= 0.01
    arm[:, 3:5] *= 0.01
    return replace(
        episode,
        observation={**episode.observation, "tool": tool},
        action={**episode.action, "arm": arm},
    )


def test_deltas_in_the_tool_s_frame_are_a_fault(make: Fixture, told: Fixture) -> None:
    found = told(make("widowx", change=lambda episode: turned(yawing(episode))))
    assert [(f.check, f.severity) for f in found if f.check == "frame"] == [("frame", "fault")]
    assert "in the tool's frame" in found[0].message


def test_deltas_in_the_base_frame_are_confirmed(make: Fixture, told: Fixture) -> None:
    source = make("widowx", change=yawing)
    assert told(source) == []
    (found,) = [f for f in told(source, "information") if f.check == "frame"]
    assert "in the robot's base frame, as they should be" in found.message


def test_a_tool_that_never_turns_tells_no_frame(
    make: Fixture, told: Fixture, changed: Fixture
) -> None:
    def upright(values: np.ndarray) -> np.ndarray:
        values = values.copy()
        values[:, 3:6] *= 0.01
        return values

    source = make("widowx", change=changed("observation", "tool", upright))
    (found,) = [f for f in told(source, "cannot be told") if f.check == "frame"]
    assert "never turned far enough" in found.message


def test_an_arm_without_measured_orientation_tells_no_frame(make: Fixture, told: Fixture) -> None:
    (found,) = [f for f in told(make("tabletop_arm"), "cannot be told") if f.check == "frame"]
    assert "position and orientation of the tool are not all measured" in found.message
