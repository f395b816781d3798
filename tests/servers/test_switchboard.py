from typing import Any

import msgspec
import pytest

from octoverse import wire
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.servers import switchboard as module
from octoverse.servers.backend_messages import Beat, Heard, Shown, encode
from octoverse.servers.switchboard import Switchboard
from octoverse.wire import Limits

ONE, TWO = "1" * 32, "2" * 32
HELLO = wire.Hello(protocol=1, embodiment=TABLETOP_ARM, request=1)


class Ends:
    """A switchboard whose sockets are lists."""

    def __init__(
        self, limits: Limits | None = None, settled: float = 0.0, one_clock: bool = True
    ) -> None:
        self.robots: list[tuple[bytes, Any, Any]] = []
        self.workers: list[tuple[bytes, ...]] = []
        self.full = False
        self.now = 1.0
        self.pictures = list[Any]()
        ends = self.to_robot, self.to_worker
        self.board = Switchboard(
            limits or Limits(), *ends, one_clock, lambda *shown: self.pictures.append(shown)
        )
        self.board.settled = settled

    def to_robot(self, route: bytes, header: bytes, body: Any) -> None:
        self.robots.append((route, wire.read_reply(header), body))

    def to_worker(self, *frames: bytes) -> bool:
        if not self.full:
            self.workers.append(frames)
        return not self.full

    def join(self, name: str, *sessions: str, **fields: Any) -> None:
        """Let a worker say that it is there."""
        told = {"leaving": False, "bodies": ("tabletop_arm",), "queue": 0, "load": 0.0}
        beat = Beat(
            name=name,
            sessions=sessions,
            model=f"of {name}",
            healthy=True,
            status=msgspec.Raw(b"\x80"),
            **{**told, **fields},
        )
        self.board.from_worker(name.encode(), 0, [b"", encode(beat)], self.now)
        self.workers.remove((name.encode(), b"", encode(Heard())))  # it was heard

    def ask(self, route: bytes, message: wire.Request, body: bytes = b"") -> bytes:
        header = wire.encode(message)
        self.board.from_robot(route, b"key", header, body, self.now)
        return header

    def answer(self, name: str, route: bytes, message: wire.Reply) -> None:
        self.board.from_worker(name.encode(), 0, [route, wire.encode(message), b"body"], self.now)

    def told(self) -> tuple[bytes, Any]:
        """The only thing that a robot was told since the last time."""
        [(route, reply, _)] = self.robots
        self.robots.clear()
        return route, reply


def observe(session: str, request: int, **fields: Any) -> wire.Observe:
    return wire.Observe(session=session, request=request, observed_at_ns=0, **fields)


def welcome(session: str, request: int = 1) -> wire.Welcome:
    return wire.Welcome(
        request=request,
        session=session,
        protocol=1,
        model="m",
        statistics="",
        action={},
        horizons={},
        control_hz=1.0,
        frames=1,
        spacing=1.0,
        camera_sizes={},
        limits=Limits(),
    )


def test_messages_are_passed_on_as_they_came() -> None:
    ends = Ends()
    ends.join("a")
    hello = ends.ask(b"robot", HELLO, b"12345678")
    assert ends.workers == [(b"a", b"robot", b"key", hello, b"12345678")]
    answer = wire.encode(welcome(ONE))
    sent = list[Any]()
    ends.board._to_robot = lambda *frames: sent.append(frames)
    ends.board.from_worker(b"a", 0, [b"robot", answer, b"body"], 1.0)
    assert sent == [(b"robot", answer, b"body")]


def test_a_session_stays_with_its_worker_and_new_ones_go_where_least_is_to_do() -> None:
    ends = Ends()
    ends.join("a")
    ends.join("b")
    ends.ask(b"r1", HELLO)
    ends.ask(b"r2", HELLO)  # the first is not even answered yet
    assert [frames[0] for frames in ends.workers] == [b"a", b"b"]
    ends.answer("a", b"r1", welcome(ONE))
    ends.answer("b", b"r2", welcome(TWO))
    ends.workers.clear()
    for request in range(4):
        ends.ask(b"r1", observe(ONE, request))
        ends.ask(b"r2", wire.Reset(session=TWO))
    assert [frames[0] for frames in ends.workers] == [b"a", b"b"] * 4


def test_a_robot_that_comes_back_is_sent_to_the_worker_that_has_its_session() -> None:
    ends = Ends()
    ends.join("a", ONE, TWO)
    ends.join("b")
    ends.ask(b"robot", msgspec.structs.replace(HELLO, resume=ONE))
    ends.ask(b"robot", msgspec.structs.replace(HELLO, resume="3" * 32))
    assert [frames[0] for frames in ends.workers] == [b"a", b"b"]


def test_a_robot_is_sent_to_a_worker_that_knows_its_body() -> None:
    ends = Ends()
    ends.join("a", bodies=("road_car",))
    ends.join("b", ONE, TWO)
    ends.ask(b"robot", HELLO)
    assert ends.workers[0][0] == b"b"


def test_robots_of_a_dead_worker_are_told_at_once_and_the_others_notice_nothing() -> None:
    ends = Ends()
    ends.join("a", ONE)
    ends.join("b", TWO)
    ends.ask(b"r1", observe(ONE, 7))
    ends.ask(b"r2", observe(TWO, 8))
    ends.board.gone(ends.board.roster.workers["a"], "was killed")
    route, fault = ends.told()
    assert (route, fault.code, fault.request) == (b"r1", "worker_lost", 7)
    assert fault.message == "The worker that held this robot is gone."
    assert fault.remedy == "Say Hello again; the window starts anew on another worker."
    for message in (observe(ONE, 9), observe(ONE, 9, act=False), wire.Reset(session=ONE)):
        ends.ask(b"r1", message)
        assert ends.told()[1].code == "worker_lost"
    ends.answer("b", b"r2", wire.Pong(request=8, model="", uptime_s=0, sessions=0, queue=0, load=0))
    assert ends.told()[1].request == 8


def test_a_hello_under_way_to_a_dead_worker_is_answered() -> None:
    ends = Ends()
    ends.join("a")
    ends.ask(b"robot", HELLO)
    ends.board.gone(ends.board.roster.workers["a"], "was killed")
    assert ends.told()[1].code == "worker_lost"


def test_a_worker_that_is_silent_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    ends = Ends()
    ends.join("a", ONE)
    ends.ask(b"robot", observe(ONE, 7))
    ends.board.tick(2.9)
    assert ends.robots == []
    ends.board.tick(3.1)
    assert ends.told()[1].code == "worker_lost"
    assert "worker 1 (a) has not been heard of for too long; its 1 robots start anew" in caplog.text


def test_what_has_been_answered_is_no_longer_waited_for() -> None:
    ends = Ends()
    ends.join("a", ONE)
    ends.ask(b"robot", observe(ONE, 7))
    fault = wire.Fault(code="stale", message="", request=7)
    ends.answer("a", b"robot", fault)
    assert ends.told() == (b"robot", fault)
    ends.board.gone(ends.board.roster.workers["a"], "was killed")
    assert ends.robots == []


def test_who_says_bye_waits_for_nothing() -> None:
    ends = Ends()
    ends.join("a", ONE)
    ends.ask(b"robot", observe(ONE, 7))
    ends.ask(b"robot", wire.Bye(session=ONE))
    assert ends.board.unanswered == 0


def test_an_answer_that_comes_after_all_from_a_worker_given_up_is_dropped() -> None:
    ends = Ends()
    ends.join("a", ONE)
    ends.ask(b"robot", observe(ONE, 7))
    ends.board.gone(ends.board.roster.workers["a"], "was silent")
    ends.robots.clear()
    ends.workers.clear()
    ends.answer("a", b"robot", wire.Fault(code="stale", message="", request=7))
    assert ends.robots == ends.workers == []
    ends.join("a", ONE)
    ends.ask(b"robot", observe(ONE, 8))
    assert ends.workers[-1][0] == b"a"


def test_more_workers_than_can_be_numbered_are_not_taken(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("octoverse.servers.roster.SEATS", 1)
    ends = Ends()
    ends.workers.append((b"a", b"", encode(Heard())))  # it is not even answered
    ends.join("a")
    assert ends.board.roster.workers == {}
    assert "workers: one more is not taken" in caplog.text


def test_pictures_are_handed_on_with_the_worker_that_showed_them() -> None:
    ends = Ends()
    shown = [b"", encode(Shown(robot=3, pictures={}))]
    ends.board.from_worker(b"a", 0, shown, 1.0)
    assert ends.pictures == []  # a stranger's
    ends.join("a")
    ends.board.from_worker(b"a", 0, shown, 1.0)
    assert ends.pictures == [(ends.board.roster.workers["a"], Shown(robot=3, pictures={}))]


def test_a_worker_that_leaves_costs_its_robots_a_hello_and_nothing_else() -> None:
    ends = Ends()
    ends.join("a", ONE)
    ends.join("b", TWO)
    ends.ask(b"r1", observe(ONE, 7))
    ends.join("a", ONE, leaving=True)
    ends.answer("a", b"r1", wire.Closing(reason="The server stops."))
    assert ends.robots == []
    ends.answer("a", b"r1", wire.Fault(code="stopping", message="The server stops.", request=7))
    route, fault = ends.told()
    assert (route, fault.code, fault.request) == (b"r1", "worker_lost", 7)
    ends.ask(b"r1", HELLO)
    assert ends.workers[-1][0] == b"b"


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (HELLO, "overloaded"),
        (observe(ONE, 1), "no_session"),
        (wire.Reset(session=ONE, request=1), "no_session"),
    ],
)
def test_without_workers_robots_are_told(message: wire.Request, code: str) -> None:
    ends = Ends()
    ends.ask(b"robot", message)
    route, fault = ends.told()
    assert (route, fault.code, fault.request) == (b"robot", code, 1)
    if code == "overloaded":
        assert "no worker is there at the moment" in fault.message
        assert fault.retry_after_ms == 1000
        assert "1000 ms" in fault.remedy
    else:
        assert "session 11111111: expected one in use, got one that no worker" in fault.message
    ends.ask(b"robot", wire.Bye(session=ONE))
    assert ends.robots == []


def test_a_broker_that_was_started_again_waits_for_the_workers_to_come_back() -> None:
    ends = Ends(settled=5.0)
    held = [ends.ask(b"r1", observe(ONE, 7)), ends.ask(b"r2", observe(TWO, 8))]
    ends.now = 4.0
    ends.join("a", TWO)
    assert ends.workers == [(b"a", b"r2", b"key", held[1], b"")]
    ends.board.tick(4.9)
    assert ends.robots == []
    ends.board.tick(5.0)
    route, fault = ends.told()
    assert (route, fault.code, fault.request) == (b"r1", "no_session", 7)
    ends.board.tick(5.1)
    assert ends.robots == []


def test_a_hello_waits_with_them() -> None:
    ends = Ends(settled=5.0)
    hello = ends.ask(b"robot", HELLO)
    ends.join("a")
    assert ends.workers == [(b"a", b"robot", b"key", hello, b"")]


def test_a_robot_that_comes_back_waits_for_the_worker_that_has_its_session() -> None:
    ends = Ends(settled=5.0)
    hellos = [
        ends.ask(b"robot", msgspec.structs.replace(HELLO, resume=session)) for session in (ONE, TWO)
    ]
    ends.now = 4.0
    ends.join("a")
    assert ends.workers == []
    ends.join("b", ONE)
    assert ends.workers == [(b"b", b"robot", b"key", hellos[0], b"")]
    ends.board.tick(5.0)
    assert ends.workers[1:] == [(b"a", b"robot", b"key", hellos[1], b"")]


def test_what_waits_for_workers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    ends = Ends(Limits(message_bytes=1000), settled=5.0)
    ends.ask(b"robot", observe(ONE, 1), bytes(700))
    ends.ask(b"robot", observe(ONE, 2), bytes(700))
    assert ends.told()[1].request == 2
    monkeypatch.setattr(module, "_HELD", 1)
    ends.ask(b"robot", observe(ONE, 3))
    assert ends.told()[1].request == 3


def test_what_one_worker_has_under_way_is_bounded() -> None:
    ends = Ends(Limits(queue=2))
    ends.join("a", ONE)
    for request in (1, 2, 3):
        ends.ask(b"robot", observe(ONE, request))
    fault = ends.told()[1]
    assert (fault.code, fault.request, fault.retry_after_ms) == ("overloaded", 3, 100)
    assert fault.message == "The server is overloaded: too many requests wait."
    ends.ask(b"robot", observe(ONE, 4, act=False))
    assert len(ends.workers) == 3


def test_a_worker_that_does_not_read_costs_its_robots_an_answer() -> None:
    ends = Ends()
    ends.join("a", ONE)
    ends.full = True
    ends.ask(b"robot", observe(ONE, 1))
    fault = ends.told()[1]
    assert (fault.code, fault.request) == ("overloaded", 1)
    assert fault.message == "The server is overloaded: the robot's worker is behind."
    assert ends.board.unanswered == 0


def test_pings_are_answered_from_what_the_workers_tell() -> None:
    ends = Ends()
    for name, bodies, queue in (("a", ("arm", "car"), 2), ("b", ("car", "drone"), 3)):
        ids = tuple(f"{name}{i}".rjust(32, "0") for i in range(queue))
        ends.join(name, *ids, bodies=bodies, queue=queue, load=queue / 10)
    ends.ask(b"robot", wire.Ping(request=9))
    pong = ends.told()[1]
    assert (pong.request, pong.model, pong.bodies) == (9, "of a, of b", ("arm", "car", "drone"))
    assert (pong.sessions, pong.queue, pong.load) == (5, 5, 0.25)
    assert pong.at_ns > 0


def test_clients_learn_no_clock_that_their_worker_may_not_have() -> None:
    ends = Ends(one_clock=False)
    ends.ask(b"robot", wire.Ping(request=9))
    assert ends.told()[1].at_ns == 0


def test_what_is_not_a_message_is_answered_in_words() -> None:
    ends = Ends()
    ends.board.from_robot(b"robot", b"", msgspec.msgpack.encode({"type": "teapot"}), b"", 1.0)
    route, fault = ends.told()
    assert (route, fault.code, fault.request) == (b"robot", "bad_message", None)
    assert "Invalid value 'teapot'" in fault.message
    ends.board.refuse(b"robot", "message: expected 2 frames, got 3.")
    assert ends.told()[1].message == "message: expected 2 frames, got 3."
    assert ends.board.faults.counts == {"bad_message": 2}


@pytest.mark.parametrize(
    "frames",
    [
        [b""],
        [b"", b"nonsense"],
        [b"", b"", b""],
        [b"robot", b"nonsense", b""],
        [b"robot", b""],
        [b"robot"] * 9,
    ],
)
def test_nonsense_from_a_worker_is_logged_and_nothing_else(
    frames: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    ends = Ends()
    ends.join("a")
    ends.board.from_worker(b"a", 0, frames, 1.0)
    assert "worker 1 (a): " in caplog.text
    assert ends.robots == ends.workers == []


def test_every_robot_is_told_that_the_broker_stops() -> None:
    ends = Ends(settled=5.0)
    ends.join("a", ONE)
    ends.join("b", TWO)
    ends.ask(b"r1", observe(ONE, 1))
    ends.ask(b"r3", observe("3" * 32, 2))  # held
    ends.board.closing = True
    ends.ask(b"r2", observe(TWO, 3))
    route, fault = ends.told()
    assert (route, fault.code, fault.message) == (b"r2", "stopping", "The server stops.")
    ends.board.close("The server stops.")
    assert [(route, type(reply)) for route, reply, _ in ends.robots] == [
        (b"r3", wire.Fault),
        (b"r1", wire.Closing),
    ]
    assert ends.robots[1][1].reason == "The server stops."
