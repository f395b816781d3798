from collections.abc import Callable
from typing import Any

import numpy as np

Fixture = Callable[..., Any]


def test_a_state_that_is_repeated_is_a_suspicion(
    make: Fixture, told: Fixture, changed: Fixture
) -> None:
    slow = changed("observation", "tool", lambda values: values[np.arange(len(values)) // 2 * 2])
    (found,) = [f for f in told(make("widowx", change=slow)) if f.check == "stale"]
    assert (found.severity, found.where) == ("suspicion", "tool")
    assert "50% of its steps in motion repeat the numbers of the step before" in found.message


def test_rest_is_no_repetition(make: Fixture, told: Fixture, changed: Fixture) -> None:
    def rest(values: np.ndarray) -> np.ndarray:
        values = values.copy()
        values[20:40] = values[20]
        return values

    found = told(make("widowx", change=changed("observation", "tool", rest)))
    assert [f for f in found if f.check == "stale"] == []
