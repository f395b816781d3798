import logging
import math
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest

from octoverse.acting import LocalPolicy, open_session
from octoverse.embodiment import Embodiment
from octoverse.embodiments.road_car import ROAD_CAR
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.servers.batcher import Batcher, Waiting
from octoverse.servers.engine import FAILED, Engine
from octoverse.servers.faults import Faults
from octoverse.servers.robots import Robot
from octoverse.synthetic import random_frame
from octoverse.wire import Act, Fault, Reply

Build = Callable[[Any], Engine]


class Asker:
    """A robot, and the answers that it gets."""

    def __init__(self, policy: Any, body: Embodiment) -> None:
        self.answers: queue.SimpleQueue[tuple[Reply, Mapping[str, np.ndarray]]] = (
            queue.SimpleQueue()
        )
        self.frame = random_frame(body, np.random.default_rng(0))
        self.robot = Robot(session=open_session(policy, body), client="")
        self.robot.session.observe(self.frame, 10**9)

    def request(self, number: int = 1, late: bool = False) -> Waiting:
        session, now = self.robot.session, time.monotonic()
        return Waiting(
            robot=self.robot,
            observation=session.observation(seed=4, step=3),
            memory=session.memory,
            number=number,
            reply=lambda message, arrays: self.answers.put((message, arrays)),
            received=now - 0.02,
            ready=now - 0.01,
            deadline=now - 0.001 if late else math.inf,
        )

    def act(self) -> tuple[Act, Mapping[str, np.ndarray]]:
        reply, arrays = self.answers.get(timeout=60)
        assert isinstance(reply, Act), reply
        return reply, arrays

    def fault(self) -> Fault:
        reply, arrays = self.answers.get(timeout=60)
        assert isinstance(reply, Fault), reply
        assert not arrays
        return reply


@pytest.fixture
def build() -> Iterator[Build]:
    """Makes engines, not yet started, whose threads end when the test does."""
    engines: list[Engine] = []

    def make(policy: Any) -> Engine:
        engines.append(Engine(policy, Batcher(), Faults()))
        return engines[-1]

    yield make
    for engine in engines:
        engine.stop()


def test_an_answer_is_what_the_policy_computes_and_tells_where_the_time_went(
    servo: Any, build: Build
) -> None:
    policy = servo(seconds=0.002)
    engine, asker = build(policy), Asker(policy, TABLETOP_ARM)
    engine.batcher.put(asker.request(number=8))
    engine.start()
    act, action = asker.act()
    local = LocalPolicy(servo(), TABLETOP_ARM)
    local._step = 3
    expected = local.act(asker.frame, observed_at_ns=10**9, seed=4)
    assert action.keys() == expected.action.keys()
    for name, values in expected.action.items():
        assert np.array_equal(np.asarray(action[name]), values)
    assert (act.request, act.step, act.observed_at_ns) == (8, 3, 10**9)
    timing = act.timing
    assert timing.prepared_ms == pytest.approx(10, abs=0.5)
    assert timing.queued_ms >= 10
    assert timing.inference_ms >= 2
    parts = timing.prepared_ms + timing.queued_ms + timing.inference_ms
    assert parts <= timing.total_ms == asker.robot.latency_ms
    there = timing.sent_at_ns - timing.received_at_ns
    assert there / 1e6 == pytest.approx(timing.total_ms)


def test_a_batch_is_answered_to_each_its_own(servo: Any, build: Build) -> None:
    policy = servo()
    engine, arm, car = build(policy), Asker(policy, TABLETOP_ARM), Asker(policy, ROAD_CAR)
    engine.batcher.put(arm.request(1))
    engine.batcher.put(car.request(2))
    engine.start()
    (to_arm, arms), (to_car, cars) = arm.act(), car.act()
    assert arms.keys() == TABLETOP_ARM.action.keys()
    assert cars.keys() == ROAD_CAR.action.keys()
    assert (to_arm.request, to_car.request) == (1, 2)
    assert to_arm.timing.batch == to_car.timing.batch == 2
    assert (engine.tally.answered, engine.tally.batches) == (2, 1)


def test_a_bad_chunk_costs_its_own_robot_alone(
    servo: Any, build: Build, caplog: pytest.LogCaptureFixture
) -> None:
    policy = servo()
    working = policy.act

    def spoilt(observations: Any, memories: Any) -> Any:
        chunks = working(observations, memories)
        for chunk in chunks:
            if chunk.embodiment == "road_car":
                chunk.action.clear()
        return chunks

    policy.act = spoilt
    engine, arm, car = build(policy), Asker(policy, TABLETOP_ARM), Asker(policy, ROAD_CAR)
    engine.batcher.put(arm.request())
    engine.batcher.put(car.request(5))
    engine.start()
    arm.act()
    fault = car.fault()
    assert (fault.code, fault.request) == ("policy_failed", 5)
    assert "chunk of road_car: expected" in fault.message
    assert f"{car.robot.name}: {fault.message}" in caplog.messages
    assert arm.robot.session.memory["calls"] == 1
    assert "calls" not in car.robot.session.memory
    assert engine.tally.answered == 1


def test_one_whose_request_makes_the_policy_fail_costs_the_others_nothing(
    servo: Any, build: Build
) -> None:
    policy = servo()
    working = policy.act

    def failing(observations: Any, memories: Any) -> Any:
        if any(seen.embodiment == "road_car" for seen in observations):
            raise RuntimeError("secret")
        return working(observations, memories)

    policy.act = failing
    engine, arm, car = build(policy), Asker(policy, TABLETOP_ARM), Asker(policy, ROAD_CAR)
    engine.batcher.put(car.request(5))
    engine.batcher.put(arm.request())
    engine.start()
    act, _ = arm.act()
    assert act.timing.batch == 2
    assert (car.fault().message, engine.tally.answered, engine.tally.batches) == (FAILED, 1, 1)
    policy.act = working
    engine.batcher.put(car.request(6))
    car.act()


def test_a_failure_on_the_whole_batch_is_told_to_each_and_the_next_is_computed(
    servo: Any, build: Build
) -> None:
    policy = servo()
    working = policy.act
    policy.act = None
    engine = build(policy)
    askers = [Asker(policy, TABLETOP_ARM), Asker(policy, ROAD_CAR)]
    for asker in askers:
        engine.batcher.put(asker.request())
    engine.start()
    assert [asker.fault().message for asker in askers] == [FAILED, FAILED]
    policy.act = working
    engine.batcher.put(askers[0].request())
    askers[0].act()
    assert (engine.tally.answered, engine.tally.batches) == (1, 2)


def test_what_is_stale_is_said_so_and_never_computed(servo: Any, build: Build) -> None:
    policy = servo()
    engine, late, fine = build(policy), Asker(policy, ROAD_CAR), Asker(policy, TABLETOP_ARM)
    engine.batcher.put(late.request(6, late=True))
    engine.batcher.put(fine.request())
    engine.start()
    fault = late.fault()
    fine.act()
    assert (fault.code, fault.request) == ("stale", 6)
    assert fault.message == "The deadline comes before an answer could."
    assert policy.batches == [["tabletop_arm"]]


def occupied(policy: Any) -> threading.Event:
    """Make the policy hold what it begins; the event says when it has begun."""
    began, working = threading.Event(), policy.act

    def telling(observations: Any, memories: Any) -> Any:
        began.set()
        return working(observations, memories)

    policy.act = telling
    policy.hold.clear()
    return began


def test_stopping_computes_what_waits(servo: Any, build: Build) -> None:
    policy = servo()
    began = occupied(policy)
    engine, busy, waiting = build(policy), Asker(policy, TABLETOP_ARM), Asker(policy, ROAD_CAR)
    engine.batcher.put(busy.request())
    engine.start()
    assert began.wait(60)
    engine.batcher.put(waiting.request(9))
    stopping = threading.Thread(target=engine.stop, args=(60.0,))
    stopping.start()
    assert busy.answers.empty() and waiting.answers.empty()
    policy.hold.set()
    stopping.join(60)
    assert not stopping.is_alive()
    assert [busy.act()[0].request, waiting.act()[0].request] == [1, 9]
    late = busy.request(10)
    assert engine.batcher.put(late) is late


def test_stopping_tells_those_who_could_not_be_computed_in_time(servo: Any, build: Build) -> None:
    policy = servo()
    began = occupied(policy)
    engine, busy, waiting = build(policy), Asker(policy, TABLETOP_ARM), Asker(policy, ROAD_CAR)
    engine.batcher.put(busy.request(8))
    engine.start()
    assert began.wait(60)
    engine.batcher.put(waiting.request(9))
    engine.stop(within_s=0.001)
    for asker, number in ((busy, 8), (waiting, 9)):
        fault = asker.fault()
        assert (fault.code, fault.message, fault.request) == (
            "stopping",
            "The server stops.",
            number,
        )
    thread = engine._thread
    policy.hold.set()
    assert thread is not None
    thread.join(60)
    assert not thread.is_alive()
    assert busy.answers.empty() and waiting.answers.empty()


def test_the_log_keeps_what_clients_are_not_told(
    servo: Any, build: Build, caplog: pytest.LogCaptureFixture
) -> None:
    policy = servo()

    def failing(observations: Any, memories: Any) -> Any:
        raise RuntimeError("secret of the house")

    policy.act = failing
    engine, asker = build(policy), Asker(policy, TABLETOP_ARM)
    engine.batcher.put(asker.request())
    with caplog.at_level(logging.ERROR):
        engine.start()
        assert asker.fault().message == "The policy failed; the server's log says why."
    assert "secret of the house" in caplog.text


def test_a_policy_that_answers_at_once_is_asked_on_the_spot(servo: Any, build: Build) -> None:
    policy = servo()
    engine, asker, threads = build(policy), Asker(policy, TABLETOP_ARM), list[threading.Thread]()
    working = policy.act

    def told(observations: Any, memories: Any) -> Any:
        threads.append(threading.current_thread())
        return working(observations, memories)

    policy.act = told
    engine.lend(threading.current_thread(), lambda: None)
    engine.start()

    def ask() -> bool:
        """Whether it was computed here."""
        assert engine.ask(asker.request()) is None
        asker.act()
        return threads[-1] is threading.current_thread()

    assert not ask()  # nobody knows yet how long it takes
    engine.batcher.inference = 0.0001
    assert ask()
    engine.batcher.inference = 0.01
    assert not ask()
    assert len(engine.batcher) == 0


def test_only_the_thread_that_was_lent_computes_on_the_spot(servo: Any, build: Build) -> None:
    policy = servo()
    engine, asker = build(policy), Asker(policy, TABLETOP_ARM)
    engine._proven = True
    assert engine.ask(asker.request()) is None
    assert len(engine.batcher) == 1
