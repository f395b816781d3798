import logging
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import zmq

from octoverse import registry, wire
from octoverse.embodiments.road_car import ROAD_CAR
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.errors import OctoverseError, RemoteError, ServerError
from octoverse.servers.client import Client
from octoverse.servers.zeromq import Server
from octoverse.synthetic import random_frame
from octoverse.wire import Limits

Serve = Callable[..., Server]
Until = Callable[[Callable[[], bool]], None]
FRAME = random_frame(TABLETOP_ARM, np.random.default_rng(0))
CAR_FRAME = random_frame(ROAD_CAR, np.random.default_rng(0))


def test_it_is_found_by_its_name() -> None:
    assert registry.load("server", "zeromq") is Server


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:*", "tcp://localhost:0"])
def test_a_free_port_is_picked_and_told(servo: Any, serve: Serve, address: str) -> None:
    server = serve(servo(), address=address)
    assert int(server.address.removeprefix("tcp://127.0.0.1:")) > 0
    with Client(server.address, TABLETOP_ARM) as client:
        assert client.ping().model == "servo-1"


def test_a_port_in_use_is_said_with_the_cure(servo: Any, serve: Serve) -> None:
    taken = serve(servo()).address
    with pytest.raises(ServerError, match=f"{taken}: expected a free port, got: Address already"):
        Server(servo(), address=taken).start()


def test_stopping_is_quick_and_final(servo: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for wait, long in (("_EXPIRE_EVERY_S", 120), ("_LAST_WORDS_MS", 120_000)):
        monkeypatch.setattr(f"octoverse.servers.zeromq.{wait}", long)
    server = Server(servo(), address="tcp://127.0.0.1:0").start()
    before = threading.active_count()
    began = time.monotonic()
    server.stop()
    server.stop()
    assert time.monotonic() - began < 60  # it sits out none of its waits
    assert threading.active_count() < before
    Server(servo(), address=server.address).start().stop()


def test_those_who_wait_are_answered_before_it_stops(
    servo: Any, serve: Serve, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = servo()
    server = serve(policy, max_batch=1)
    # A client that wakes only when the connection is down cannot read what came before.
    told, stop = threading.Event(), server.service.stop
    monkeypatch.setattr(server.service, "stop", lambda: (stop(60.0), told.wait(60)))
    policy.hold.clear()
    with Client(server.address, TABLETOP_ARM) as one, Client(server.address, ROAD_CAR) as two:
        with ThreadPoolExecutor(3) as pool:
            first = pool.submit(one.act, FRAME)
            until(lambda: len(policy.batches) == 1)
            second = pool.submit(two.act, CAR_FRAME)
            until(lambda: server.status().queue == 1)
            stopping = pool.submit(server.stop)
            policy.hold.set()
            assert first.result().action
            assert second.result().action
            assert not stopping.done()
            told.set()
            stopping.result()


def test_what_is_answered_last_is_sent_before_it_closes(
    servo: Any, serve: Serve, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("octoverse.servers.zeromq._LAST_WORDS_MS", 60_000)
    server, sends = serve(servo()), list[Any]()
    monkeypatch.setattr(server.service, "receive", lambda *what: sends.append(what[2]))
    with zmq.Context() as context, context.socket(zmq.DEALER) as peer:
        peer.setsockopt(zmq.RCVTIMEO, 60_000)
        peer.connect(server.address)
        peer.send_multipart([b"header", b""])
        until(lambda: len(sends) == 1)
        sends[0](wire.Closing(reason="last words"), {})
        server.stop()
        assert wire.read_reply(peer.recv_multipart()[0]) == wire.Closing(reason="last words")


HANGS = """
import os, signal, threading
from types import SimpleNamespace
from octoverse.servers.zeromq import Server

server = Server(SimpleNamespace(model="none"), address="tcp://127.0.0.1:0")

def stop(within_s=5.0):
    print("stopping", flush=True)
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait()

server.service.stop = stop
server.run(lambda: os.kill(os.getpid(), signal.SIGINT))
"""


def test_a_second_signal_ends_the_process_at_once() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HANGS], capture_output=True, text=True, timeout=120
    )
    assert done.stdout == "stopping\n"
    assert done.returncode == 128 + signal.SIGTERM, done.stderr


def test_run_ends_when_the_socket_breaks(servo: Any, caplog: pytest.LogCaptureFixture) -> None:
    server = Server(servo(), address="tcp://127.0.0.1:0")

    def broken(told: bool) -> bool:
        raise OSError("out of sockets")

    server._read = broken  # type: ignore[method-assign]
    with pytest.raises(ServerError, match="The server's socket broke; the log says why"):
        server.run()
    assert "out of sockets" in caplog.text


def test_the_status_says_that_the_socket_broke(servo: Any, serve: Serve, until: Until) -> None:
    server = serve(servo())
    assert server.status().healthy and server.status().address == server.address

    def broken(told: bool) -> bool:
        raise OSError("out of sockets")

    server._read = broken  # type: ignore[method-assign]
    server._bell.ring()
    until(lambda: not server.status().healthy)
    assert server.status().trouble == "The socket broke; the log says why."


def test_mixed_bodies_are_computed_together(servo: Any, serve: Serve, until: Until) -> None:
    policy = servo()
    server = serve(policy)
    policy.hold.clear()
    bodies = [(TABLETOP_ARM, FRAME), (ROAD_CAR, CAR_FRAME)] * 2
    clients = [Client(server.address, body) for body, _ in bodies]
    with ThreadPoolExecutor(len(clients)) as pool:
        jobs = [pool.submit(clients[0].act, FRAME)]
        until(lambda: len(policy.batches) == 1)
        jobs += [pool.submit(c.act, f) for c, (_, f) in zip(clients[1:], bodies[1:], strict=True)]
        until(lambda: server.status().queue == 3)
        policy.hold.set()
        assert all(job.result().action for job in jobs)
    for client in clients:
        client.close()
    assert sorted(policy.batches[1]) == ["road_car", "road_car", "tabletop_arm"]
    assert server.status().mean_batch == 2.0


def test_what_is_too_late_is_not_computed(servo: Any, serve: Serve, until: Until) -> None:
    policy = servo()
    server = serve(policy)
    policy.hold.clear()
    with Client(server.address, TABLETOP_ARM) as one, Client(server.address, ROAD_CAR) as two:
        with ThreadPoolExecutor(2) as pool:
            busy = pool.submit(one.act, FRAME)
            until(lambda: len(policy.batches) == 1)
            late = pool.submit(two.act, CAR_FRAME, deadline_ms=0.001)
            until(lambda: server.status().queue == 1)
            policy.hold.set()
            assert busy.result().action
            with pytest.raises(
                RemoteError, match="The deadline comes before an answer could"
            ) as caught:
                late.result()
    assert caught.value.code == "stale"
    assert policy.batches == [["tabletop_arm"]]


def test_what_waits_is_dropped_when_its_robot_is_reset(
    servo: Any, serve: Serve, until: Until
) -> None:
    policy = servo()
    server = serve(policy)
    policy.hold.clear()
    with Client(server.address, TABLETOP_ARM) as one, Client(server.address, ROAD_CAR) as two:
        with ThreadPoolExecutor(2) as pool:
            busy = pool.submit(one.act, FRAME)
            until(lambda: len(policy.batches) == 1)
            waiting = pool.submit(two.act, CAR_FRAME)
            until(lambda: server.status().queue == 1)
            with Client(server.address, ROAD_CAR) as helper:
                own, helper._conversation._welcome = helper.welcome, two.welcome
                helper.reset()
                with pytest.raises(RemoteError, match="The robot was reset"):
                    waiting.result()
                helper._conversation._welcome = own
            policy.hold.set()
            busy.result()
    assert len(policy.batches) == 1


def test_a_full_queue_says_so_with_a_hint(servo: Any, serve: Serve, until: Until) -> None:
    policy = servo()
    server = serve(policy, limits=Limits(queue=1))
    policy.hold.clear()
    clients = [Client(server.address, TABLETOP_ARM) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(clients[0].act, FRAME)
        until(lambda: len(policy.batches) == 1)
        second = pool.submit(clients[1].act, FRAME)
        until(lambda: server.status().queue == 1)
        with pytest.raises(RemoteError, match=r"overloaded: too many .* Ask again in \d+ ms") as no:
            clients[2].act(FRAME)
        assert no.value.code == "overloaded"
        policy.hold.set()
        assert first.result().action
        assert second.result().action
    for client in clients:
        client.close()
    assert server.status().faults == {"overloaded": 1}


def test_too_many_robots_are_refused_until_one_leaves(
    servo: Any, serve: Serve, until: Until
) -> None:
    server = serve(servo(), limits=Limits(sessions=1))
    with Client(server.address, TABLETOP_ARM) as one:
        one.act(FRAME)
        with pytest.raises(RemoteError, match="expected at most 1, all of them in use") as caught:
            Client(server.address, TABLETOP_ARM)
    assert caught.value.code == "too_many_sessions"
    until(lambda: server.status().robots == ())
    Client(server.address, TABLETOP_ARM).close()


def test_a_silent_robot_is_forgotten_and_starts_anew(
    servo: Any, serve: Serve, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    server = serve(servo(), limits=Limits(session_s=0.01))
    with Client(server.address, TABLETOP_ARM) as client:
        old = client.welcome.session
        until(lambda: server.status().robots == ())
        server.service.robots._limits = Limits()  # however slow, it is not forgotten again
        assert client.act(FRAME).action
        assert client.welcome.session != old
    assert "the server forgot this robot; saying hello again" in caplog.text


def test_a_policy_that_raises_is_a_fault_and_the_server_lives_on(
    servo: Any, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    policy = servo()
    working = policy.act

    def failing(observations: Any, memories: Any) -> Any:
        memories[0]["calls"] = "nonsense"
        raise RuntimeError("secret of the house")

    policy.act = failing
    with Client(serve(policy).address, TABLETOP_ARM) as client:
        with pytest.raises(RemoteError, match="The policy failed; the server's log") as caught:
            client.act(FRAME, observed_at_ns=0)
        assert caught.value.code == "policy_failed"
        assert "secret" not in str(caught.value)
        assert "secret of the house" in caplog.text
        policy.act = working
        assert client.act(FRAME, observed_at_ns=1).action


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda chunks: chunks[:-1], "chunks: expected 1 of them, got 0"),
        (
            lambda chunks: [c.action["arm"].fill(np.nan) or c for c in chunks],
            "tabletop_arm.arm: expected finite numbers, got NaN",
        ),
    ],
)
def test_what_is_not_a_chunk_never_reaches_a_robot(
    servo: Any, serve: Serve, spoil: Any, words: str
) -> None:
    policy = servo()
    working = policy.act
    policy.act = lambda observations, memories: spoil(working(observations, memories))
    with Client(serve(policy).address, TABLETOP_ARM) as client:
        with pytest.raises(RemoteError, match=words):
            client.act(FRAME)


def test_our_own_errors_reach_the_client_in_words(servo: Any, serve: Serve) -> None:
    policy = servo()

    def failing(observations: Any, memories: Any) -> Any:
        raise OctoverseError("instruction: expected words that I know, got none.")

    policy.act = failing
    with Client(serve(policy).address, TABLETOP_ARM) as client:
        with pytest.raises(RemoteError, match="expected words that I know, got none"):
            client.act(FRAME)


def test_a_frame_that_cannot_be_prepared_is_a_fault(
    servo: Any, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    policy = servo()

    def failing(body: str, frame: Any) -> Any:
        raise RuntimeError("no filter")

    policy.prepare = failing
    with Client(serve(policy).address, TABLETOP_ARM) as client:
        with pytest.raises(RemoteError, match="The policy failed"):
            client.act(FRAME)
    assert "a frame could not be prepared" in caplog.text


def test_a_fault_in_the_server_itself_costs_one_message(
    servo: Any, serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    server = serve(servo())
    with Client(server.address, TABLETOP_ARM) as client:
        with monkeypatch.context() as patch:
            patch.setattr(server.service, "_pong", None)
            with pytest.raises(RemoteError, match="expected one that can be handled"):
                client.ping()
        assert client.ping().sessions == 1
    assert "a message could not be handled" in caplog.text


def test_frames_may_be_delivered_without_asking(servo: Any, serve: Serve) -> None:
    policy = servo()
    server = serve(policy)
    with Client(server.address, TABLETOP_ARM) as client:
        for i in range(3):
            client.observe(FRAME, observed_at_ns=i * 10**8)
        client.ping()
        assert policy.batches == []
        chunk = client.act(FRAME, observed_at_ns=3 * 10**8)
        assert chunk.observed_at_ns == 3 * 10**8
    assert server.status().faults == {}


def test_the_status_tells_who_does_what(servo: Any, serve: Serve, until: Until) -> None:
    server = serve(servo(seconds=0.005))
    with Client(server.address, TABLETOP_ARM, name="arm 7") as client:
        began = time.monotonic()
        for _ in range(10):
            client.act(FRAME)
        status, whole = server.status(), time.monotonic() - began
        [robot] = status.robots
        assert (robot.body, robot.client, robot.requests) == ("tabletop_arm", "arm 7", 10)
        assert robot.instruction == FRAME["instruction"]
        assert 5 <= robot.latency_ms < 1000 * whole
        assert 1 / whole < robot.hz < 200
        assert (status.answered, status.batches, status.mean_batch) == (10, 10, 1.0)
        assert 5 <= status.inference_ms < 1000 * whole
        assert 0 < status.load < whole / 10
    until(lambda: server.status().robots == ())


def test_it_says_what_it_serves(servo: Any, serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        server = serve(servo())
        server.stop()
    began, ended = [vars(record) for record in caplog.records]
    assert (began["message"], began["model"]) == ("serving", "servo-1")
    assert ended["message"] == "stopped" and began["address"] == ended["address"] == server.address


def test_a_policy_that_hangs_on_the_spot_costs_a_thread_and_not_the_server(
    servo: Any, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("octoverse.servers.engine._AT_ONCE_S", 60.0)
    policy, threads = servo(), list[threading.Thread]()
    working = policy.act

    def told(observations: Any, memories: Any) -> Any:
        threads.append(threading.current_thread())
        return working(observations, memories)

    policy.act = told
    server = serve(policy, watchdog_s=0.5)
    with Client(server.address, TABLETOP_ARM) as client:
        client.act(FRAME)
        policy.hold.clear()
        with pytest.raises(RemoteError, match=r"did not answer within 0\.5 s") as caught:
            client.act(FRAME)
        assert caught.value.code == "policy_failed"
        assert threads[-1].name == "socket"
        policy.hold.set()
        assert client.act(FRAME).action
        assert threads[-1].name == "policy"
    assert server.status().hung == 1


def test_connections_and_answers_that_nobody_takes_are_counted(
    servo: Any, serve: Serve, until: Until
) -> None:
    server = serve(servo(), limits=Limits(connections=1))
    with Client(server.address, TABLETOP_ARM):
        assert server.status().connections == 1
        with zmq.Context() as context, context.socket(zmq.DEALER) as one_too_many:
            one_too_many.connect(server.address)
            until(lambda: server.status().cut > 0)
    until(lambda: server.status().connections == 0)
    server._reply(b"gone", wire.Fault(code="stopping", message="The server stops."), {})
    assert server.status().unsent == 1
