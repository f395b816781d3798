from types import SimpleNamespace

import pytest

from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.episode import Observation
from octoverse.servers.batcher import Waiting
from octoverse.servers.robots import Robot
from octoverse.servers.tally import Tally
from octoverse.session import Session


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What time it is."""
    found = [100.0]
    clock = SimpleNamespace(monotonic=lambda: found[0])
    monkeypatch.setattr("octoverse.servers.tally.time", clock)
    return found


def test_the_load_is_the_busy_share_of_the_last_ten_seconds(now: list[float]) -> None:
    tally = Tally()
    assert tally.load == 0.0

    def compute(seconds: float) -> None:
        now[0] += seconds
        tally.computed(1, now[0] - seconds, now[0])

    compute(4.0)
    assert tally.load == pytest.approx(0.4)
    compute(2.0)
    assert tally.load == pytest.approx(0.6)
    now[0] += 9.0
    assert tally.load == pytest.approx(0.2)
    now[0] += 1.1
    assert tally.load == 0.0
    compute(25.0)
    assert tally.load == 1.0
    assert len(tally._busy) == 1


def test_an_answer_tells_where_its_time_went(now: list[float]) -> None:
    tally = Tally()
    request = Waiting(
        robot=Robot(session=Session(TABLETOP_ARM), client=""),
        observation=Observation(embodiment="tabletop_arm", streams={}, valid={}),
        memory={},
        number=1,
        reply=lambda message, arrays: None,
        received=99.0,
        ready=99.25,
        deadline=200.0,
    )
    timing = tally.timing(request, 7, 99.5, 99.875)
    assert (timing.prepared_ms, timing.queued_ms, timing.inference_ms) == (250, 250, 375)
    assert (timing.total_ms, timing.batch) == (1000, 7)
    assert (timing.received_at_ns, timing.sent_at_ns) == (99 * 10**9, 100 * 10**9)
    tally.computed(7, 99.5, 99.875)
    tally.took(timing)
    sums = {name: one.sum for name, one in tally.timings.items()}
    assert sums == {"total": 1, "queued": 0.25, "prepared": 0.25, "inference": 0.375, "batch": 7}


def test_timings_are_counted_when_they_are_looked_at_and_never_pile_up() -> None:
    tally, most = Tally(), 0
    for _ in range(3000):
        tally.computed(2, 1.0, 1.5)
        most = max(most, len(tally._new))
    assert most <= 600
    assert tally.timings["batch"].count == tally.timings["inference"].count == 3000
    assert tally.timings["batch"].sum == 6000
    assert not tally._new
