import dataclasses
import pickle
from typing import Any

import pytest

from octoverse.servers.status import RobotStatus, ServerStatus

ROBOT = RobotStatus(
    number=1,
    body="tabletop_arm",
    client="arm 1",
    peer="",
    instruction="lift",
    requests=3,
    hz=10.0,
    latency_ms=20.0,
    silent_s=0.1,
)
SERVER = ServerStatus(
    model="servo-1",
    uptime_s=5.0,
    robots=(ROBOT,),
    queue=1,
    answered=2,
    batches=1,
    mean_batch=2.0,
    inference_ms=15.0,
    load=0.5,
    faults={"stale": 1},
)


def test_it_crosses_to_another_process_unchanged() -> None:
    there = pickle.loads(pickle.dumps(SERVER))
    assert there == SERVER
    assert there is not SERVER
    assert there.robots[0].client == "arm 1"


@pytest.mark.parametrize("status", [ROBOT, SERVER])
def test_what_was_looked_at_stays_as_it_was(status: Any) -> None:
    for field in dataclasses.fields(status):
        with pytest.raises(dataclasses.FrozenInstanceError, match=field.name):
            setattr(status, field.name, None)


@pytest.mark.parametrize("status", [ROBOT, SERVER])
def test_figures_are_given_by_name_and_none_may_be_left_out(status: Any) -> None:
    fields = {field.name: getattr(status, field.name) for field in dataclasses.fields(status)}
    assert type(status)(**fields) == status
    with pytest.raises(TypeError, match="positional argument"):
        type(status)(*fields.values())
    for name in fields:
        with pytest.raises(TypeError, match=f"missing 1 required keyword-only argument: '{name}'"):
            type(status)(**{k: v for k, v in fields.items() if k != name})
