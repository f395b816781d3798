import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from octoverse.acting import open_session
from octoverse.embodiment import Embodiment
from octoverse.embodiments.road_car import ROAD_CAR
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.episode import ActionChunk
from octoverse.errors import SpecMismatch
from octoverse.servers.batcher import Waiting
from octoverse.servers.blame import ask
from octoverse.servers.robots import Robot
from octoverse.synthetic import random_frame

NO_ACTION = ActionChunk(embodiment="road_car", action={}, observed_at_ns=10**9)


class Crew:
    """A policy that fails on some robots' steps, and the robots that ask it."""

    def __init__(self, policy: Any, guilty: set[int]) -> None:
        self.policy, self.guilty = policy, guilty
        self.calls: list[list[int]] = []
        self._act, policy.act = policy.act, self.act
        self.robots = [self._robot(body) for body in (TABLETOP_ARM, ROAD_CAR) * 2]

    def _robot(self, body: Embodiment) -> Robot:
        robot = Robot(session=open_session(self.policy, body), client="")
        robot.session.observe(random_frame(body, np.random.default_rng(0)), 10**9)
        return robot

    def act(self, observations: Sequence[Any], memories: Sequence[dict[str, Any]]) -> Any:
        self.calls.append([seen.step for seen in observations])
        for memory in memories:
            memory["touched"] = memory.get("touched", 0) + 1
        if self.guilty & set(self.calls[-1]):
            raise RuntimeError("no way")
        return self._act(observations, memories)

    def ask(self, still: Sequence[bool] = (True,) * 10) -> list[ActionChunk | Exception | None]:
        batch = [
            Waiting(
                robot=robot,
                observation=robot.session.observation(step=i),
                memory=robot.session.memory,
                number=i,
                reply=lambda message, arrays: None,
                received=0.0,
                ready=0.0,
                deadline=math.inf,
            )
            for i, robot in enumerate(self.robots)
        ]
        wanted = iter(still)
        found = ask(self.policy, batch, [one.memory for one in batch], lambda: next(wanted))
        return [found.get(request) for request in batch]


def bad(outcomes: list[ActionChunk | Exception | None]) -> list[int]:
    return [i for i, one in enumerate(outcomes) if isinstance(one, Exception)]


def test_what_does_not_fail_is_computed_together(servo: Any) -> None:
    crew = Crew(servo(), set())
    bodies = [one.embodiment for one in crew.ask() if isinstance(one, ActionChunk)]
    assert bodies == ["tabletop_arm", "road_car"] * 2
    assert crew.calls == [[0, 1, 2, 3]]
    assert [robot.session.memory["touched"] for robot in crew.robots] == [1] * 4


def test_a_guilty_one_is_found_and_then_computed_apart_until_it_succeeds(
    servo: Any, caplog: pytest.LogCaptureFixture
) -> None:
    crew = Crew(servo(), {2})
    assert bad(crew.ask()) == [2]
    assert crew.calls == [[0, 1, 2, 3], [0], [1], [2], [3]]
    assert f"the policy failed on a batch of 1: {crew.robots[2].name}" in caplog.messages
    assert bad(crew.ask()) == [2]
    crew.guilty = set()
    assert bad(crew.ask()) == []
    assert bad(crew.ask()) == []
    assert crew.calls[5:] == [[0, 1, 3], [2], [0, 1, 3], [2], [0, 1, 2, 3]]


def test_memory_that_a_failed_call_touched_is_forgotten(servo: Any) -> None:
    crew = Crew(servo(), {2})
    crew.ask()
    assert all("touched" not in robot.session.memory for robot in crew.robots)
    assert all(not robot.session.memory["instruction"] for robot in crew.robots)
    crew.ask()
    touched = [robot.session.memory.get("touched", 0) for robot in crew.robots]
    assert touched == [1, 1, 0, 1]


def test_too_few_chunks_are_nobody_s(servo: Any) -> None:
    crew = Crew(servo(), set())
    act = crew._act
    crew._act = lambda observations, memories: act(observations, memories)[:-1]
    outcomes = crew.ask()
    assert bad(outcomes) == [0, 1, 2, 3]
    assert str(outcomes[0]) == "chunks: expected 1 of them, got 0."


@pytest.mark.parametrize("chunk", [None, NO_ACTION, "chunk"])
def test_what_is_no_chunk_fails_its_own_request(servo: Any, chunk: Any) -> None:
    crew = Crew(servo(), set())
    act = crew._act
    crew._act = lambda observations, memories: [*act(observations, memories)[:3], chunk]
    assert bad(crew.ask()) == [3]
    assert len(crew.calls) == 1


def test_a_chunk_that_does_not_fit_is_said_in_words(
    servo: Any, caplog: pytest.LogCaptureFixture
) -> None:
    crew = Crew(servo(), set())
    act = crew._act
    crew._act = lambda observations, memories: act(observations, memories)[::-1]
    outcomes = crew.ask()
    assert all(isinstance(one, SpecMismatch) for one in outcomes)
    assert f"{crew.robots[0].name}: {outcomes[0]}" in caplog.messages


def test_once_nobody_waits_the_policy_is_not_asked_again(servo: Any) -> None:
    crew = Crew(servo(), {2})
    assert crew.ask((True, True, False))[1:] == [None] * 3
    assert crew.calls == [[0, 1, 2, 3], [0]]
