import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import numpy as np
import pytest

from octoverse.acting import LocalPolicy, RobotPolicy
from octoverse.embodiment import Camera, Embodiment
from octoverse.embodiments.road_car import ROAD_CAR
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.embodiments.widowx import WIDOWX
from octoverse.episode import ActionChunk
from octoverse.errors import RemoteError, ServerUnreachable, SpecMismatch
from octoverse.servers.client import Client
from octoverse.servers.zeromq import Server
from octoverse.synthetic import random_frame
from octoverse.wire import Limits

Serve = Callable[..., Server]
Drive = Callable[..., list[ActionChunk]]
Until = Callable[[Callable[[], bool]], None]
FRAME = random_frame(TABLETOP_ARM, np.random.default_rng(0))


def same(left: list[ActionChunk], right: list[ActionChunk]) -> bool:
    return len(left) == len(right) > 0 and all(
        a.observed_at_ns == b.observed_at_ns
        and a.action.keys() == b.action.keys()
        and all(a.action[name].tobytes() == b.action[name].tobytes() for name in a.action)
        for a, b in zip(left, right, strict=True)
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_served_rollout_equals_the_local_one_with_two_bodies_at_a_time(
    servo: Any, serve: Serve, drive: Drive, until: Until
) -> None:
    policy = servo()
    server = serve(policy)
    policy.hold.clear()

    def remote(body: Embodiment, seed: int) -> list[ActionChunk]:
        with Client(server.address, body) as client:
            assert isinstance(client, RobotPolicy)
            return drive(client, seed, steps=30)

    jobs = [(body, seed) for seed in range(2) for body in (TABLETOP_ARM, ROAD_CAR)]
    with ThreadPoolExecutor(len(jobs)) as pool:
        playing = [pool.submit(remote, *jobs[0])]
        until(lambda: len(policy.batches) == 1)
        playing += [pool.submit(remote, *job) for job in jobs[1:]]
        until(lambda: server.status().queue == 3)
        policy.hold.set()
        served = [job.result() for job in playing]
    for (body, seed), chunks in zip(jobs, served, strict=True):
        assert same(chunks, drive(LocalPolicy(servo(), body), seed, steps=30))
    assert set(policy.batches[1]) == {"tabletop_arm", "road_car"}


def test_a_second_episode_equals_the_same_one_played_first(
    servo: Any, serve: Serve, drive: Drive
) -> None:
    with Client(serve(servo()).address, TABLETOP_ARM) as client:
        first = drive(client, 1)
        drive(client, 2)
        assert same(first, drive(client, 1))


def test_two_robots_of_one_body_never_touch(servo: Any, serve: Serve, drive: Drive) -> None:
    address = serve(servo()).address
    with Client(address, TABLETOP_ARM) as one, Client(address, TABLETOP_ARM) as other:
        rng = np.random.default_rng(3)
        for i in range(5):
            other.act(random_frame(TABLETOP_ARM, rng), observed_at_ns=i * 10**8)
        played = drive(one, 1)
        other.act(random_frame(TABLETOP_ARM, rng), observed_at_ns=10**9)
    assert same(played, drive(LocalPolicy(servo(), TABLETOP_ARM), 1))


def test_a_client_knows_what_it_talks_to_and_how_long_it_took(servo: Any, serve: Serve) -> None:
    with Client(serve(servo()).address, TABLETOP_ARM, name="arm 1") as client:
        welcome = client.welcome
        assert (welcome.model, welcome.frames, welcome.spacing) == ("servo-1", 3, 0.1)
        assert welcome.horizons == {"arm": 6, "gripper": 6}
        assert welcome.camera_sizes == {"table": (24, 32), "wrist": (24, 32)}
        assert len(welcome.session) == 32
        assert client.last_timing is None
        client.act(FRAME)
        timing = client.last_timing
        assert timing is not None
        assert 0 < timing.server.total_ms < timing.total_ms
        assert timing.server.batch == 1
        pong = client.ping()
        assert (pong.model, pong.sessions, pong.queue) == ("servo-1", 1, 0)


def test_a_jpeg_frame_acts_nearly_as_a_raw_one(servo: Any, serve: Serve) -> None:
    address = serve(servo()).address
    with Client(address, TABLETOP_ARM, jpeg_quality=95) as client:
        smooth = FRAME | {name: np.full((96, 96, 3), 120, np.uint8) for name in ("table", "wrist")}
        raw = LocalPolicy(servo(), TABLETOP_ARM).act(smooth, observed_at_ns=0)
        assert np.allclose(client.act(smooth, observed_at_ns=0).action["arm"], raw.action["arm"])


def test_a_robot_may_have_other_cameras(servo: Any, serve: Serve) -> None:
    streams = TABLETOP_ARM.observation | {
        "table": Camera(height=192, width=160, role="primary"),
        "ceiling": Camera(height=8, width=8, role="top", optional=True),
    }
    body = msgspec.structs.replace(TABLETOP_ARM, observation=streams)
    policy = servo()

    def prepare(name: str, frame: Any) -> dict[str, Any]:
        assert "ceiling" not in frame
        return {
            stream: value[: 24 * (len(value) // 24) : len(value) // 24, :96:3][:24]
            if stream in ("table", "wrist")
            else value
            for stream, value in frame.items()
        }

    policy.prepare = prepare
    with Client(serve(policy).address, body) as client:
        chunk = client.act(random_frame(body, np.random.default_rng(0)))
    assert chunk.action["arm"].shape == (6, 4)


def test_a_body_whose_spec_differs_is_refused_with_the_fields(
    servo: Any, serve: Serve, other_arm: Embodiment
) -> None:
    address = serve(servo()).address
    with pytest.raises(RemoteError, match=r"control_hz: 10.0 here, 20.0 there") as caught:
        Client(address, other_arm)
    assert caught.value.code == "spec_mismatch"
    with pytest.raises(RemoteError, match="No body of servo-1 named 'widowx'") as caught:
        Client(address, WIDOWX)
    assert caught.value.code == "unknown_body"


def test_a_frame_that_does_not_fit_is_refused_before_it_is_sent(servo: Any, serve: Serve) -> None:
    server = serve(servo())
    with Client(server.address, TABLETOP_ARM) as client:
        with pytest.raises(SpecMismatch, match=r"tabletop_arm.tool: expected shape \(5,\)"):
            client.act({**FRAME, "tool": np.zeros(4, np.float32)})
        client.ping()
        assert server.status().robots[0].requests == 0


def test_a_frame_beyond_the_server_s_limit_is_refused_before_it_is_sent(
    servo: Any, serve: Serve
) -> None:
    server = serve(servo(), limits=Limits(message_bytes=50_000))
    with Client(server.address, TABLETOP_ARM) as client:
        with pytest.raises(SpecMismatch, match="expected a frame of at most 50000 bytes, got 553"):
            client.act(FRAME)
        assert client.ping().sessions == 1
    smooth = FRAME | {name: np.zeros((96, 96, 3), np.uint8) for name in ("table", "wrist")}
    with Client(server.address, TABLETOP_ARM, jpeg_quality=80) as client:
        assert client.act(smooth).action


def test_a_server_that_is_not_there_is_reported_in_time() -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    with pytest.raises(ServerUnreachable, match=f"{address}: expected a policy server, got no con"):
        Client(address, TABLETOP_ARM, timeout=0.3)


def test_something_else_at_the_port_is_reported_in_time() -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        with pytest.raises(ServerUnreachable, match="Start one with `octoverse serve`"):
            Client(f"tcp://127.0.0.1:{mute.getsockname()[1]}", TABLETOP_ARM, timeout=0.3)


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match=r"address: expected one such as .*, got nonsense"):
        Client("nonsense", TABLETOP_ARM)
    with pytest.raises(ValueError, match="timeout must be above 0 s, got 0"):
        Client("tcp://127.0.0.1:1", TABLETOP_ARM, timeout=0)
    with pytest.raises(ValueError, match="jpeg_quality must be 1 to 100, got 0"):
        Client("tcp://127.0.0.1:1", TABLETOP_ARM, jpeg_quality=0)


def test_a_policy_that_takes_too_long_is_given_up_and_its_answer_dropped(
    servo: Any, serve: Serve
) -> None:
    policy = servo()
    with Client(serve(policy).address, TABLETOP_ARM) as client:
        first, patience = client.act(FRAME, observed_at_ns=0), client.timeout
        policy.hold.clear()
        client.timeout = 0.3
        with pytest.raises(ServerUnreachable, match=r"answer within 0.3 s, got none, though"):
            client.act(FRAME, observed_at_ns=10**8)
        policy.hold.set()
        client.timeout = patience
        third = client.act(FRAME, observed_at_ns=2 * 10**8)
        assert (first.observed_at_ns, third.observed_at_ns) == (0, 2 * 10**8)
        assert client.late == 1


def test_pings_are_answered_while_the_policy_is_busy(
    servo: Any, serve: Serve, until: Until
) -> None:
    policy = servo()
    server = serve(policy)
    with Client(server.address, TABLETOP_ARM) as busy, Client(server.address, ROAD_CAR) as other:
        policy.hold.clear()
        thread = threading.Thread(target=busy.act, args=(FRAME,))
        thread.start()
        until(lambda: len(policy.batches) == 1)
        assert [other.ping().sessions for _ in range(20)] == [2] * 20
        assert thread.is_alive() and server.status().answered == 0
        policy.hold.set()
        thread.join()
    assert server.status().answered == 1


def test_a_client_survives_a_restart_and_says_so(
    servo: Any, caplog: pytest.LogCaptureFixture
) -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    server = Server(servo(), address=address).start()
    client = Client(address, TABLETOP_ARM)
    before = client.act(FRAME, observed_at_ns=5)
    server.stop()
    with pytest.raises(ServerUnreachable):
        client.timeout = 0.2
        client.act(FRAME, observed_at_ns=6)
    client.timeout = 60.0
    server = Server(servo(), address=address).start()
    with caplog.at_level(logging.WARNING):
        after = client.act(FRAME, observed_at_ns=7, seed=0)
    client.close()
    server.stop()
    assert after.action["arm"].shape == before.action["arm"].shape
    words = " ".join(caplog.messages)
    assert "the server forgot this robot; saying hello again" in words
    assert "the policy server is back" in words


def test_a_session_goes_on_over_a_connection_that_was_cut(
    servo: Any,
    serve: Serve,
    drive: Drive,
    hose: Any,
    until: Until,
    caplog: pytest.LogCaptureFixture,
) -> None:
    way = hose(serve(servo()).address)

    def gone() -> bool:
        client._line.look()
        return not client._line.up

    class Cut:
        """Cuts the connection before every third frame."""

        body, acted = TABLETOP_ARM, 0

        def __getattr__(self, name: str) -> Any:
            return getattr(client, name)

        def act(self, frame: Any, **told: Any) -> ActionChunk:
            self.acted += 1
            if self.acted % 3 == 0:
                way.cut()
                until(gone)
            return client.act(frame, **told)

    with Client(way.address, TABLETOP_ARM) as client:
        session = client.session
        served = drive(Cut(), 1, steps=20)
        assert (client.session, client.restarts) == (session, 0)
    assert same(served, drive(LocalPolicy(servo(), TABLETOP_ARM), 1, steps=20))
    assert "the policy server is back" in caplog.text


def test_a_request_whose_connection_was_cut_is_sent_again(
    servo: Any, serve: Serve, hose: Any, until: Until
) -> None:
    policy = servo()
    server = serve(policy)
    way = hose(server.address)
    with Client(way.address, TABLETOP_ARM) as client:
        policy.hold.clear()
        with ThreadPoolExecutor(1) as pool:
            acting = pool.submit(client.act, FRAME, observed_at_ns=5)
            until(lambda: len(policy.batches) == 1)
            way.cut()
            until(lambda: server.status().queue == 1)
            policy.hold.set()
            assert acting.result().observed_at_ns == 5
        assert (client.restarts, client.late) == (0, 0)


def test_another_client_resumes_the_session_of_one_that_died(
    servo: Any, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    address = serve(servo()).address
    rng = np.random.default_rng(5)
    frames = [random_frame(TABLETOP_ARM, rng) for _ in range(4)]
    times = [round(i * 1e8) for i in range(4)]
    local = LocalPolicy(servo(), TABLETOP_ARM)
    alone = [local.act(f, observed_at_ns=t, seed=1) for f, t in zip(frames, times, strict=True)]
    first = Client(address, TABLETOP_ARM)
    served = [first.act(frames[i], observed_at_ns=times[i], seed=1) for i in range(2)]
    first._line.close()  # without a Bye
    with Client(address, TABLETOP_ARM, resume=first.session) as second:
        assert second.welcome.resumed
        assert second.session == first.session
        second._conversation._step = 2
        served += [second.act(frames[i], observed_at_ns=times[i], seed=1) for i in (2, 3)]
    assert same(served, alone)
    with Client(address, TABLETOP_ARM, resume=first.session) as third:
        assert not third.welcome.resumed
    assert "no longer knows the session to resume; the window starts anew" in caplog.text


def test_the_clock_of_a_server_in_this_machine_is_this_one(servo: Any, serve: Serve) -> None:
    with Client(serve(servo()).address, TABLETOP_ARM) as client:
        for _ in range(5):
            client.act(FRAME)
        clock = client.clock
        assert clock.offset_ns is not None and clock.error_ns is not None
        assert clock.round_trip_ms is not None and clock.round_trip_ms > 0
        assert abs(clock.offset_ns) <= clock.error_ns + 1000
        assert clock.jumps == 0


def test_what_a_robot_executes_anyway_begins_the_next_chunk(servo: Any, serve: Serve) -> None:
    policy, seen = servo(), list[Any]()
    act = policy.act

    def noted(observations: Any, memories: Any) -> Any:
        seen.extend(observations)
        return act(observations, memories)

    policy.act = noted
    with Client(serve(policy).address, TABLETOP_ARM) as client:
        chunk = client.act(FRAME, observed_at_ns=10**9)
        told: Any = {"chunk_ns": 10**9, "executed_steps": 1, "frozen_steps": 3}
        client.act(FRAME, observed_at_ns=2 * 10**9, **told)
        assert client.frames == 3
    assert not seen[0].prefix
    assert (seen[1].prefix["arm"] == chunk.action["arm"][1:4]).all()


def test_the_server_is_told_when_single_streams_were_seen(servo: Any, serve: Serve) -> None:
    with Client(serve(servo()).address, TABLETOP_ARM) as client:
        client.act(FRAME, observed_at_ns=10**9, seen_at_ns={"tool": 10**9 - 10**7})
        with pytest.raises(RemoteError, match="expected tool of the newest frame's time"):
            client.act(FRAME, observed_at_ns=2 * 10**9, seen_at_ns={"tool": 10**9})


SERVER_PROGRAM = """
import sys, importlib.util
spec = importlib.util.spec_from_file_location("policies", sys.argv[1])
policies = importlib.util.module_from_spec(spec); spec.loader.exec_module(policies)
from octoverse.servers.zeromq import Server
print("ready", flush=True)
Server(policies.Servo(), address=sys.argv[2]).run()
print("ended well", flush=True)
"""


def start_process(address: str) -> "subprocess.Popen[str]":
    here = os.path.join(os.path.dirname(__file__), "conftest.py")
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER_PROGRAM, here, address], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_a_client_goes_on_when_the_server_is_killed_at_work_and_started_again(
    until: Until,
) -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    process = start_process(address)
    sessions, acted, restarts, stop = set(), [0], list[int](), threading.Event()

    def work() -> None:
        with Client(address, TABLETOP_ARM, timeout=60.0) as client:
            while not stop.is_set():
                client.act(FRAME)
                acted[0] += 1
                sessions.add(client.session)
            restarts.append(client.restarts)

    thread = threading.Thread(target=work)
    thread.start()
    until(lambda: acted[0] >= 20)
    process.kill()
    process.communicate()
    process = start_process(address)
    before = acted[0]
    until(lambda: acted[0] >= before + 20)
    stop.set()
    thread.join()
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert (len(sessions), restarts) == (2, [1])
    assert "ended well" in output
    assert process.returncode == 0


def test_a_new_episode_is_new_on_the_server_too(servo: Any, serve: Serve) -> None:
    policy = servo()
    with Client(serve(policy).address, TABLETOP_ARM) as client:
        client.act(FRAME, observed_at_ns=10**9)
        with pytest.raises(RemoteError, match="expected frames in order of time") as caught:
            client.act(FRAME, observed_at_ns=0)
        assert caught.value.code == "bad_observation"
        client.reset()
        assert client.act(FRAME, observed_at_ns=0).observed_at_ns == 0


def test_a_frame_that_the_server_refused_is_said_with_the_next_answer(
    servo: Any, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    with Client(serve(servo()).address, TABLETOP_ARM) as client:
        client.act(FRAME, observed_at_ns=10**9)
        client.observe(FRAME, observed_at_ns=0)
        with caplog.at_level(logging.WARNING):
            client.act(FRAME, observed_at_ns=2 * 10**9)
    assert "an earlier message was refused: tabletop_arm: expected frames in order" in caplog.text
