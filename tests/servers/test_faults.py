import threading
from collections import Counter
from collections.abc import Mapping
from types import SimpleNamespace

import numpy as np
import pytest

from octoverse.servers.faults import Faults
from octoverse.wire import Fault, FaultCode, Reply


class Inbox:
    """Keeps what is sent back."""

    def __init__(self) -> None:
        self.got: list[tuple[Reply, Mapping[str, np.ndarray]]] = []

    def __call__(self, message: Reply, arrays: Mapping[str, np.ndarray]) -> None:
        self.got.append((message, arrays))


def test_a_fault_says_why_and_what_helps_and_has_no_body() -> None:
    inbox = Inbox()
    Faults().send(inbox, "overloaded", "Full.", 7, remedy="Come again.", retry_after_ms=12.5)
    [(message, arrays)] = inbox.got
    assert message == Fault(
        code="overloaded", message="Full.", remedy="Come again.", request=7, retry_after_ms=12.5
    )
    assert not arrays


def test_what_could_not_be_read_is_answered_without_a_number() -> None:
    inbox = Inbox()
    Faults().send(inbox, "bad_message", "Nonsense.", None)
    assert inbox.got[0][0] == Fault(code="bad_message", message="Nonsense.")


def test_faults_are_counted_by_their_code() -> None:
    faults = Faults()
    assert faults.counts == {}
    for code in ("stale", "stopping", "stale"):
        faults.send(Inbox(), code, "", 1)
    assert faults.counts == {"stale": 2, "stopping": 1}


def test_who_reads_the_counts_cannot_change_them() -> None:
    faults = Faults()
    faults.send(Inbox(), "stale", "", 1)
    faults.counts["stale"] = 99
    assert faults.counts == {"stale": 1}


def test_a_fault_that_cannot_be_delivered_is_counted_and_logged_and_harms_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(message: Reply, arrays: Mapping[str, np.ndarray]) -> None:
        raise OSError("nobody there")

    faults = Faults()
    faults.send(broken, "stale", "Too late.", 1)
    assert faults.counts == {"stale": 1}
    assert caplog.messages == ["an answer could not be sent"]
    assert "nobody there" in caplog.text


class Arm:
    """Stands for a robot."""

    name = "arm 1 (3)"

    def __init__(self) -> None:
        self.faults: Counter[str] = Counter()


def test_a_fault_is_counted_for_its_robot_too() -> None:
    faults, arm = Faults(), Arm()
    faults.send(Inbox(), "stale", "", 1, robot=arm)
    faults.send(Inbox(), "stale", "", 2)
    assert arm.faults == {"stale": 1} and faults.counts == {"stale": 2}


def test_what_is_wrong_with_a_message_is_logged_with_its_robot(
    caplog: pytest.LogCaptureFixture,
) -> None:
    Faults().send(Inbox(), "bad_observation", "Too old.", 1, robot=Arm())
    Faults().send(Inbox(), "bad_message", "Nonsense.", None)
    told = [vars(record) for record in caplog.records]
    assert [(t["message"], t["code"], t["why"], t["robot"]) for t in told] == [
        ("refused", "bad_observation", "Too old.", "arm 1 (3)"),
        ("refused", "bad_message", "Nonsense.", None),
    ]


@pytest.mark.parametrize("code", ["stale", "overloaded", "stopping", "policy_failed"])
def test_what_is_only_counted_is_not_logged(
    caplog: pytest.LogCaptureFixture, code: FaultCode
) -> None:
    Faults().send(Inbox(), code, "As usual.", 1)
    assert caplog.messages == []


def test_other_threads_are_not_held_up_by_a_slow_delivery() -> None:
    faults, sending, go_on = Faults(), threading.Event(), threading.Event()

    def slow(message: Reply, arrays: Mapping[str, np.ndarray]) -> None:
        sending.set()
        go_on.wait(60)

    held = threading.Thread(target=faults.send, args=(slow, "stale", "", 1))
    held.start()
    assert sending.wait(60)
    other = threading.Thread(target=faults.send, args=(Inbox(), "stopping", "", 2), daemon=True)
    other.start()
    other.join(30)
    passed = not other.is_alive()
    go_on.set()
    held.join(60)
    assert passed
    assert faults.counts == {"stale": 1, "stopping": 1}


def test_when_to_ask_again_is_never_at_once() -> None:
    faults, inbox, asker = Faults(), Inbox(), SimpleNamespace(faults=Counter[str](), name="arm")
    for seconds in (0.0, 0.25):
        faults.overloaded(inbox, 3, "too much", asker, seconds)
    (first, _), (second, _) = inbox.got
    assert isinstance(first, Fault) and isinstance(second, Fault)
    assert first.message == "The server is overloaded: too much."
    assert (first.remedy, second.remedy) == (
        "Ask again in 1 ms, or less often.",
        "Ask again in 250 ms, or less often.",
    )
    assert (first.retry_after_ms, second.retry_after_ms) == (1.0, 250.0)
    assert asker.faults == {"overloaded": 2}
