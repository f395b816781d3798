import logging
import time
from typing import Any

import msgspec
import numpy as np
import pytest

from octoverse import wire
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.episode import Calibration
from octoverse.errors import BadMessage, RemoteError, SpecMismatch, UnknownName
from octoverse.packing import pack
from octoverse.servers.conversation import Conversation
from octoverse.servers.talk import SENT, Answer, Message, Talk
from octoverse.synthetic import random_frame

FRAME = random_frame(TABLETOP_ARM, np.random.default_rng(0))
CHUNK = {"arm": np.zeros((6, 4), np.float32), "gripper": np.ones((6, 1), np.float32)}
ARRAYS = ("table", "wrist", "tool")
TOLD: dict[str, Any] = {
    "observed_at_ns": 5,
    "deadline_ms": 60_000.0,
    "seed": None,
    "chunk_ns": None,
    "executed_steps": 0,
    "frozen_steps": 0,
    "seen_at_ns": None,
}
LENS = Calibration(intrinsics=(1.0,) * 9, extrinsics=(0.0,) * 16)


class Desk:
    """A server that is asked by hand: its clock is `ahead` of the client's by so many ns."""

    def __init__(self, ahead: int = 10**15, **limits: Any) -> None:
        self.ahead, self.limits = ahead, wire.Limits(**limits)
        self.sessions: list[str] = []
        self.resumed = False

    def welcome(self, hello: wire.Hello) -> wire.Welcome:
        self.resumed = hello.resume is not None and hello.resume in self.sessions
        if not self.resumed:
            self.sessions.append(f"{len(self.sessions):032x}")
        return wire.Welcome(
            request=hello.request,
            session=self.sessions[-1],
            protocol=1,
            model="desk-1",
            statistics="none",
            action=dict(TABLETOP_ARM.action),
            horizons={"arm": 6, "gripper": 6},
            control_hz=10.0,
            resumed=self.resumed,
            frames=1,
            spacing=0.1,
            camera_sizes={},
            limits=self.limits,
        )

    def answer(self, message: Message, sent: int = 0, way: int = 10**6) -> Answer:
        """Answers a message sent at so many ns of the client's clock, after 3 ms of work."""
        message.sent_ns = sent
        said, body = wire.read_request(message.header), memoryview(b"")
        received, answered = sent + way + self.ahead, sent + way + self.ahead + 3 * 10**6
        arrived = sent + 2 * way
        match said:
            case wire.Hello():
                reply: wire.Reply = self.welcome(said)
            case wire.Ping():
                reply = wire.Pong(
                    request=said.request,
                    model="desk-1",
                    uptime_s=1.0,
                    sessions=1,
                    queue=0,
                    load=0.0,
                    at_ns=received,
                )
            case wire.Observe(act=True):
                if said.session != self.sessions[-1]:
                    return self.fault("no_session", said.request)
                arrived += 3 * 10**6
                timing = wire.Timing(
                    prepared_ms=1.0,
                    queued_ms=1.0,
                    inference_ms=1.0,
                    total_ms=3.0,
                    batch=1,
                    received_at_ns=received,
                    sent_at_ns=answered,
                )
                act = wire.Act(
                    request=said.request,
                    step=said.step,
                    observed_at_ns=said.observed_at_ns,
                    timing=timing,
                )
                header, packed = pack(act, CHUNK)
                reply, body = wire.read_reply(header), packed.data
            case _:
                return SENT
        return Answer(reply, body, arrived)

    def fault(self, code: str, request: int, **told: Any) -> Answer:
        fault = wire.Fault(code=code, message="Refused.", request=request, **told)
        return Answer(fault, memoryview(b""), 0)

    def carry(self, talk: Talk[Any], **told: Any) -> tuple[list[Any], Any]:
        """Carries a whole talk; gives what was said and what came of it."""
        said: list[Any] = []
        answer = None
        try:
            while True:
                message = talk.send(answer)
                said.append(wire.read_request(message.header))
                answer = self.answer(message, **told)
        except StopIteration as end:
            return said, end.value


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def robot(desk: Desk) -> Conversation:
    robot = Conversation(TABLETOP_ARM, name="arm 1", calibration={"table": LENS})
    desk.carry(robot.hello())
    return robot


def read(message: Message | wire.Request, kind: type[Any]) -> Any:
    said = wire.read_request(message.header) if isinstance(message, Message) else message
    assert isinstance(said, kind)
    return said


def test_a_robot_says_who_it_is_and_looks_at_the_clock(desk: Desk) -> None:
    robot = Conversation(TABLETOP_ARM, name="arm 1", calibration={"table": LENS})
    (hello, ping), _ = desk.carry(robot.hello())
    assert read(hello, wire.Hello).embodiment == TABLETOP_ARM
    assert (hello.client, hello.calibration, hello.resume) == ("arm 1", {"table": LENS}, None)
    assert read(ping, wire.Ping).request != hello.request
    assert robot.welcome.session == desk.sessions[-1]
    assert robot.clock.offset_ns == pytest.approx(desk.ahead, abs=1000)


def test_a_frame_is_said_with_all_that_the_robot_knows(robot: Conversation, desk: Desk) -> None:
    told = TOLD | {"chunk_ns": 3, "executed_steps": 2, "frozen_steps": 4, "seen_at_ns": {"tool": 2}}
    [observe], chunk = desk.carry(robot.act(FRAME, **told), way=20 * 10**6)
    assert (observe.session, observe.observed_at_ns, observe.act) == (desk.sessions[-1], 5, True)
    assert (observe.chunk_ns, observe.executed_steps, observe.frozen_steps) == (3, 2, 4)
    assert {a.name: a.at_ns for a in observe.arrays} == {"table": None, "wrist": None, "tool": 2}
    assert (observe.words, observe.uplink_ms) == ({"instruction": FRAME["instruction"]}, 0.0)
    assert chunk.observed_at_ns == 5
    assert (chunk.action["gripper"] == 1).all()
    [observe], _ = desk.carry(robot.act(FRAME, **TOLD))
    assert observe.uplink_ms == pytest.approx(20.0, abs=0.1)
    assert observe.chunk_ns is None


def test_steps_count_from_the_reset_and_seeds_are_its(robot: Conversation, desk: Desk) -> None:
    desk.carry(robot.reset(7, None))
    said = [desk.carry(robot.act(FRAME, **TOLD))[0][0] for _ in range(2)]
    said += desk.carry(robot.act(FRAME, **TOLD | {"seed": 1}))[0]
    assert [(o.step, o.seed) for o in said] == [(0, 7), (1, 7), (2, 1)]
    desk.carry(robot.reset(8, None))
    [observe], _ = desk.carry(robot.act(FRAME, **TOLD))
    assert (observe.step, observe.seed) == (0, 8)


def test_a_reset_is_followed_by_what_tells_that_it_was_heard(robot: Conversation) -> None:
    talk = robot.reset(0, {"wrist": LENS})
    reset = talk.send(None)
    assert reset.request is None
    assert read(reset, wire.Reset).calibration == {"table": LENS, "wrist": LENS}
    ping = talk.send(SENT)
    assert read(ping, wire.Ping).request == ping.request
    assert read(talk.send(None), wire.Reset), "said again when the connection was lost"
    assert read(talk.send(None), wire.Reset)
    assert read(talk.send(SENT), wire.Ping)


def test_a_frame_that_waited_for_a_connection_has_less_time_left(
    robot: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    talk = robot.act(FRAME, **TOLD | {"deadline_ms": 300.0})
    first = talk.send(None)
    now[0] += 0.1
    again = talk.send(None)
    said = [read(message, wire.Observe) for message in (first, again)]
    assert [observe.deadline_ms for observe in said] == pytest.approx([300.0, 200.0])
    assert msgspec.structs.replace(said[1], deadline_ms=said[0].deadline_ms) == said[0]
    assert first.body is again.body
    now[0] += 0.21
    over = read(talk.send(None), wire.Observe)
    assert 0 < over.deadline_ms < 0.01, "the server keeps it, and answers that it is stale"


@pytest.mark.parametrize("code", ["no_session", "worker_lost"])
def test_a_robot_that_was_forgotten_says_hello_and_asks_again(
    robot: Conversation, desk: Desk, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    talk = robot.act(FRAME, **TOLD)
    first = talk.send(None)
    assert first.request is not None
    hello = talk.send(desk.fault(code, first.request))
    assert read(hello, wire.Hello).resume is None
    ping = talk.send(desk.answer(hello))
    again = talk.send(desk.answer(ping))
    assert read(again, wire.Observe).session == desk.sessions[-1] != desk.sessions[0]
    assert (read(again, wire.Observe).step, again.request) == (0, first.request)
    with pytest.raises(StopIteration):
        talk.send(desk.answer(again))
    assert robot.restarts == 1
    assert caplog.messages == [
        "tabletop_arm: the server forgot this robot; saying hello again, the window starts anew"
    ]


def test_a_server_that_forgets_always_is_not_greeted_for_ever(
    robot: Conversation, desk: Desk
) -> None:
    talk, answer, hellos = robot.act(FRAME, **TOLD), None, 0
    with pytest.raises(RemoteError) as caught:
        while True:
            message = talk.send(answer)
            said = wire.read_request(message.header)
            hellos += isinstance(said, wire.Hello)
            forgets = isinstance(said, wire.Observe)
            answer = desk.fault("no_session", said.request) if forgets else desk.answer(message)
    assert (caught.value.code, hellos) == ("no_session", 2)


def test_a_frame_told_to_a_server_that_forgot_makes_the_next_say_hello(
    robot: Conversation, desk: Desk
) -> None:
    told: dict[str, Any] = {"observed_at_ns": 5, "seen_at_ns": None}
    [observe], _ = desk.carry(robot.observe(FRAME, **told))
    assert not observe.act
    fault = wire.Fault(code="no_session", message="Who?", request=observe.request)
    assert robot.read([wire.encode(fault), b""], 0, None) is None
    said, _ = desk.carry(robot.observe(FRAME, **told))
    assert [type(s) for s in said] == [wire.Hello, wire.Ping, wire.Observe]
    assert robot.restarts == 1
    assert robot.read([wire.encode(fault), b""], 0, None) is None, "of the session before"
    said, _ = desk.carry(robot.observe(FRAME, **told))
    assert [type(s) for s in said] == [wire.Observe]


def test_a_reset_too_says_hello_to_a_server_that_forgot(robot: Conversation, desk: Desk) -> None:
    fault = wire.Fault(code="worker_lost", message="Gone.", request=99)
    robot.read([wire.encode(fault), b""], 0, None)
    said, _ = desk.carry(robot.reset(0, None))
    assert [type(s) for s in said] == [wire.Hello, wire.Ping, wire.Reset, wire.Ping]


def test_a_session_is_resumed_if_it_is_still_known(
    robot: Conversation, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    later = Conversation(TABLETOP_ARM, resume=robot.welcome.session)
    (hello, _), _ = desk.carry(later.hello())
    assert hello.resume == robot.welcome.session == later.welcome.session
    assert later.welcome.resumed
    assert not caplog.messages
    stranger = Conversation(TABLETOP_ARM, resume="f" * 32)
    desk.carry(stranger.hello())
    assert caplog.messages == [
        "tabletop_arm: the server no longer knows the session to resume; the window starts anew"
    ]


def test_what_comes_unasked_is_noted(robot: Conversation, caplog: pytest.LogCaptureFixture) -> None:
    timing = wire.Timing(prepared_ms=1, queued_ms=1, inference_ms=5, total_ms=7, batch=1)
    pong = wire.Pong(request=1, model="", uptime_s=0, sessions=0, queue=0, load=0)
    with caplog.at_level(logging.INFO):
        for reply in (
            wire.Act(request=1, step=0, observed_at_ns=0, timing=timing),
            pong,
            wire.Closing(reason="Maintenance."),
            wire.Fault(code="later_code", message="Too late.", remedy="Hurry.", request=1),
        ):
            assert robot.read([wire.encode(reply)], 0, 5) is None
    assert robot.late == 2
    assert caplog.messages == [
        "dropped a late answer, 7 ms old",
        "tabletop_arm: the policy server stops: Maintenance.",
        "an earlier message was refused: Too late. Hurry.",
    ]
    answer = robot.read([wire.encode(pong), b"body"], 9, 1)
    assert answer == Answer(pong, memoryview(b"body"), 9)
    with pytest.raises(BadMessage, match="expected a message of protocol 1"):
        robot.read([b"nonsense"], 0, 1)


def test_a_frame_beyond_the_limit_is_refused_before_it_is_said() -> None:
    robot, desk = Conversation(TABLETOP_ARM), Desk(message_bytes=50_000)
    desk.carry(robot.hello())
    with pytest.raises(SpecMismatch, match="a frame of at most 50000 bytes, got 55320"):
        robot.act(FRAME, **TOLD).send(None)


def test_a_time_of_a_stream_that_is_not_in_the_frame_is_refused(robot: Conversation) -> None:
    with pytest.raises(UnknownName, match="No stream of the frame named 'table_'"):
        robot.act(FRAME, **TOLD | {"seen_at_ns": {"table_": 3}}).send(None)


def test_memory_of_a_frame_is_used_again_only_once_it_was_answered(
    robot: Conversation, desk: Desk
) -> None:
    first = robot.act(FRAME, **TOLD).send(None)
    talk = robot.act(FRAME, **TOLD)
    second = talk.send(None)
    assert second.body is not first.body
    with pytest.raises(StopIteration):
        talk.send(desk.answer(second))
    talk = robot.act(FRAME, **TOLD)
    third = talk.send(None)
    assert third.body is second.body
    assert third.request is not None
    with pytest.raises(RemoteError):
        talk.send(desk.fault("overloaded", third.request))
    talk = robot.act(FRAME, **TOLD)
    fourth = talk.send(None)
    assert fourth.body is third.body, "a fault is an answer, too"
    unread = wire.Fault(code="bad_message", message="What?")
    with pytest.raises(RemoteError):
        talk.send(Answer(unread, memoryview(b""), 0))
    assert robot.act(FRAME, **TOLD).send(None).body is not fourth.body


def test_a_chunk_that_does_not_fit_is_refused(robot: Conversation, desk: Desk) -> None:
    talk = robot.act(FRAME, **TOLD)
    reply, body, arrived = desk.answer(talk.send(None))
    assert isinstance(reply, wire.Act)
    other = msgspec.structs.replace(reply, observed_at_ns=4)
    with pytest.raises(SpecMismatch, match="expected one for tabletop_arm at 5 ns, got one for"):
        talk.send(Answer(other, body, arrived))


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="jpeg_quality must be 1 to 100, got 0"):
        Conversation(TABLETOP_ARM, jpeg_quality=0)
