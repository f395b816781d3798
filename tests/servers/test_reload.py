import gc
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from octoverse import checkpoint, wire
from octoverse.embodiments.road_car import ROAD_CAR
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.errors import BadCheckpoint
from octoverse.servers.client import Client
from octoverse.servers.reload import Reloader, trial
from octoverse.servers.service import Service
from octoverse.servers.zeromq import Server
from octoverse.synthetic import random_frame

Serve = Callable[..., Server]
Until = Callable[[Callable[[], bool]], None]
FRAME = random_frame(TABLETOP_ARM, np.random.default_rng(0))
CAR_FRAME = random_frame(ROAD_CAR, np.random.default_rng(0))


@pytest.fixture
def other(servo: Any) -> Callable[..., Any]:
    """Makes another policy, which differs in what is named."""

    def make(**changes: Any) -> Any:
        kind = type("Other", (servo,), {"model": "servo-2", **changes})
        return kind()

    return make


def test_robots_go_on_with_the_new_policy_and_what_was_remembered_is_dropped(
    servo: Any, serve: Serve, other: Any, caplog: pytest.LogCaptureFixture
) -> None:
    server = serve(servo())
    with Client(server.address, TABLETOP_ARM) as client:
        session = client.welcome.session
        for at_ns in (1, 2):
            client.act(FRAME, observed_at_ns=at_ns * 10**8)
        [robot] = server.service.robots
        assert robot.session.memory["calls"] == 2
        new = other()
        with caplog.at_level(logging.INFO):
            assert Reloader(server.service, lambda: new).reload()
        client.act(FRAME, observed_at_ns=3 * 10**8)
        assert client.welcome.session == session
        assert robot.session.memory["calls"] == 1
        assert len(robot.session._window) == 3
        assert client.ping().model == "servo-2"
    told = next(record for record in caplog.records if record.message == "reloaded")
    assert vars(told)["model"] == "servo-2"
    assert new.batches[-1] == ["tabletop_arm"]
    status = server.status()
    assert (status.model, status.reloads, status.reload_failures) == ("servo-2", 1, 0)


def test_a_swap_under_load_loses_nothing(servo: Any, serve: Serve, other: Any) -> None:
    server, seen = serve(servo(0.001)), list[str]()
    done = threading.Event()

    def drive(body: Any, frame: Any) -> int:
        count = 0
        with Client(server.address, body) as client:
            while not done.is_set():
                client.act(frame)
                count += 1
        return count

    with ThreadPoolExecutor(6) as pool:
        driving = [
            pool.submit(drive, body, frame)
            for body, frame in [(TABLETOP_ARM, FRAME), (ROAD_CAR, CAR_FRAME)] * 3
        ]
        for number in range(2, 7):
            before = server.status().answered
            while server.status().answered < before + 10:
                assert not any(one.done() for one in driving)
            new = other(model=f"servo-{number}")
            assert Reloader(server.service, partial(lambda policy: policy, new)).reload()
            seen.append(server.service.policy.model)
        done.set()
        counts = [one.result() for one in driving]
    assert seen == [f"servo-{number}" for number in range(2, 7)]
    assert min(counts) > 0
    status = server.status()
    assert status.answered == sum(counts)
    assert status.faults == {}


def refused(service: Service, policy: Any, caplog: pytest.LogCaptureFixture) -> str:
    """Why a policy is not put in force."""
    old, failures = service.policy, service.reload_failures
    caplog.clear()
    assert not Reloader(service, lambda: policy).reload()
    assert service.policy is old
    assert service.status().reload_failures == failures + 1
    [told] = [r for r in caplog.records if r.message == "not reloaded; the old goes on"]
    return str(vars(told)["why"])


def test_a_policy_that_fails_its_trial_is_not_taken(
    servo: Any, serve: Serve, other: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(self: Any, observations: Any, memories: Any) -> Any:
        raise RuntimeError("weights of another world")

    def short(self: Any, observations: Any, memories: Any) -> Any:
        return servo.act(self, observations, memories)[:1]

    def spoilt(self: Any, observations: Any, memories: Any) -> Any:
        chunks = servo.act(self, observations, memories)
        next(iter(chunks[1].action.values()))[:] = np.nan
        return chunks

    server = serve(servo())
    with Client(server.address, TABLETOP_ARM) as client:
        client.act(FRAME)
        for act, words in (
            (broken, "weights of another world"),
            (short, "chunks: expected 2 of them, got 1."),
            (spoilt, "chunk of road_car.path: expected finite numbers, got NaN or infinity."),
        ):
            assert words in refused(server.service, other(act=act), caplog)
            client.act(FRAME)
    assert server.status().model == "servo-1"


def test_a_policy_must_mean_the_same_by_the_bodies_of_robots_that_are_here(
    servo: Any, serve: Serve, other: Any, other_arm: Any, caplog: pytest.LogCaptureFixture
) -> None:
    server = serve(servo())
    arms = {"tabletop_arm": other_arm, "road_car": ROAD_CAR}
    with Client(server.address, TABLETOP_ARM) as client:
        why = refused(server.service, other(bodies={"road_car": ROAD_CAR}), caplog)
        assert why == (
            "servo-2: expected the body 'tabletop_arm', of which robots are here, got road_car. "
            "Serve it at another address, or stop those robots."
        )
        why = refused(server.service, other(bodies=arms), caplog)
        assert why.startswith(
            "'tabletop_arm' as servo-2 knows it (here) and as robots use it (there) differ: "
            "control_hz: 20.0 here, 10.0 there"
        )
        client.act(FRAME)
    with Client(server.address, ROAD_CAR) as car:
        assert Reloader(server.service, lambda: other(bodies=arms)).reload()
        car.act(CAR_FRAME)


def test_a_robot_whose_window_changes_says_hello_again_by_itself(
    servo: Any, serve: Serve, other: Any, caplog: pytest.LogCaptureFixture
) -> None:
    server = serve(servo())
    with Client(server.address, TABLETOP_ARM) as arm:
        arm.act(FRAME)
        session = arm.welcome.session
        assert Reloader(server.service, lambda: other(frames=2)).reload()
        assert len(server.service.robots) == 0
        arm.act(FRAME)
        assert arm.welcome.session != session
        assert arm.welcome.frames == 2
        assert Reloader(server.service, lambda: other(frames=2, model="servo-3")).reload()
        assert len(server.service.robots) == 1
    assert server.status().faults == {"no_session": 1}


class Peer:
    """Speaks to a service without a socket."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.replies: queue.SimpleQueue[wire.Reply] = queue.SimpleQueue()

    def reply(self, message: wire.Reply, arrays: Mapping[str, np.ndarray]) -> None:
        self.replies.put(message)

    def hello(self, body: Any) -> None:
        self.service.handle(
            wire.Hello(protocol=1, embodiment=body, request=1), {}, self.reply, size=0
        )
        welcome = self.hear()
        assert isinstance(welcome, wire.Welcome)
        self.session = welcome.session

    def observe(self, frame: Mapping[str, Any], request: int, **fields: Any) -> None:
        message = wire.Observe(
            session=self.session,
            request=request,
            observed_at_ns=request,
            words={"instruction": frame["instruction"]},
            **fields,
        )
        arrays = {name: value for name, value in frame.items() if name != "instruction"}
        self.service.handle(message, arrays, self.reply)

    def hear(self) -> wire.Reply:
        return self.replies.get(timeout=60)


def test_what_waits_with_an_old_window_never_reaches_the_new_policy(
    servo: Any, other: Any, until: Until
) -> None:
    old = servo()
    service = Service(old)
    service.start()
    busy, waiting, fitting = Peer(service), Peer(service), Peer(service)
    busy.hello(TABLETOP_ARM)
    waiting.hello(TABLETOP_ARM)
    fitting.hello(ROAD_CAR)
    old.hold.clear()
    busy.observe(FRAME, 2)
    until(lambda: len(old.batches) == 1)
    waiting.observe(FRAME, 3)
    fitting.observe(CAR_FRAME, 4)
    until(lambda: service.status().queue == 2)
    horizons = {name: dict(rows) for name, rows in old.horizons.items()}
    horizons["tabletop_arm"] = dict.fromkeys(horizons["tabletop_arm"], 9)
    new = other()
    new.horizons = horizons
    service.reload(new)
    for peer, request in ((waiting, 3),):
        fault = peer.hear()
        assert isinstance(fault, wire.Fault)
        assert (fault.code, fault.request) == ("no_session", request)
        assert fault.message == "The model was changed, and with it the window that it wants."
        assert fault.remedy == "Say Hello again; the window starts anew."
    old.hold.set()
    assert isinstance(busy.hear(), wire.Act), "it was at work already, with the old policy"
    act = fitting.hear()
    assert isinstance(act, wire.Act) and act.request == 4
    assert new.batches == [["road_car"]]
    waiting.observe(FRAME, 5)
    fault = waiting.hear()
    assert isinstance(fault, wire.Fault)
    assert fault.message == "The model was changed, and with it the window that it wants."
    # Its frame may still have been on the way through the threads that prepare.
    robot = next(iter(service.robots))
    robot.model = -1
    fitting.observe(CAR_FRAME, 6)
    fault = fitting.hear()
    assert isinstance(fault, wire.Fault) and fault.code == "no_session"
    service.stop()


def test_the_old_policy_is_freed(servo: Any, serve: Serve, other: Any) -> None:
    server = serve(servo())
    gone = weakref.ref(server.service.policy)
    with Client(server.address, TABLETOP_ARM) as client:
        client.act(FRAME)
        Reloader(server.service, lambda: other()).reload()
        client.act(FRAME)
        gc.collect()
        assert gone() is None


def test_it_reloads_when_asked_and_when_there_is_something_newer(
    servo: Any, serve: Serve, other: Any, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    server, folder = serve(servo()), {"newest": 1}
    service = server.service

    def newest() -> int:
        if folder["newest"] < 0:
            raise BadCheckpoint("the folder is gone.")
        return folder["newest"]

    def load() -> Any:
        return other(model=f"servo-{folder['newest']}")

    with Reloader(service, load, newest=newest, seen=1, every_s=0.002) as reloader:
        folder["newest"] = 7
        until(lambda: service.policy.model == "servo-7")
        folder["newest"] = -1
        until(lambda: "cannot look for a newer model" in caplog.messages)
        folder["newest"] = 8
        until(lambda: service.policy.model == "servo-8")
        assert service.status().reloads == 2
        reloader.ask()
        until(lambda: service.status().reloads == 3)
    reloader._thread.join(60)
    assert not reloader._thread.is_alive()
    assert caplog.messages.count("cannot look for a newer model") == 1


def test_a_newer_policy_that_fails_is_tried_once(
    servo: Any, serve: Serve, other: Any, until: Until
) -> None:
    server, asked = serve(servo()), list[int]()

    def newest() -> int:
        asked.append(1)
        return 2

    def load() -> Any:
        raise BadCheckpoint("half a folder.")

    with Reloader(server.service, load, newest=newest, seen=1, every_s=0.002):
        until(lambda: len(asked) > 20)
    assert server.status().reload_failures == 1


def test_real_checkpoints_are_swapped_and_a_broken_one_is_not_taken(
    small: Any, serve: Serve, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = tmp_path / "run"
    checkpoint.save(small.policy(seed=0), run / "checkpoints" / "step-1")
    server = serve(checkpoint.load(run))
    first, gone = server.service.policy.model, weakref.ref(server.service.policy)
    reloader = Reloader(server.service, lambda: checkpoint.load(run))
    with Client(server.address, TABLETOP_ARM) as client:
        before = client.act(FRAME, observed_at_ns=10**9, seed=3)
        checkpoint.save(small.policy(seed=1), run / "checkpoints" / "step-2")
        stamp = checkpoint.stamp(run)
        assert reloader.reload()
        after = client.act(FRAME, observed_at_ns=2 * 10**9, seed=3)
        second = server.service.policy.model
        assert first != second
        assert any(not np.array_equal(before.action[k], after.action[k]) for k in after.action)
        gc.collect()
        assert gone() is None
        checkpoint.save(small.policy(seed=2), run / "checkpoints" / "step-3")
        assert checkpoint.stamp(run) != stamp
        weights = run / "checkpoints" / "step-3" / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-100])
        assert not reloader.reload()
        client.act(FRAME, observed_at_ns=3 * 10**9)
        assert server.service.policy.model == second
    [told] = [r for r in caplog.records if r.message == "not reloaded; the old goes on"]
    assert "its hash is not the one in versions.json" in str(vars(told)["why"])


def test_a_trial_asks_for_every_body_in_one_batch(servo: Any) -> None:
    policy = servo()
    trial(policy)
    assert policy.batches == [["tabletop_arm", "road_car"]]


HANGUP = """
import os, signal, sys, time
from octoverse.servers.reload import on_hangup

if os.isatty(0):
    os.open(os.ttyname(0), os.O_RDWR)  # makes it this session's terminal
with on_hangup(lambda: print("reload", flush=True)):
    os.kill(os.getpid(), signal.SIGHUP)
    print("ready", flush=True)
    time.sleep(600 if os.isatty(0) else 0)
"""


def test_a_hangup_asks_for_a_reload_but_ends_who_has_lost_the_terminal() -> None:
    ours, theirs = os.openpty()
    command = [sys.executable, "-c", HANGUP]
    with subprocess.Popen(
        command, stdin=theirs, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        os.close(theirs)
        assert process.stdout
        assert [process.stdout.readline() for _ in range(2)] == ["reload\n", "ready\n"]
        os.close(ours)
        assert process.wait(120) == -signal.SIGTERM


def test_who_has_no_terminal_only_reloads() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HANGUP],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        start_new_session=True,
    )
    assert (done.stdout.split(), done.returncode) == (["reload", "ready"], 0), done.stderr
