from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

Fixture = Callable[..., Any]


@pytest.mark.parametrize(("body", "group"), [("widowx", "arm"), ("unitree_g1", "arms")])
def test_two_numbers_in_the_wrong_order_are_faults(
    make: Fixture, told: Fixture, changed: Fixture, body: str, group: str
) -> None:
    def swap(values: np.ndarray) -> np.ndarray:
        values = values.copy()
        values[:, [0, 1]] = values[:, [1, 0]]
        return values

    found = told(make(body, change=changed("action", group, swap)))
    crossed = [f for f in found if f.check == "axes"]
    assert len(crossed) == 2 and all(f.severity == "fault" for f in crossed)
    assert all("stand in another order" in f.message for f in crossed)
    assert {f.check for f in found} <= {"axes", "limits"}


def test_two_numbers_of_the_state_in_the_wrong_order_are_faults(
    make: Fixture, told: Fixture, changed: Fixture
) -> None:
    def swap(values: np.ndarray) -> np.ndarray:
        values = values.copy()
        values[:, [3, 5]] = values[:, [5, 3]]
        return values

    found = told(make("widowx", change=changed("observation", "tool", swap)))
    assert [(f.check, f.where) for f in found] == [("axes", "arm.droll"), ("axes", "arm.dyaw")]


def test_a_reversed_sign_is_a_fault(make: Fixture, told: Fixture, changed: Fixture) -> None:
    def turn(values: np.ndarray) -> np.ndarray:
        values = values.copy()
        values[:, 1] *= -1
        return values

    (found,) = told(make("widowx", change=changed("action", "arm", turn)))
    assert (found.check, found.severity, found.where) == ("axes", "fault", "arm.dy")
    assert "its sign is reversed" in found.message
