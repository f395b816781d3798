from collections.abc import Callable
from typing import Any

import numpy as np

Fixture = Callable[..., Any]


def still(columns: list[int]) -> Callable[[np.ndarray], np.ndarray]:
    def hold(values: np.ndarray) -> np.ndarray:
        values = values.copy()
        values[:, columns] = 0.1
        return values

    return hold


def test_a_state_that_stays_though_it_is_moved_is_a_fault(
    make: Fixture, told: Fixture, changed: Fixture
) -> None:
    found = told(make("widowx", change=changed("observation", "tool", still([1]))))
    assert [(f.check, f.severity, f.where) for f in found] == [("constant", "fault", "tool.dy")]
    assert "It never changes, though arm commands it to move" in found[0].message


def test_an_action_that_stays_though_the_state_moves_is_a_fault(
    make: Fixture, told: Fixture, changed: Fixture
) -> None:
    (found,) = told(make("widowx", change=changed("action", "arm", still([4]))))
    assert (found.check, found.where) == ("constant", "arm.dpitch")
    assert "tool shows it moving" in found.message


def test_what_the_body_does_not_use_is_information(
    make: Fixture, told: Fixture, changed: Fixture
) -> None:
    source = make("rc_car", change=changed("action", "pedals", still([1])))
    assert told(source) == []
    (found,) = [f for f in told(source, "information") if f.check == "constant"]
    assert "1 of 2 numbers never change: throttle" in found.message
