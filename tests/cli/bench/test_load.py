import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from octoverse.cli.bench.load import LOST, Failed, Load, Outcome, Shift
from octoverse.embodiments.road_car import ROAD_CAR
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM

Still = Callable[..., tuple[Any, str]]
FRAME_BYTES = 2 * 96 * 96 * 3 + 5 * 4


@pytest.fixture
def shift() -> Iterator[Callable[..., Shift]]:
    """Starts clients in threads of this process."""
    shifts: list[Shift] = []

    def start(address: str, clients: int = 1, **changes: Any) -> Shift:
        given: dict[str, Any] = {
            "body": TABLETOP_ARM,
            "seconds": 60.0,
            "rate": None,
            "jpeg_quality": None,
            "timeout": 60.0,
            **changes,
        }
        made = Shift(Load(address=address, clients=clients, **given), range(clients))
        shifts.append(made)
        return made

    yield start
    for one in shifts:
        one.close()


def outcomes(shift: Shift, count: int) -> list[Any]:
    """The first so many, once they are there."""
    return [shift.said.get(timeout=60) for _ in range(count)]


def test_every_client_asks_until_it_is_told_to_stop(
    still: Still, shift: Callable[..., Shift]
) -> None:
    policy, address = still()
    running = shift(address, clients=3)
    running.gather()
    assert len(policy.seen) == 3  # one each that does not count
    running.begin(time.monotonic())
    told = outcomes(running, 1)
    running.close()
    told += outcomes(running, running.said.qsize())
    assert not running.busy
    assert not any(one.fault for one in told)
    assert len(told) == len(policy.seen) - 3
    assert {one.client for one in told} <= {0, 1, 2}
    for one in told:
        assert one.total_ms >= one.server_ms > 0
        assert one.server_ms >= one.inference_ms
        assert 1 <= one.batch <= 3
        assert (one.sent, one.received) == (FRAME_BYTES, 3 * 5 * 4)


def until(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 60
    while not condition() and time.monotonic() < give_up:
        time.sleep(0.001)
    assert condition()


def test_the_time_and_the_rate_are_kept(still: Still, shift: Callable[..., Shift]) -> None:
    policy, address = still()
    running = shift(address, clients=2, seconds=0.5, rate=4.0)
    running.gather()
    running.begin(time.monotonic())
    until(lambda: not running.busy)
    told = Counter(one.client for one in outcomes(running, running.said.qsize()))
    assert all(count <= 2 for count in told.values())
    assert sum(told.values()) <= len(policy.seen) - 2


def test_images_are_compressed_if_told_so(still: Still, shift: Callable[..., Shift]) -> None:
    policy, address = still()
    running = shift(address, jpeg_quality=50)
    running.gather()
    running.begin(time.monotonic())
    [one] = outcomes(running, 1)
    assert 0 < one.sent < FRAME_BYTES
    assert policy.seen[0].streams["table"].shape == (1, 96, 96, 3)


def test_faults_are_told_by_their_code(still: Still, shift: Callable[..., Shift]) -> None:
    policy, address = still()
    running = shift(address)
    running.gather()

    def fail() -> None:
        raise RuntimeError("no")

    policy.answer = fail
    running.begin(time.monotonic())
    assert outcomes(running, 2) == [Outcome(0, "policy_failed")] * 2


def test_what_is_not_answered_in_time_is_lost(
    still: Still, shift: Callable[..., Shift], held: threading.Event
) -> None:
    policy, address = still()
    running = shift(address, timeout=0.2)
    running.gather()
    policy.answer = held.wait
    running.begin(time.monotonic())
    assert outcomes(running, 1) == [Outcome(0, LOST)]


def test_a_client_that_cannot_ask_says_why(still: Still, shift: Callable[..., Shift]) -> None:
    _, address = still()
    running = shift(address, body=ROAD_CAR)
    running.gather()
    [failed] = outcomes(running, 1)
    assert isinstance(failed, Failed)
    assert "No body of still-1 named 'road_car'" in failed.words
