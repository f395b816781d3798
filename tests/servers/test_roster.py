from dataclasses import replace
from typing import Any

import msgspec
import pytest

from octoverse.servers import roster as module
from octoverse.servers.backend_messages import Beat, write_status
from octoverse.servers.roster import Roster, Worker
from octoverse.servers.together import together

ONE, TWO, THREE = "1" * 32, "2" * 32, "3" * 32
QUIET = together({}, [])


def beat(roster: Roster, name: str, *sessions: str, **fields: Any) -> Worker:
    """Let a worker say that it is there, and how it fares."""
    told = {"leaving": False, "model": "servo", "bodies": ("arm",), "queue": 0, "load": 0.0}
    status = write_status(fields.pop("status", QUIET))
    route, fd = fields.pop("route", name.encode()), fields.pop("fd", 0)
    now = fields.pop("now", 0.0)
    message = Beat(
        name=name, sessions=sessions, status=status, **{"healthy": True, **told, **fields}
    )
    worker = roster.beat(message, route, fd, now)
    assert worker is not None
    return worker


@pytest.fixture
def roster() -> Roster:
    return Roster()


def test_a_session_is_found_at_its_worker(roster: Roster) -> None:
    a, b = beat(roster, "a", ONE), beat(roster, "b", TWO)
    roster.seat(THREE, b, b"robot")
    assert [roster.of(s) for s in (ONE, TWO, THREE, "4" * 32)] == [a, b, b, None]
    assert b.sessions == {TWO: b"", THREE: b"robot"}
    assert (roster.at(b"a"), roster.at(b"c")) == (a, None)


def test_a_beat_tells_which_sessions_there_are_by_now(roster: Roster) -> None:
    a = beat(roster, "a", ONE, TWO)
    roster.seat(TWO, a, b"robot")
    assert beat(roster, "a", TWO, THREE, queue=3, now=1.5) is a
    assert a.sessions == {TWO: b"robot", THREE: b""}
    assert roster.of(ONE) is None
    assert not roster.lost(ONE)  # it ended; its worker lives
    assert (a.beat.queue, a.heard) == (3, 1.5)


def test_no_worker_takes_the_session_of_another(roster: Roster) -> None:
    a, b = beat(roster, "a", ONE), beat(roster, "b", ONE, TWO)
    roster.seat(ONE, b, b"robot")
    beat(roster, "b", ONE)
    assert roster.of(ONE) is a
    assert b.sessions == {}
    roster.remove(b)
    assert roster.of(ONE) is a
    assert not roster.lost(ONE)


def test_the_lightest_is_who_has_least_to_do(roster: Roster) -> None:
    a, b = beat(roster, "a", ONE, TWO), beat(roster, "b", THREE)
    assert roster.lightest("arm") is b
    b.unanswered[b"robot", 1] = 0.0
    b.unanswered[b"robot", 2] = 0.0
    assert roster.lightest("arm") is a
    beat(roster, "a", ONE, TWO, healthy=False)
    assert roster.lightest("arm") is b
    beat(roster, "b", THREE, bodies=("car",))
    assert roster.lightest("arm") is a  # ill, but it knows the body
    assert roster.lightest("drone") is b
    beat(roster, "b", leaving=True)
    assert roster.lightest("car") is a
    beat(roster, "a", leaving=True)
    assert roster.lightest("car") is None


def test_of_two_that_have_as_much_the_idler_is_the_lightest(roster: Roster) -> None:
    beat(roster, "a", ONE, load=0.6)
    b = beat(roster, "b", TWO, load=0.5)
    assert roster.lightest("arm") is b


def test_sessions_of_a_dead_worker_are_lost_and_remembered(
    roster: Roster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LOST", 2)
    for name, session in (("a", ONE), ("b", TWO), ("c", THREE)):
        roster.remove(beat(roster, name, session))
    assert [roster.lost(s) for s in (ONE, TWO, THREE)] == [False, True, True]
    assert roster.workers == {}
    assert roster.at(b"a") is None
    assert roster.of(THREE) is None


def test_who_leaves_keeps_no_session_and_gets_none(roster: Roster) -> None:
    a = beat(roster, "a", ONE)
    beat(roster, "a", ONE, leaving=True)
    roster.seat(TWO, a, b"robot")  # a welcome that was under way
    assert roster.of(ONE) is roster.of(TWO) is None
    assert roster.lost(ONE) and roster.lost(TWO)
    assert roster.at(b"a") is a  # it may still answer


def test_who_comes_back_keeps_what_it_had(roster: Roster) -> None:
    a = beat(roster, "a", ONE, fd=7)
    a.unanswered[b"robot", 1] = 0.0
    roster.seat(ONE, a, b"robot")
    assert beat(roster, "a", ONE, route=b"a2", fd=8, now=5.0) is a
    assert (a.sessions, list(a.unanswered)) == ({ONE: b"robot"}, [(b"robot", 1)])
    assert (roster.at(b"a"), roster.at(b"a2"), a.fd, a.heard) == (None, a, 8, 5.0)


def test_lost_sessions_are_found_again_when_their_worker_was_alive_after_all(
    roster: Roster,
) -> None:
    roster.remove(beat(roster, "a", ONE))
    assert roster.lost(ONE)
    a = beat(roster, "a", ONE)
    assert roster.of(ONE) is a
    assert not roster.lost(ONE)


def test_who_is_not_heard_of_is_silent(roster: Roster) -> None:
    a, b = beat(roster, "a", now=10.0), beat(roster, "b", now=11.0)
    assert roster.silent(12.0) == []
    assert roster.silent(12.5) == [a]
    assert roster.silent(13.5) == [a, b]


def test_of_two_on_one_descriptor_the_older_has_gone(roster: Roster) -> None:
    a, b = beat(roster, "a", fd=7), beat(roster, "b", fd=7)
    assert roster.behind(7) is a
    roster.remove(a)
    assert roster.behind(7) is b
    assert roster.behind(8) is None


def test_a_request_without_an_answer_does_not_count_for_ever(roster: Roster) -> None:
    a = beat(roster, "a")
    a.unanswered[b"robot", 1], a.unanswered[b"robot", 2] = 100.0, 200.0
    beat(roster, "a", now=219.0)
    assert len(a.unanswered) == 2
    beat(roster, "a", now=221.0)
    assert list(a.unanswered) == [(b"robot", 2)]


def test_workers_are_numbered_and_bounded(roster: Roster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEATS", 3)
    a, b = beat(roster, "a"), beat(roster, "b")
    assert (a.number, b.number, str(a)) == (1, 2, "worker 1 (a)")
    assert roster.beat(msgspec.structs.replace(a.beat, name="c"), b"c", 0, 0.0) is None
    roster.remove(a)
    assert beat(roster, "c").number == 1


def test_figures_of_who_is_gone_still_count_but_not_twice(
    roster: Roster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_REMEMBERED", 2)
    for number, name in enumerate("abcd", 1):
        status = replace(QUIET, answered=10**number)
        roster.remove(beat(roster, name, status=status))
    assert roster.status().answered == 11_110
    assert len(roster._gone) == 2
    beat(roster, "d", status=replace(QUIET, answered=10_000))
    status = roster.status(uptime_s=5.0)
    assert (status.answered, status.uptime_s) == (11_110, 5.0)
    assert [worker.name for worker in status.workers] == ["d"]


def test_figures_that_cannot_be_read_are_left_out(
    roster: Roster, caplog: pytest.LogCaptureFixture
) -> None:
    a = beat(roster, "a")
    a.beat = msgspec.structs.replace(a.beat, status=msgspec.Raw(b"\x80"))
    assert roster.status().workers == ()
    assert "worker 1 (a): message: expected one between broker and worker" in caplog.text
    roster.remove(a)
