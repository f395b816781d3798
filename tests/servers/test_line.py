import socket as sockets
import time
from collections.abc import Callable
from typing import Any

import pytest
import zmq

from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.errors import ServerUnreachable
from octoverse.servers import line as lines
from octoverse.servers.conversation import Conversation
from octoverse.servers.line import Line, Want
from octoverse.servers.talk import SENT, Answer, Message
from octoverse.wire import Closing, Fault, Pong

Until = Callable[[Callable[[], bool]], None]
Open = Callable[..., Line]
Reach = Callable[[Line], None]
PONG = Pong(request=2, model="servo-1", uptime_s=1.0, sessions=0, queue=0, load=0.0)


def ask(request: int = 2) -> Message:
    return Message(b"header", b"body", request)


def soon() -> float:
    return time.monotonic() + 60.0


def arrived(line: Line) -> None:
    """Waits until something lies in the socket, without taking it."""
    assert line.sockets[0].poll(60_000)


def end_of(waits: Any, came: Any = None) -> Answer | None:
    with pytest.raises(StopIteration) as end:
        waits.send(came)
    answer: Answer | None = end.value.value
    return answer


def test_it_says_what_it_waits_for_and_for_how_long(
    puppet: Any, open_line: Open, reach: Reach
) -> None:
    away = puppet()
    away.die()
    line = open_line(away.address)
    waits = line.exchange(ask(), soon())
    want, seconds = next(waits)
    assert (want, 0.0 < seconds < 60.0) == (Want.CONNECTION, True)
    peer = puppet(away.address)
    reach(line)
    assert end_of(waits) is None, "the message is to be made anew, for the connection is new"
    message, before = ask(), time.monotonic_ns()
    waits = line.exchange(message, soon())
    want, seconds = next(waits)
    assert (want, 0.0 < seconds < 60.0) == (Want.ANSWER, True)
    assert before <= message.sent_ns <= time.monotonic_ns()
    assert peer.hear() == [b"header", b"body"]
    peer.say(PONG, b"numbers")
    answer = end_of(waits, line.receive(60.0))
    assert answer is not None
    assert (answer.reply, bytes(answer.body)) == (PONG, b"numbers")
    assert message.sent_ns < answer.arrived_ns <= time.monotonic_ns()


def test_what_needs_no_answer_is_sent_without_waiting(
    puppet: Any, open_line: Open, reach: Reach
) -> None:
    peer = puppet()
    line = open_line(peer.address)
    reach(line)
    assert end_of(line.exchange(Message(b"told"), soon())) is SENT
    assert peer.hear() == [b"told", b""]


def test_an_answer_that_came_before_the_connection_broke_still_counts(
    puppet: Any, open_line: Open, reach: Reach, until: Until
) -> None:
    peer = puppet()
    line = open_line(peer.address)
    reach(line)
    waits = line.exchange(ask(), soon())
    assert next(waits)[0] is Want.ANSWER
    peer.hear()
    peer.say(PONG, b"numbers")
    peer.die(linger=-1)
    until(lambda: bool(line.sockets[1].poll(0)))  # the client wakes when all is over
    assert waits.send(None) == (Want.ANSWER, 0.0)
    answer = end_of(waits, line.receive(0.0))
    assert answer is not None
    assert bytes(answer.body) == b"numbers"


def test_a_message_whose_connection_broke_is_to_be_made_anew_for_the_next(
    puppet: Any, open_line: Open, reach: Reach, caplog: pytest.LogCaptureFixture
) -> None:
    peer = puppet()
    line = open_line(peer.address)
    reach(line)
    waits = line.exchange(ask(), soon())
    next(waits)
    peer.hear()
    peer.die()
    assert line.sockets[1].poll(60_000)
    assert waits.send(None) == (Want.ANSWER, 0.0)
    assert end_of(waits, line.receive(0.0)) is None
    again = puppet(peer.address)
    reach(line)
    next(line.exchange(ask(), soon()))
    assert again.hear() == [b"header", b"body"]
    assert caplog.messages == [
        f"{peer.address}: lost the policy server, trying again",
        f"{peer.address}: the policy server is back",
    ]


def test_what_came_last_does_not_hide_that_the_connection_broke(
    puppet: Any, open_line: Open, reach: Reach
) -> None:
    peer = puppet()
    line = open_line(peer.address)
    reach(line)
    waits = line.exchange(ask(), soon())
    next(waits)
    peer.hear()
    peer.say(Closing(reason="Maintenance."))
    peer.die(linger=-1)
    assert all(socket.poll(60_000) for socket in line.sockets)
    assert waits.send(line.receive(0.0)) == (Want.ANSWER, 0.0), "nobody will be woken for it again"


def test_what_was_queued_for_a_server_that_died_never_reaches_the_next(
    puppet: Any, open_line: Open, reach: Reach
) -> None:
    peer = puppet()
    line = open_line(peer.address)
    reach(line)
    peer.die()
    assert line.sockets[1].poll(60_000)
    assert line._send(Message(b"stale")), "what is sent before it was looked is queued"
    again = puppet(peer.address)
    reach(line)
    next(line.exchange(ask(), soon()))
    assert again.hear() == [b"header", b"body"]


def test_a_line_that_is_full_waits_for_room(puppet: Any, open_line: Open, reach: Reach) -> None:
    peer = puppet(RCVHWM=1)
    line = open_line(peer.address)
    reach(line)
    large, wants = Message(b"told", bytes(10**6)), list[Want]()
    while not wants:
        waits = line.exchange(large, soon())
        try:
            wants.append(next(waits)[0])
        except StopIteration:
            pass
    assert wants == [Want.ROOM]
    line.timeout = 0.5
    with pytest.raises(ServerUnreachable, match=r"expected an answer within 0.5 s, got none, th"):
        next(line.exchange(large, time.monotonic()))
    while line.sockets[0].poll(0, zmq.POLLOUT) == 0:
        peer.hear()
    assert end_of(waits) is SENT


def test_answers_to_nobody_are_read_when_something_is_told(
    puppet: Any, open_line: Open, reach: Reach, caplog: pytest.LogCaptureFixture
) -> None:
    peer = puppet()
    line = open_line(peer.address)
    reach(line)
    assert end_of(line.exchange(Message(b"told"), soon())) is SENT
    peer.hear()
    peer.say(Fault(code="bad_observation", message="Unfit.", remedy="Mend it.", request=1), b"")
    arrived(line)
    assert end_of(line.exchange(Message(b"told"), soon())) is SENT
    assert caplog.messages == ["an earlier message was refused: Unfit. Mend it."]


def test_a_flood_of_answers_to_others_does_not_outlast_the_timeout(
    puppet: Any, open_line: Open, reach: Reach
) -> None:
    peer = puppet()
    line = open_line(peer.address)
    reach(line)
    waits = line.exchange(ask(), time.monotonic())
    assert next(waits) == (Want.ANSWER, 0.0)
    peer.hear()
    peer.say(Pong(request=1, model="", uptime_s=0.0, sessions=0, queue=0, load=0.0), b"")
    with pytest.raises(ServerUnreachable, match="got none, though the policy server is connected"):
        waits.send(line.receive(60.0))


def test_nobody_there_is_told_as_that(open_line: Open) -> None:
    with sockets.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    line = open_line(f"tcp://127.0.0.1:{port}", 0.1)
    words = r"no connection within 0.1 s\. Start one with `octoverse serve`, or correct the addr"
    with pytest.raises(ServerUnreachable, match=words):
        next(line.exchange(ask(), time.monotonic()))


def test_the_last_words_are_sent_and_closing_twice_is_harmless(
    puppet: Any, open_line: Open, reach: Reach, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "_LAST_WORDS_MS", 60_000)
    peer = puppet()
    line = open_line(peer.address)
    reach(line)
    line.close(Message(b"bye"))
    line.close(Message(b"bye"))
    assert peer.hear() == [b"bye", b""]
    assert peer.socket.poll(20) == 0


def test_closing_never_waits_for_a_server_that_never_was(
    puppet: Any, open_line: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "_LAST_WORDS_MS", 120_000)
    peer = puppet()
    peer.die()
    line, began = open_line(peer.address), time.monotonic()
    line.close(Message(b"bye"))
    assert time.monotonic() - began < 60
    assert line._context.closed


def test_settings_that_make_no_sense_are_refused() -> None:
    read = Conversation(TABLETOP_ARM).read
    with pytest.raises(ValueError, match=r"address: expected one such as .*, got nonsense"):
        Line("nonsense", 1.0, read)
    with pytest.raises(ValueError, match="timeout must be above 0 s, got 0"):
        Line("tcp://127.0.0.1:1", 0, read)
