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
    assert "the tool's orientation is not all measured" in found.message


def test_numbers_in_another_order_are_left_to_the_axes(
    make: Fixture, told: Fixture, changed: Fixture
) -> None:
    swap = changed("action", "arm", lambda values: values[:, [1, 0, 2, 3, 4, 5]])
    source = make("widowx", change=swap)
    assert {f.check for f in told(source)} == {"axes"}
    (found,) = [f for f in told(source, "cannot be told") if f.check == "frame"]
    assert "another order or sense (see axes)" in found.message


def test_axes_that_are_turned_are_a_fault(make: Fixture, told: Fixture, changed: Fixture) -> None:
    def turn(values: np.ndarray) -> np.ndarray:
        values, half = values.copy(), np.sqrt(0.5)
        x, y = values[:, 0].copy(), values[:, 1].copy()
        values[:, 0], values[:, 1] = half * (x - y), half * (x + y)
        return values

    found = told(make("widowx", change=changed("action", "arm", turn)))
    (found,) = [f for f in found if f.check == "frame"]
    assert found.severity == "fault"
    assert "turned by 45 degrees against those that the state is measured in" in found.message


def test_an_arm_that_does_not_follow_tells_no_frame(
    make: Fixture, told: Fixture, changed: Fixture
) -> None:
    rng = np.random.default_rng(0)
    noise = changed("action", "arm", lambda v: rng.normal(0, 0.01, v.shape).astype(np.float32))
    (found,) = [
        f for f in told(make("widowx", change=noise), "cannot be told") if f.check == "frame"
    ]
    assert "the state does not follow the action" in found.message


def test_too_few_steps_tell_no_frame(make: Fixture, told: Fixture) -> None:
    def cut(episode: Episode) -> Episode:
        return replace(
            episode,
            times_ns=episode.times_ns[:9],
            observation={k: v[:9] for k, v in episode.observation.items()},
            action={k: v[:9] for k, v in episode.action.items()},
        )

    source = make("widowx", change=cut, episodes=3)
    (found,) = [f for f in told(source, "cannot be told") if f.check == "frame"]
    assert "there are too few steps" in found.message
