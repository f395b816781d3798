from collections.abc import Callable
from typing import Any

import pytest

from octoverse import registry
from octoverse.data.doctor.runner import examine
from octoverse.errors import BadData


@pytest.mark.parametrize("body", registry.names("embodiment"))
def test_a_clean_recording_of_any_body_has_no_fault(
    body: str, make: Callable[..., Any], told: Callable[..., Any]
) -> None:
    assert told(make(body)) == []


def test_a_data_set_without_episodes_cannot_be_examined(make: Callable[..., Any]) -> None:
    with pytest.raises(BadData, match="'made': the data set has no episode"):
        examine(type(make("rc_car"))(episodes=[]))
