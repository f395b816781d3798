import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from octoverse.errors import SpecMismatch
from octoverse.readout import Reference, Scale
from octoverse.readouts.codecs.constant_velocity import (
    ACCELERATION,
    YAW_RATE,
    ConstantVelocityCodec,
)


def reference(*speeds: float, hz: float = 10.0) -> Reference:
    wrong = torch.tensor([1e6])  # no statistics are needed
    streams = {"speed": torch.tensor(speeds)[:, None]}
    return Reference(streams, Scale(wrong, wrong, wrong, wrong), hz)


@given(
    st.floats(-5, 60, width=32),
    st.sampled_from([2.0, 10.0, 20.0]),
    st.lists(st.floats(-300, 300, width=32), min_size=30, max_size=30),
)
def test_it_is_exact_to_float32(speed: float, hz: float, numbers: list[float]) -> None:
    path, known = torch.tensor(numbers).reshape(1, 10, 3), reference(speed, hz=hz)
    codec = ConstantVelocityCodec()
    back = codec.decode(codec.encode(path, known), known)
    assert torch.allclose(back, path, rtol=1e-5, atol=2e-4)


def test_driving_straight_on_is_zero_for_every_sample() -> None:
    time = torch.arange(1, 31) / 10
    path = torch.zeros(2, 30, 3)
    path[0, :, 0], path[1, :, 0] = 3.0 * time, 20.0 * time
    code = ConstantVelocityCodec().encode(path, reference(3.0, 20.0))
    assert code.abs().max() < 1e-4


def test_accelerating_and_turning_by_the_stated_amounts_come_near_1() -> None:
    time = torch.arange(1, 31) / 10
    path = torch.stack([5 * time + ACCELERATION / 2 * time**2, 0 * time, YAW_RATE * time], -1)
    code = ConstantVelocityCodec().encode(path[None], reference(5.0))[0]
    assert ((0.15 < code[:, 0]) & (code[:, 0] < 1)).all() and code[-1, 0] > 0.99
    assert code[-1, 2] > 0.97
    assert code[:, 1].abs().max() == 0


def test_without_a_speed_the_error_says_what_is_there() -> None:
    known = Reference({"tool": torch.zeros(1, 5)}, reference(1.0).scale, 10.0)
    words = r"needs a State stream named 'speed', got \['tool'\]. Name the speed so, or choose"
    with pytest.raises(SpecMismatch, match=words):
        ConstantVelocityCodec().encode(torch.zeros(1, 4, 3), known)
