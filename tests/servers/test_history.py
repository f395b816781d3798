from dataclasses import replace
from typing import Any

import pytest

from octoverse.servers.histogram import seconds
from octoverse.servers.history import History
from octoverse.servers.status import ServerStatus


class Server:
    """Tells what the test says."""

    def __init__(self, status: ServerStatus) -> None:
        self.status, self.now, self.looks = status, 0.0, 0

    def look(self) -> ServerStatus:
        self.looks += 1
        return self.status

    def passes(self, **figures: Any) -> None:
        self.now += 1.0
        self.status = replace(self.status, uptime_s=self.status.uptime_s + 1.0, **figures)


@pytest.fixture
def server(figures: ServerStatus) -> Server:
    return Server(figures)


def test_a_second_tells_what_happened_in_it(server: Server) -> None:
    history = History(server.look)
    total = seconds()
    for _ in range(100):
        total.add(0.02)
    server.passes(
        answered=server.status.answered + 100,
        batches=server.status.batches + 25,
        faults={"stale": 3},
        queue=7,
        timings={**server.status.timings, "total": total},
    )
    history.look()
    [second] = history.seconds
    assert (second.answers_hz, second.missed_hz, second.queue) == (100, 2, 7)
    assert (second.batch, second.robots, second.load) == (4, 1, 0.5)
    assert second.median_ms is not None and 10 <= second.median_ms <= 25
    assert second.slow_ms is not None and second.median_ms <= second.slow_ms <= 25


def test_a_second_without_answers_has_no_latency(server: Server) -> None:
    history = History(server.look)
    server.passes()
    history.look()
    [second] = history.seconds
    assert (second.batch, second.median_ms, second.slow_ms) == (None, None, None)


def test_five_minutes_are_kept(server: Server) -> None:
    history = History(server.look)
    for _ in range(400):
        server.passes()
        history.look()
    assert len(history.seconds) == 300
    assert history.seconds[-1].uptime_s == history.latest.uptime_s


def test_trouble_is_what_the_server_says_or_that_it_says_nothing(server: Server) -> None:
    history = History(server.look, clock=lambda: server.now)
    assert history.trouble == ""
    server.passes(healthy=False, trouble="The policy hangs.")
    history.look()
    assert history.trouble == "The policy hangs."
    server.now += 12.4
    assert history.trouble == "The server has not told its figures for 12 s."


def test_it_looks_by_itself_and_a_look_that_fails_does_not_end_it(
    server: Server, until: Any, caplog: pytest.LogCaptureFixture
) -> None:
    good = server.status
    failures = [RuntimeError("changed while looking")]

    def look() -> ServerStatus:
        server.looks += 1
        if server.looks == 2:
            raise failures.pop()
        return good

    history = History(look, every_s=0.001)
    history.start()
    until(lambda: len(history.seconds) >= 2)
    history.stop()
    assert not failures and "the server's figures could not be read" in caplog.messages
