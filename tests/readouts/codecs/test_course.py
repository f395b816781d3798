import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from octoverse.errors import SpecMismatch
from octoverse.readout import Reference, Scale
from octoverse.readouts.codecs.course import CourseCodec, slip


def reference(speed: float, course: float = 0.0, turn: float = 0.0, poses: int = 16) -> Reference:
    """After a steady drive at this speed [m/s], course [rad] off the heading, yaw rate [rad/s]."""
    spread = torch.tensor([30.0, 0.5, 0.02])
    scale = Scale(torch.zeros(3), spread, torch.zeros(3), spread)
    time = torch.arange(1 - poses, 1) / 10
    heading = turn * time
    # Integrated finely enough to be exact for the test.
    fine = torch.linspace(0, 1, 1001)[None] * time[:, None]
    along = turn * fine + course
    x, y = (speed * torch.trapezoid(f(along), fine, dim=1) for f in (torch.cos, torch.sin))
    history = torch.stack([x, y, heading], -1)[None]
    return Reference({"speed": torch.tensor([[speed]]), "ego_history": history}, scale, 10.0)


@given(
    st.floats(-5, 60, width=32),
    st.floats(-0.5, 0.5, width=32),
    st.lists(st.floats(-300, 300, width=32), min_size=30, max_size=30),
)
def test_it_is_exact_to_float32(speed: float, aside: float, numbers: list[float]) -> None:
    path, known = torch.tensor(numbers).reshape(1, 10, 3), reference(speed, aside)
    codec = CourseCodec()
    back = codec.decode(codec.encode(path, known), known)
    assert torch.allclose(back, path, rtol=1e-5, atol=2e-4)


def test_going_on_along_the_course_is_zero() -> None:
    time = torch.arange(1, 31) / 10
    path = torch.stack([20 * time, 20 * 0.02 * time, 0 * time], -1)[None]
    code = CourseCodec().encode(path, reference(20.0, course=0.02))
    assert code.abs().max() < 1e-3


def test_across_the_course_the_spread_of_the_data_is_1() -> None:
    path = torch.tensor([[[1.0, 0.5, 0.02], [2.0, 1.0, 0.04]]])
    code = CourseCodec().encode(path, reference(10.0))
    assert torch.allclose(code[0, :, 1:], torch.tensor([[1.0, 1.0], [2.0, 2.0]]), atol=1e-5)


def test_the_course_is_told_from_the_heading_in_a_turn_too() -> None:
    assert slip(reference(10.0, turn=0.5)).abs().item() < 1e-4
    assert slip(reference(10.0, course=0.03, turn=-0.5)).item() == pytest.approx(0.03, abs=1e-3)
    assert slip(reference(-3.0, course=0.03)).item() == pytest.approx(0.03, abs=1e-3)


def test_a_stand_or_a_missing_history_tells_no_course_and_noise_is_bounded() -> None:
    assert slip(reference(0.1, course=0.05)).item() == 0
    missing = reference(9.0)
    missing.streams["ego_history"].zero_()
    assert slip(missing).item() == 0
    assert slip(reference(9.0, course=0.4)).item() == pytest.approx(0.1)


def test_without_a_history_the_error_says_what_is_there() -> None:
    known = reference(1.0)
    bare = Reference({"speed": known.streams["speed"]}, known.scale, 10.0)
    words = r"needs an EgoHistory stream named 'ego_history', got \['speed'\]. Name it so, or cho"
    with pytest.raises(SpecMismatch, match=words):
        CourseCodec().encode(torch.zeros(1, 4, 3), bare)


def test_samples_may_each_have_their_own_spread() -> None:
    one = reference(10.0)
    spread = torch.tensor([[[30.0, 0.5, 0.02]], [[30.0, 1.0, 0.04]]])
    both = Reference(
        {name: values.expand(2, *values.shape[1:]) for name, values in one.streams.items()},
        Scale(0 * spread, spread, 0 * spread, spread),
        10.0,
    )
    path = torch.tensor([[[1.0, 0.5, 0.02], [2.0, 1.0, 0.04]]]).expand(2, -1, -1)
    code = CourseCodec().encode(path, both)
    assert torch.allclose(code[0], CourseCodec().encode(path[:1], one)[0])
    assert torch.allclose(code[1, :, 1:], code[0, :, 1:] / 2)
    assert torch.allclose(CourseCodec().decode(code, both), path, atol=1e-5)
