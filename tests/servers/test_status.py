import dataclasses
import pickle
from typing import Any

import pytest

from octoverse.servers.status import ServerStatus


@pytest.fixture(params=["server", "robot"])
def status(figures: ServerStatus, request: pytest.FixtureRequest) -> Any:
    return figures if request.param == "server" else figures.robots[0]


def test_it_crosses_to_another_process_unchanged(figures: ServerStatus) -> None:
    there = pickle.loads(pickle.dumps(figures))
    assert there == figures
    assert there is not figures
    assert there.robots[0].client == "arm 1"


def test_what_was_looked_at_stays_as_it_was(status: Any) -> None:
    for field in dataclasses.fields(status):
        with pytest.raises(dataclasses.FrozenInstanceError, match=field.name):
            setattr(status, field.name, None)


def test_figures_are_given_by_name_and_none_may_be_left_out(status: Any) -> None:
    fields = {field.name: getattr(status, field.name) for field in dataclasses.fields(status)}
    assert type(status)(**fields) == status
    with pytest.raises(TypeError, match="positional argument"):
        type(status)(*fields.values())
    for name in fields:
        with pytest.raises(TypeError, match=f"missing 1 required keyword-only argument: '{name}'"):
            type(status)(**{k: v for k, v in fields.items() if k != name})


def test_no_session_can_be_read_from_it(figures: ServerStatus) -> None:
    assert "session" not in {field.name for field in dataclasses.fields(figures.robots[0])}
