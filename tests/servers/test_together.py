from dataclasses import replace

import msgspec
import pytest

from octoverse.servers.histogram import Histogram, seconds
from octoverse.servers.metrics import text
from octoverse.servers.status import ServerStatus
from octoverse.servers.together import SEATS, number_of, together


def test_what_is_counted_is_added_up(figures: ServerStatus) -> None:
    other = replace(
        figures, queue=5, answered=7, batches=2, faults={"stale": 2, "overloaded": 1}, hung=1
    )
    both = together({1: ("a", figures), 2: ("b", other)}, [], faults={"worker_lost": 3}, unsent=4)
    assert (both.queue, both.requests, both.answered, both.batches) == (6, 6, 9, 3)
    assert (both.mean_batch, both.window_bytes, both.hung, both.unsent) == (3.0, 2000, 1, 4)
    assert both.faults == {"stale": 3, "overloaded": 1, "worker_lost": 3}


def test_what_is_one_thing_for_all_is_told_once(figures: ServerStatus) -> None:
    other = replace(figures, model="servo-2", bodies=("road_car", "drone"), model_s=1.0, load=0.1)
    both = together({1: ("a", figures), 2: ("b", other)}, [], address="tcp://x", uptime_s=9.0)
    assert (both.model, both.statistics, both.model_s) == ("servo-1, servo-2", "none", 1.0)
    assert both.bodies == ("tabletop_arm", "road_car", "drone")
    assert (both.address, both.uptime_s, both.load) == ("tcp://x", 9.0, 0.3)


def test_what_a_batch_takes_is_weighed_by_who_computes(figures: ServerStatus) -> None:
    idle = replace(figures, load=0.0, inference_ms=1000.0)
    assert together({1: ("a", figures), 2: ("b", idle)}, []).inference_ms == 15.0
    assert together({1: ("b", idle)}, []).inference_ms == 0.0


def test_robots_keep_numbers_that_lead_back_to_their_worker(figures: ServerStatus) -> None:
    both = together({1: ("a", figures), 12: ("b", figures)}, [])
    assert [robot.number for robot in both.robots] == [101, 112]
    assert divmod(number_of(robot=7, worker=99), SEATS) == (7, 99)


def test_each_worker_is_told_apart(figures: ServerStatus) -> None:
    ill = replace(figures, healthy=False, trouble="a batch hangs")
    both = together({1: ("a", figures), 2: ("b", ill)}, [])
    assert [(w.number, w.name, w.robots, w.trouble) for w in both.workers] == [
        (1, "a", 1, ""),
        (2, "b", 1, "a batch hangs"),
    ]
    assert both.workers[0].inference_ms == 15.0


@pytest.mark.parametrize(
    ("well", "healthy", "trouble"),
    [
        ([True, True], True, ""),
        ([True, False], True, ""),
        ([False, False], False, "hangs"),
        ([], False, "no worker is there"),
    ],
)
def test_one_worker_that_is_well_is_enough(
    figures: ServerStatus, well: list[bool], healthy: bool, trouble: str
) -> None:
    seats = {
        number: ("w", replace(figures, healthy=one, trouble="" if one else "hangs"))
        for number, one in enumerate(well)
    }
    both = together(seats, [])
    assert (both.healthy, both.trouble) == (healthy, trouble)


def test_what_the_gone_have_counted_still_counts(figures: ServerStatus) -> None:
    both = together({1: ("a", figures)}, [replace(figures, robots=())])
    assert (both.answered, both.requests, both.faults) == (4, 6, {"stale": 2})
    assert (both.queue, both.window_bytes, len(both.robots), len(both.workers)) == (1, 1000, 1, 1)


def test_timings_are_added_and_strange_ones_left_out(figures: ServerStatus) -> None:
    took = seconds()
    took.add(0.02)
    strange = Histogram([1.0])
    strange.add(0.5)
    one = replace(figures, timings={"total": took, "queued": strange, "new": strange})
    both = together({1: ("a", one), 2: ("b", one)}, [])
    assert both.timings["total"] == took.plus(took)
    assert both.timings["queued"].count == 0
    assert set(both.timings) == {"total", "queued", "prepared", "inference", "batch"}


def test_a_page_and_prometheus_read_it_as_they_read_a_server(figures: ServerStatus) -> None:
    both = together({1: ("a", figures)}, [])
    assert "octoverse_answers_total 2.0" in text(both)
    assert "octoverse_healthy 0.0" in text(together({}, []))
    assert msgspec.json.decode(msgspec.json.encode(both.workers))[0]["name"] == "a"
