"""docs/wire.md is true: its example runs, and it names all that is on the wire."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from octoverse import wire
from octoverse.embodiment import (
    Camera,
    Embodiment,
    Instruction,
    JointVelocity,
    SafeStop,
    State,
)
from octoverse.servers.zeromq import Server

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "wire.md").read_text()
NAMES = ("shoulder", "elbow")
REACHER = Embodiment(
    name="reacher",
    control_hz=10.0,
    observation={
        "eye": Camera(height=24, width=24, role="primary"),
        "joints": State(names=NAMES, units=("rad",) * 2, low=(-3.2,) * 2, high=(3.2,) * 2),
        "instruction": Instruction(),
    },
    action={
        "joints": JointVelocity(names=NAMES, units=("rad/s",) * 2, low=(-1.0,) * 2, high=(1.0,) * 2)
    },
    safe_stop=SafeStop(kind="hold"),
)


def test_the_example_gets_velocities_from_a_server(
    servo: Any, serve: Callable[..., Server]
) -> None:
    policy = servo()
    policy.bodies = {"reacher": REACHER}
    policy.horizons = {"reacher": {"joints": 6}}
    policy.camera_sizes = {}
    policy.prepare = lambda body, frame: {**frame, "eye": frame["eye"][:24, :24]}
    [example] = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    known: dict[str, Any] = {"ADDRESS": serve(policy).address}
    exec(example, known)
    assert np.shape(known["velocities"]) == (6, 2)
    assert np.abs(known["velocities"]).max() <= 1.0
    imports = re.findall(r"^import (\w+)", example, flags=re.MULTILINE)
    assert imports == ["struct", "msgpack", "zmq"]
    assert policy.batches == [["reacher"]]


@pytest.mark.parametrize("message", [*get_args(wire.Request), *get_args(wire.Reply)])
def test_it_names_every_field_of_every_message(message: Any) -> None:
    assert f"**`{message.__struct_config__.tag}`**" in PAGE
    for field in message.__struct_fields__:
        assert f"`{field}`" in PAGE, field


@pytest.mark.parametrize("struct", [wire.ArraySpec, wire.Timing, wire.Limits])
def test_it_names_every_field_of_what_they_hold(struct: Any) -> None:
    for field in struct.__struct_fields__:
        assert f"`{field}`" in PAGE, field


@pytest.mark.parametrize("code", get_args(wire.FaultCode))
def test_it_explains_every_fault(code: str) -> None:
    assert f"| `{code}` |" in PAGE


def test_it_states_the_limits_that_hold() -> None:
    assert f"at most {wire.HEADER_BYTES:,} bytes" in PAGE
    assert f"({wire.Limits().message_bytes // 2**20} MiB unless set otherwise)" in PAGE
