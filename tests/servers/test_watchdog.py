"""A policy that hangs, in time of the test's own: `watch` is told what time it is."""

import math
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest

from octoverse import wire
from octoverse.acting import open_session
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.servers.batcher import Batcher, Waiting
from octoverse.servers.engine import Engine
from octoverse.servers.faults import Faults
from octoverse.servers.robots import Robot
from octoverse.synthetic import random_frame

Until = Callable[[Callable[[], bool]], None]
LIMIT_S = 1000.0


class Hanging:
    """Hangs where it is told to, once for each time that it is told."""

    def __init__(self, servo: Any) -> None:
        self.policy = servo()
        self.began: queue.SimpleQueue[threading.Event] = queue.SimpleQueue()
        self.hangs = 0
        working = self.policy.act

        def act(observations: Any, memories: Any) -> Any:
            if self.hangs:
                self.hangs -= 1
                let_go = threading.Event()
                self.began.put(let_go)
                let_go.wait(600)
            return working(observations, memories)

        self.policy.act = act


class House:
    """An engine with a policy that hangs, and one robot."""

    def __init__(self, servo: Any) -> None:
        self.hanging = Hanging(servo)
        self.faults = Faults()
        policy = self.hanging.policy
        self.engine = Engine(policy, Batcher(), self.faults, watchdog_s=LIMIT_S)
        self.robot = Robot(session=open_session(policy, TABLETOP_ARM), client="")
        self.robot.session.observe(random_frame(TABLETOP_ARM, np.random.default_rng(0)), 10**9)
        self.answers: queue.SimpleQueue[wire.Reply] = queue.SimpleQueue()
        self.let_go: list[threading.Event] = []
        self.engine.start()

    def ask(self, number: int) -> None:
        def reply(message: wire.Reply, arrays: Mapping[str, np.ndarray]) -> None:
            self.answers.put(message)

        now = time.monotonic()
        request = Waiting(
            robot=self.robot,
            observation=self.robot.session.observation(),
            memory=self.robot.session.memory,
            number=number,
            reply=reply,
            received=now,
            ready=now,
            deadline=now + 10_000,
        )
        assert self.engine.batcher.put(request) is None

    def hear(self) -> wire.Reply:
        return self.answers.get(timeout=60)

    def hang(self, number: int) -> None:
        """Ask for what will hang, and wait until it does."""
        self.hanging.hangs += 1
        self.ask(number)
        self.let_go.append(self.hanging.began.get(timeout=60))

    def later(self, seconds: float) -> None:
        self.engine.watch(time.monotonic() + seconds)

    def prove(self) -> None:
        """Let the policy answer once."""
        self.ask(0)
        assert isinstance(self.hear(), wire.Act)


@pytest.fixture
def house(servo: Any) -> Iterator[House]:
    made = House(servo)
    yield made
    for event in made.let_go:
        event.set()
    made.engine.stop(60)


def test_a_batch_that_hangs_is_given_up_in_words_and_the_next_is_computed(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.prove()
    house.hang(1)
    house.later(LIMIT_S - 1)
    assert house.answers.empty() and house.engine.hung == 0
    house.later(LIMIT_S + 1)
    fault = house.hear()
    assert isinstance(fault, wire.Fault)
    assert (fault.code, fault.request) == ("policy_failed", 1)
    assert fault.message == "The policy did not answer within 1000 s."
    assert house.engine.hung == 1 and house.engine.hangs
    assert "the policy hangs: gave up a batch of 1" in caplog.messages
    house.ask(2)
    act = house.hear()
    assert isinstance(act, wire.Act) and act.request == 2
    assert house.engine.lost == "" and not house.engine.hangs


def test_what_a_given_up_thread_answers_later_is_dropped(
    house: House, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    house.prove()
    house.hang(1)
    memory = house.robot.session.memory
    [thread] = [t for t in threading.enumerate() if t is house.engine._thread]
    house.later(LIMIT_S + 1)
    assert isinstance(house.hear(), wire.Fault)
    house.let_go[0].set()
    thread.join(60)
    assert not thread.is_alive()
    assert house.answers.empty()
    assert house.robot.session.memory is not memory
    assert any("a batch given up came to its end" in words for words in caplog.messages)
    house.prove()


def test_a_policy_that_never_answered_yet_may_take_longer(house: House) -> None:
    house.hang(1)
    house.later(19 * LIMIT_S)
    assert house.answers.empty()
    house.let_go[0].set()
    assert isinstance(house.hear(), wire.Act)
    house.hang(2)
    house.later(LIMIT_S + 1)
    assert house.hear().request == 2


def test_a_policy_that_hangs_in_four_threads_is_given_up_until_one_comes_back(
    house: House, until: Until
) -> None:
    house.prove()
    for number in range(1, 5):
        assert house.engine.lost == ""
        house.hang(number)
        house.later(LIMIT_S + 1)
        assert house.hear().request == number
    words = "The policy hangs in 4 threads; the server must be started again."
    assert house.engine.lost == words
    house.ask(5)
    house.later(0)
    fault = house.hear()
    assert isinstance(fault, wire.Fault)
    assert (fault.code, fault.message, fault.request) == ("policy_failed", words, 5)
    house.let_go[0].set()

    def found() -> bool:
        house.later(0)
        return house.engine.lost == ""

    until(found)
    house.prove()
    assert house.engine.hung == 4


def test_another_policy_begins_with_a_thread_of_its_own(house: House, servo: Any) -> None:
    house.prove()
    for number in range(1, 5):
        house.hang(number)
        house.later(LIMIT_S + 1)
        house.hear()
    assert house.engine.lost
    house.engine.swap(servo())
    house.robot.model = 1
    assert house.engine.lost == ""
    house.prove()


def test_a_limit_that_makes_no_sense_is_refused(servo: Any) -> None:
    with pytest.raises(ValueError, match="watchdog_s must be above 0, got 0"):
        Engine(servo(), Batcher(), Faults(), watchdog_s=0)


def test_it_looks_by_itself(servo: Any) -> None:
    hanging, faults = Hanging(servo), Faults()
    engine = Engine(hanging.policy, Batcher(), faults, watchdog_s=0.01)
    hanging.hangs = 1
    engine.start()
    robot = Robot(session=open_session(hanging.policy, TABLETOP_ARM), client="")
    robot.session.observe(random_frame(TABLETOP_ARM, np.random.default_rng(0)), 1)
    answers: queue.SimpleQueue[wire.Reply] = queue.SimpleQueue()
    engine.batcher.put(
        Waiting(
            robot=robot,
            observation=robot.session.observation(),
            memory=robot.session.memory,
            number=1,
            reply=lambda message, arrays: answers.put(message),
            received=0.0,
            ready=0.0,
            deadline=math.inf,
        )
    )
    fault = answers.get(timeout=60)
    assert isinstance(fault, wire.Fault)
    assert fault.message == "The policy did not answer within 0.2 s."
    hanging.began.get(timeout=60).set()
    engine.stop()
