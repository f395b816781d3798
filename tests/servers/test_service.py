import logging
import math
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
import numpy as np
import pytest

from octoverse import wire
from octoverse.embodiment import Embodiment
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.episode import ActionChunk, Calibration, Observation
from octoverse.packing import pack
from octoverse.servers.service import Service
from octoverse.synthetic import random_frame
from octoverse.wire import Limits

Build = Callable[..., Service]
FRAME = random_frame(TABLETOP_ARM, np.random.default_rng(0))
LENS = Calibration(intrinsics=(1.0,) * 9, extrinsics=(2.0,) * 16)


class Peer:
    """Speaks to a service without a socket."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.replies: queue.SimpleQueue[wire.Reply] = queue.SimpleQueue()

    def reply(self, message: wire.Reply, arrays: Mapping[str, np.ndarray]) -> None:
        self.replies.put(message)

    def say(self, message: wire.Request, body: bytes = b"") -> None:
        self.service.receive(wire.encode(message), memoryview(body), self.reply)

    def hear(self) -> wire.Reply:
        return self.replies.get(timeout=60)

    def fault(self) -> wire.Fault:
        reply = self.hear()
        assert isinstance(reply, wire.Fault), reply
        return reply

    def hello(self, body: Embodiment = TABLETOP_ARM, **fields: Any) -> wire.Welcome:
        self.say(wire.Hello(protocol=1, embodiment=body, request=1, **fields))
        welcome = self.hear()
        assert isinstance(welcome, wire.Welcome), welcome
        self.session = welcome.session
        return welcome

    def observe(self, request: int, **fields: Any) -> None:
        """Send a frame as raw arrays, and ask for actions."""
        arrays = {k: v for k, v in FRAME.items() if k != "instruction"}
        message = wire.Observe(
            session=self.session,
            request=request,
            observed_at_ns=request,
            words={"instruction": FRAME["instruction"]},
            **fields,
        )
        header, body = pack(message, arrays)
        self.service.receive(header, memoryview(body.tobytes()), self.reply)


@pytest.fixture
def build() -> Iterator[Build]:
    """Makes running services that are stopped when the test ends."""
    services: list[tuple[Service, Any]] = []

    def make(policy: Any, **settings: Any) -> Service:
        service = Service(policy, **settings)
        service.start()
        services.append((service, policy))
        return service

    yield make
    for service, policy in services:
        policy.hold.set()
        service.stop()


def occupied(policy: Any) -> threading.Event:
    """Make the policy hold its first batch; the event says when it has it."""
    began, working = threading.Event(), policy.act

    def telling(observations: Any, memories: Any) -> Any:
        began.set()
        return working(observations, memories)

    policy.act = telling
    policy.hold.clear()
    return began


def test_a_welcome_tells_what_to_expect_of_the_policy(servo: Any, build: Build) -> None:
    limits = Limits(sessions=3)
    service = build(servo(), limits=limits)
    welcome = Peer(service).hello(client="arm 1")
    [robot] = service.robots
    assert (robot.id, robot.client) == (welcome.session, "arm 1")
    assert (welcome.request, welcome.protocol, welcome.statistics) == (1, 1, "none")
    assert welcome.action == TABLETOP_ARM.action
    assert welcome.control_hz == TABLETOP_ARM.control_hz
    assert welcome.limits == limits


def test_an_action_is_computed_while_the_receiver_goes_on(servo: Any, build: Build) -> None:
    policy = servo()
    began = occupied(policy)
    peer = Peer(build(policy))
    peer.hello()
    peer.observe(2)
    assert began.wait(60)
    peer.say(wire.Ping(request=3))
    pong = peer.hear()
    assert isinstance(pong, wire.Pong)
    assert (pong.request, pong.model, pong.sessions, pong.queue) == (3, "servo-1", 1, 0)
    policy.hold.set()
    act = peer.hear()
    assert isinstance(act, wire.Act)
    assert (act.request, act.observed_at_ns) == (2, 2)


def test_what_cannot_be_read_is_answered_by_its_number_where_that_can(
    servo: Any, build: Build
) -> None:
    service = build(servo())
    peer = Peer(service)
    service.receive(b"\x82\xa4type\xa1x\xa7request\x05", memoryview(b""), peer.reply)
    service.receive(b"nonsense", memoryview(b""), peer.reply)
    service.refuse(peer.reply, "message: expected words.")
    faults = [peer.fault() for _ in range(3)]
    assert [fault.request for fault in faults] == [5, None, None]
    assert faults[2].message == "message: expected words."
    assert service.status().faults == {"bad_message": 3}


def test_a_stranger_is_told_to_say_hello(servo: Any, build: Build) -> None:
    peer = Peer(build(servo()))
    peer.say(wire.Reset(session="f" * 32, request=4))
    fault = peer.fault()
    assert (fault.code, fault.request) == ("no_session", 4)
    assert fault.message == (
        "session ffffffff: expected one in use, got one that this server does not know."
    )


def test_a_spec_that_differs_is_refused_with_the_cure_and_gets_no_session(
    servo: Any, build: Build, other_arm: Embodiment
) -> None:
    service = build(servo())
    peer = Peer(service)
    peer.say(wire.Hello(protocol=1, embodiment=other_arm, request=1))
    fault = peer.fault()
    assert fault.code == "spec_mismatch"
    assert fault.message.startswith(
        "'tabletop_arm' as the server knows it (here) and as the robot sends it (there) differ: "
    )
    assert fault.remedy == (
        "Give the robot the spec that the policy was trained with, or train anew."
    )
    assert len(service.robots) == 0


def test_who_finds_no_room_is_told_what_helps(servo: Any, build: Build) -> None:
    service = build(servo(), limits=Limits(sessions=1))
    here = Peer(service)
    here.hello()
    here.observe(2)
    assert isinstance(here.hear(), wire.Act)
    other = Peer(service)
    other.say(wire.Hello(protocol=1, embodiment=TABLETOP_ARM, request=7))
    fault = other.fault()
    assert (fault.code, fault.request) == ("too_many_sessions", 7)
    assert fault.remedy == "Close clients that are done, or raise the server's limit."


def test_a_robot_that_sends_faster_than_it_can_be_read_is_held_back(
    servo: Any, build: Build
) -> None:
    policy = servo()
    entered, go_on, prepare = threading.Event(), threading.Event(), policy.prepare

    def slow(body: str, frame: Any) -> Any:
        entered.set()
        go_on.wait(60)
        return prepare(body, frame)

    policy.prepare = slow
    service = build(policy, limits=Limits(message_bytes=100_000))
    peer = Peer(service)
    peer.hello()
    peer.observe(2, act=False)
    assert entered.wait(60)
    peer.observe(3)
    peer.observe(4)
    fault = peer.fault()
    go_on.set()
    assert (fault.code, fault.request) == ("overloaded", 4)
    assert fault.message == "The server is overloaded: too many frames of this robot."
    assert fault.remedy == "Ask again in 10 ms, or less often."
    assert fault.retry_after_ms == 10.0
    assert peer.hear().request == 3


def test_a_full_line_before_the_policy_is_said_so(servo: Any, build: Build) -> None:
    policy = servo()
    began = occupied(policy)
    peer = Peer(build(policy, limits=Limits(queue=1)))
    peer.hello()
    peer.observe(2)
    assert began.wait(60)
    peer.observe(3)
    peer.observe(4)
    fault = peer.fault()
    policy.hold.set()
    assert fault.request == 4
    assert fault.message == "The server is overloaded: too many requests wait."
    assert [peer.hear().request for _ in range(2)] == [2, 3]


def prepared(peer: Peer) -> None:
    """Wait until all that the peer sent has been prepared: its next frame is refused in order."""
    peer.say(wire.Observe(session=peer.session, request=99, observed_at_ns=0))
    assert peer.fault().request == 99


@pytest.mark.parametrize("how", ["bye", "silence"])
def test_what_a_robot_asked_leaves_with_it(
    servo: Any, build: Build, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    policy = servo()
    began = occupied(policy)
    service = build(policy, limits=Limits(session_s=600.0))
    busy, leaving = Peer(service), Peer(service)
    busy.hello()
    leaving.hello(client="arm 2")
    busy.observe(2)
    assert began.wait(60)
    leaving.observe(3)
    prepared(leaving)
    assert service.status().queue == 1
    number = next(r.number for r in service.robots if r.id == leaving.session)
    with caplog.at_level(logging.INFO):
        if how == "bye":
            leaving.say(wire.Bye(session=leaving.session))
        else:
            next(r for r in service.robots if r.id == leaving.session).heard -= 601
            service.expire()
    assert service.status().queue == 0
    assert [robot.id for robot in service.robots] == [busy.session]
    policy.hold.set()
    assert busy.hear().request == 2
    assert leaving.replies.empty()
    told = [(record.message, vars(record).get("robot")) for record in caplog.records]
    words = {"bye": "goodbye", "silence": "forgotten"}
    assert (words[how], f"tabletop_arm arm 2 ({number})") in told


def test_a_session_goes_on_where_it_was_or_starts_clean(servo: Any, build: Build) -> None:
    service = build(servo())
    peer = Peer(service)
    first = peer.hello()
    assert not first.resumed
    peer.observe(2)
    peer.hear()
    again = Peer(service).hello(resume=first.session)
    assert (again.session, again.resumed) == (first.session, True)
    [robot] = service.robots
    assert len(robot.session._window) == 1
    other = Peer(service).hello(resume="0" * 32)
    assert other.session not in ("0" * 32, first.session)
    assert not other.resumed


def test_a_session_belongs_to_the_key_that_said_hello(servo: Any, build: Build) -> None:
    service = build(servo())
    peer = Peer(service)
    hello = wire.Hello(protocol=1, embodiment=TABLETOP_ARM)
    service.handle(hello, {}, peer.reply, peer="key of one")
    welcome = peer.hear()
    assert isinstance(welcome, wire.Welcome)
    ask = wire.Observe(session=welcome.session, request=5, observed_at_ns=1)
    service.handle(ask, FRAME, peer.reply, peer="key of another")
    assert peer.fault().code == "no_session"
    service.handle(wire.Bye(session=welcome.session), {}, peer.reply, peer="key of another")
    resume = msgspec.structs.replace(hello, resume=welcome.session)
    service.handle(resume, {}, peer.reply, peer="key of another")
    stranger = peer.hear()
    assert isinstance(stranger, wire.Welcome)
    assert stranger.session != welcome.session
    words = {"instruction": FRAME["instruction"]}
    arrays = {name: value for name, value in FRAME.items() if name not in words}
    ask = msgspec.structs.replace(ask, words=words)
    service.handle(ask, arrays, peer.reply, peer="key of one")
    assert isinstance(peer.hear(), wire.Act)


def test_it_shows_what_a_robot_saw_last(servo: Any, build: Build) -> None:
    service = build(servo())
    peer = Peer(service)
    peer.hello()
    [robot] = service.robots
    assert service.pictures(robot.number) == {}
    peer.observe(2, act=True)
    peer.hear()
    pictures = service.pictures(robot.number)
    assert {name: image.shape for name, image in pictures.items()} == {
        "table": (24, 32, 3),
        "wrist": (24, 32, 3),
    }
    assert service.pictures(10**9) == {}


def test_a_reset_takes_the_new_calibration_and_forgets_the_window(servo: Any, build: Build) -> None:
    service = build(servo())
    peer = Peer(service)
    peer.hello()
    peer.observe(50, act=False)
    peer.say(wire.Reset(session=peer.session, calibration={"table": LENS}))
    peer.observe(3)
    assert isinstance(peer.hear(), wire.Act)
    [robot] = service.robots
    assert robot.session.memory["calibration"] == {"table": LENS}


def test_a_calibration_that_cannot_be_is_a_fault_and_is_not_taken(servo: Any, build: Build) -> None:
    service = build(servo())
    peer = Peer(service)
    peer.hello()
    flat = msgspec.structs.replace(LENS, intrinsics=(0.0,) * 9)
    peer.say(wire.Reset(session=peer.session, request=4, calibration={"table": flat}))
    fault = peer.hear()
    assert isinstance(fault, wire.Fault) and fault.request == 4
    assert "calibration of 'table': expected finite numbers and focal lengths" in fault.message
    [robot] = service.robots
    assert robot.session.calibration == {}


def test_the_status_counts_robots_answers_and_faults(servo: Any, build: Build, until: Any) -> None:
    service = build(servo())
    assert service.status().mean_batch == 0.0
    peer = Peer(service)
    peer.hello(client="arm 3")
    for request in (2, 3):
        peer.observe(request)
        assert peer.hear().request == request
    peer.observe(1)
    assert peer.fault().code == "bad_observation"
    until(lambda: service.status().timings["batch"].count == 2)
    status = service.status()
    [robot] = status.robots
    assert (robot.client, robot.requests, robot.refused, robot.missed) == ("arm 3", 2, 1, 0)
    assert 0 <= robot.silent_s <= status.uptime_s
    assert (status.model, status.answered, status.mean_batch) == ("servo-1", 2, 1.0)
    assert status.faults == {"bad_observation": 1}
    assert status.requests == 2 and status.window_bytes > 3 * 24 * 32
    assert status.healthy and set(status.bodies) == {"tabletop_arm", "road_car"}
    assert {name: timing.count for name, timing in status.timings.items()} == dict.fromkeys(
        ("total", "queued", "prepared", "inference", "batch"), 2
    )


def test_a_service_that_stops_says_so_in_its_status(servo: Any, build: Build) -> None:
    service = build(servo())
    service.stop()
    assert (service.status().healthy, service.status().trouble) == (False, "The server stops.")


def test_a_deadline_missed_is_counted_for_its_robot(servo: Any, build: Build) -> None:
    policy = servo()
    began = occupied(policy)
    service = build(policy)
    busy, late = Peer(service), Peer(service)
    busy.hello()
    late.hello(client="late")
    busy.observe(2)
    assert began.wait(60)
    late.observe(3, deadline_ms=1e-3)
    prepared(late)
    policy.hold.set()
    assert late.fault().code == "stale"
    [missed] = [robot.missed for robot in service.status().robots if robot.client == "late"]
    assert missed == 1


def recorded(policy: Any) -> tuple[list[Observation], list[ActionChunk]]:
    """What the policy is asked from now on, and what it answers."""
    seen, given, working = list[Observation](), list[ActionChunk](), policy.act

    def telling(observations: Any, memories: Any) -> Any:
        seen.extend(observations)
        given.extend(chunks := working(observations, memories))
        return chunks

    policy.act = telling
    return seen, given


def test_an_answer_is_to_begin_with_the_rows_that_the_robot_executes_anyway(
    servo: Any, build: Build
) -> None:
    policy = servo()
    seen, given = recorded(policy)
    peer = Peer(build(policy))
    peer.hello()
    for request, fields in enumerate(
        [{}, {"chunk_ns": 1, "executed_steps": 2, "frozen_steps": 3}, {"chunk_ns": 9}], 1
    ):
        peer.observe(request, **fields)
        assert isinstance(peer.hear(), wire.Act)
    assert [set(one.prefix) for one in seen] == [set(), {"arm", "gripper"}, set()]
    for group, rows in seen[1].prefix.items():
        assert np.array_equal(rows, given[0].action[group][2:5])


def test_a_stream_is_filed_by_its_own_time(servo: Any, build: Build) -> None:
    policy = servo()
    seen, _ = recorded(policy)
    peer = Peer(build(policy))
    peer.hello()
    arrays = {k: v for k, v in FRAME.items() if k != "instruction"}

    def say(request: int, at_ns: int, **times: int) -> wire.Reply:
        message = wire.Observe(
            session=peer.session,
            request=request,
            observed_at_ns=at_ns,
            words={"instruction": FRAME["instruction"]},
        )
        header, body = pack(message, arrays, times)
        peer.service.receive(header, memoryview(body.tobytes()), peer.reply)
        return peer.hear()

    assert isinstance(say(1, 10**9, wrist=10**9 - 10**8, tool=10**9), wire.Act)
    assert [seen[0].valid[name][-1] for name in ("table", "wrist", "tool")] == [True, False, True]
    fault = say(2, 2 * 10**9, wrist=3 * 10**9)
    assert isinstance(fault, wire.Fault)
    assert fault.code == "bad_observation"
    assert "tabletop_arm.wrist: expected it to be seen at most" in fault.message
    fault = say(3, 2 * 10**9, tool=10**9)
    assert isinstance(fault, wire.Fault)
    assert fault.code == "bad_observation"
    assert "tabletop_arm: expected tool of the newest frame's time to act upon" in fault.message
    assert isinstance(say(4, 2 * 10**9 + 1, tool=2 * 10**9), wire.Act)


def test_who_sends_more_than_its_rate_is_told_when_to_come_again(servo: Any, build: Build) -> None:
    service = build(servo(), limits=Limits(rate=2.0))
    peer, other = Peer(service), Peer(service)
    for one in (peer, other):
        one.hello()
    for request in range(2, 5):
        peer.observe(request, act=False)
    peer.observe(5)
    fault = peer.fault()
    assert (fault.code, fault.request) == ("overloaded", 5)
    assert fault.message == (
        "The server is overloaded: more than 2 messages a second of this robot."
    )
    assert fault.retry_after_ms is not None and 0 < fault.retry_after_ms <= 500
    other.observe(2)
    assert isinstance(other.hear(), wire.Act)
    assert [robot.refused for robot in service.status().robots] == [1, 0]


def test_stopping_answers_what_has_come_refuses_what_comes_and_tells_all(
    servo: Any, build: Build
) -> None:
    policy = servo()
    began = occupied(policy)
    service = build(policy)
    busy, waiting, idle = Peer(service), Peer(service), Peer(service)
    for peer in (busy, waiting, idle):
        peer.hello()
    busy.observe(2)
    assert began.wait(60)
    waiting.observe(3)
    stopping = threading.Thread(target=service.stop, args=(60.0,))
    stopping.start()
    while service._until == math.inf:
        time.sleep(0.001)
    late = Peer(service)
    late.say(wire.Hello(protocol=1, embodiment=TABLETOP_ARM, request=9))
    idle.observe(4)
    for peer, request in ((late, 9), (idle, 4)):
        fault = peer.fault()
        assert (fault.code, fault.message, fault.request) == (
            "stopping",
            "The server stops.",
            request,
        )
    late.say(wire.Ping(request=5))
    assert isinstance(late.hear(), wire.Pong)
    policy.hold.set()
    stopping.join(60)
    assert not stopping.is_alive()
    for peer, request in ((busy, 2), (waiting, 3)):
        act = peer.hear()
        assert isinstance(act, wire.Act) and act.request == request
    for peer in (busy, waiting, idle):
        assert peer.hear() == wire.Closing(reason="The server stops.")
    assert late.replies.empty()


def test_what_cannot_be_answered_in_time_is_told_so_at_the_stop(servo: Any, build: Build) -> None:
    policy = servo()
    began = occupied(policy)
    service = build(policy)
    busy, waiting = Peer(service), Peer(service)
    for peer in (busy, waiting):
        peer.hello()
    busy.observe(2)
    assert began.wait(60)
    waiting.observe(3)
    prepared(waiting)
    service.stop(within_s=0.001)
    for peer, request in ((busy, 2), (waiting, 3)):
        fault = peer.fault()
        assert (fault.code, fault.request) == ("stopping", request)
        assert isinstance(peer.hear(), wire.Closing)
