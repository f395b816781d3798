import os
from collections.abc import Callable
from typing import Any

import pytest

from octoverse.cli.bench.crowd import Crowd
from octoverse.cli.bench.load import Load
from octoverse.embodiments.road_car import ROAD_CAR
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.errors import OctoverseError

Still = Callable[..., tuple[Any, str]]


def load(address: str, **changes: Any) -> Load:
    given: dict[str, Any] = {
        "body": TABLETOP_ARM,
        "clients": 3,
        "seconds": 60.0,
        "rate": None,
        "jpeg_quality": None,
        "timeout": 60.0,
        **changes,
    }
    return Load(address=address, **given)


def test_clients_are_spread_over_the_cores_and_all_of_them_are_heard(still: Still) -> None:
    policy, address = still()
    with Crowd(load(address)) as crowd:
        assert crowd.processes == min(3, os.cpu_count() or 1)
        assert crowd.elapsed == 0
        crowd.begin()
        heard, told = set(), 0
        for outcomes in crowd.outcomes():
            heard |= {one.client for one in outcomes}
            told += len(outcomes)
            if heard == {0, 1, 2}:
                crowd.stop()
        elapsed = crowd.elapsed
    assert 0 < elapsed < 60
    assert crowd.elapsed == elapsed
    assert told == len(policy.seen) - 3


def test_a_client_that_cannot_ask_ends_it_with_its_words(still: Still) -> None:
    _, address = still()
    with Crowd(load(address, body=ROAD_CAR, clients=1)) as crowd:
        with pytest.raises(OctoverseError, match=r"No body of still-1 named 'road_car'"):
            crowd.begin()


def test_a_process_that_dies_is_told(still: Still) -> None:
    _, address = still()
    with Crowd(load(address, clients=1)) as crowd:
        crowd.begin()
        crowd._workers[0].kill()
        with pytest.raises(OctoverseError, match=r"a process of clients died; what it wrote last"):
            list(crowd.outcomes())
