import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from octoverse.servers.clock import ServerClock

MS = 10**6
DELAY = st.integers(0, 50 * MS)
EXCHANGES = st.lists(st.tuples(DELAY, DELAY, DELAY, st.integers(0, 10**9)), min_size=1)


def play(
    clock: ServerClock,
    exchanges: list[tuple[int, int, int, int]],
    offset: int,
    drift: float = 0.0,
    now: int = 10**12,
    frame: bool = False,
) -> int:
    """Plays (way there, work there, way back, pause); gives the offset at the last arrival."""

    def theirs(ours: int) -> int:
        return ours + offset + round(drift * ours)

    for there, work, back, pause in exchanges:
        received, answered, arrived = now + there, now + there + work, now + there + work + back
        clock.add(now, theirs(received), theirs(answered), arrived, frame=frame)
        now = arrived + pause
    return theirs(arrived) - arrived


def test_nothing_is_known_before_the_first_exchange() -> None:
    clock = ServerClock()
    assert (clock.offset_ns, clock.error_ns, clock.round_trip_ms) == (None, None, None)
    assert (clock.uplink_ms, clock.jumps) == (0.0, 0)


@given(EXCHANGES, st.integers(-(10**15), 10**15), st.floats(-5e-5, 5e-5))
def test_the_truth_is_always_within_the_error(
    exchanges: list[tuple[int, int, int, int]], offset: int, drift: float
) -> None:
    clock = ServerClock()
    truth = play(clock, exchanges, offset, drift)
    assert clock.offset_ns is not None and clock.error_ns is not None
    assert abs(clock.offset_ns - truth) <= clock.error_ns + 2
    assert clock.jumps == 0


@given(EXCHANGES, st.integers(-(10**15), 10**15))
def test_the_error_is_at_most_half_of_what_the_last_ways_differ_by_and_of_any_other_s_sum(
    exchanges: list[tuple[int, int, int, int]], offset: int
) -> None:
    clock = ServerClock()
    play(clock, exchanges, offset)
    there, _, back, _ = np.array(exchanges, np.int64).T
    assert clock.offset_ns is not None and clock.error_ns is not None
    last = sum(exchanges[-1][:3])  # clocks may run apart by a ten-thousandth of that
    assert clock.error_ns <= (there[-1] + back[-1] + 1) // 2 + 1e-4 * last + 2
    # Later exchanges loosen what an earlier one tells by a ten-thousandth of what has passed.
    passed = int(np.array(exchanges).sum())
    assert clock.error_ns <= (there + back).min() / 2 + 1e-4 * passed + 2 * len(exchanges)


@given(DELAY, DELAY, st.integers(1, 30))
def test_ways_that_stay_the_same_err_by_half_of_what_they_differ_by(
    there: int, back: int, count: int
) -> None:
    clock = ServerClock()
    play(clock, [(there, 3 * MS, back, 10**8)] * count, offset=7 * 10**12)
    assert clock.offset_ns is not None
    drift = 1e-4 * (there + 3 * MS + back)
    assert abs(clock.offset_ns - 7 * 10**12 - (there - back) / 2) <= drift + 2
    assert clock.round_trip_ms == pytest.approx((there + back) * 1e-6)


def test_a_slow_exchange_does_not_spoil_what_a_fast_one_told() -> None:
    clock = ServerClock()
    play(clock, [(MS, 0, MS, 0), (80 * MS, 0, MS, 0), (MS, 0, 90 * MS, 0)], offset=5 * MS)
    assert clock.offset_ns == pytest.approx(5 * MS, abs=20_000)


def test_a_server_on_a_machine_that_began_anew_is_noticed() -> None:
    clock = ServerClock()
    play(clock, [(2 * MS, 0, 2 * MS, MS)] * 5, offset=10**15, frame=True)
    assert clock.jumps == 0
    play(clock, [(4 * MS, 0, 4 * MS, MS)] * 2, offset=-(10**12), now=2 * 10**12, frame=True)
    assert clock.jumps == 1
    assert clock.offset_ns == pytest.approx(-(10**12), abs=1000)
    assert clock.uplink_ms == pytest.approx(4.0, abs=0.001)


def test_the_way_of_frames_is_told_though_small_messages_are_faster() -> None:
    clock = ServerClock()
    play(clock, [(MS, 0, MS, 0)], offset=-(10**9))
    assert clock.uplink_ms == 0.0
    ways = [(30 * MS, 0, MS, 0), (30 * MS, 0, MS, 0), (900 * MS, 0, MS, 0)]
    play(clock, ways, offset=-(10**9), frame=True)
    assert clock.uplink_ms == pytest.approx(30.0, abs=0.1)


def test_an_answer_that_cannot_be_is_no_exchange() -> None:
    clock = ServerClock()
    clock.add(sent=0, received=5, answered=5 + 20 * MS, arrived=10 * MS)
    assert clock.offset_ns is None
