import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from octoverse.errors import SpecMismatch
from octoverse.readout import Reference, Scale
from octoverse.readouts.codecs.relative import RelativeCodec

NUMBERS = st.lists(st.floats(-100, 100, width=32), min_size=6, max_size=6)


def reference(measured: torch.Tensor | None, std: float = 0.5) -> Reference:
    parts = torch.tensor([3.0, -1.0]), torch.tensor([std, 2.0])
    return Reference({"joints": torch.zeros(1, 2)}, Scale(*parts, *parts), 10.0, measured)


@given(NUMBERS, st.floats(-10, 10, width=32), st.floats(0.015625, 100, width=32))
def test_it_is_exact_to_float32(numbers: list[float], now: float, std: float) -> None:
    actions = torch.tensor(numbers).reshape(1, 3, 2)
    known = reference(torch.tensor([[now, torch.nan]]), std)
    codec = RelativeCodec()
    back = codec.decode(codec.encode(actions, known), known)
    assert torch.allclose(back, actions, rtol=1e-5, atol=1e-6 * (1 + abs(now)) + 1e-5)


def test_staying_where_it_is_measured_is_zero_for_every_sample() -> None:
    measured = torch.tensor([[0.25, -4.0], [7.0, 1.0]])
    code = RelativeCodec().encode(measured[:, None].expand(-1, 5, -1), reference(measured))
    assert torch.equal(code, torch.zeros(2, 5, 2))


def test_what_is_not_measured_is_scaled_about_the_mean() -> None:
    known = reference(torch.tensor([[3.5, torch.nan]]))
    code = RelativeCodec().encode(torch.tensor([[[4.0, 3.0]]]), known)
    assert code.flatten().tolist() == [1.0, 2.0]


def test_a_reference_repeated_for_several_samples_keeps_what_is_measured() -> None:
    known = reference(torch.tensor([[1.0, torch.nan], [2.0, 5.0]])).repeat(2)
    assert known.measured is not None and known.measured[:, 0].tolist() == [1.0, 1.0, 2.0, 2.0]
    assert reference(None).repeat(2).measured is None


def test_a_body_that_measures_none_of_its_action_is_told_what_it_has() -> None:
    words = r"needs a State stream with the name of an action group.* got the streams \['joints'\]"
    with pytest.raises(SpecMismatch, match=words):
        RelativeCodec().encode(torch.zeros(1, 4, 2), reference(None))


def test_samples_may_each_have_their_own_scale() -> None:
    mean = torch.tensor([[[3.0, -1.0]], [[0.0, 1.0]]])
    std = torch.tensor([[[0.5, 2.0]], [[1.0, 4.0]]])
    measured = torch.tensor([[3.5, torch.nan], [3.5, torch.nan]])
    both = Reference({"joints": torch.zeros(2, 2)}, Scale(mean, std, mean, std), 10.0, measured)
    actions = torch.tensor([[[4.0, 3.0]], [[4.0, 3.0]]])
    code = RelativeCodec().encode(actions, both)
    assert code.flatten().tolist() == [1.0, 2.0, 0.5, 0.5]
    assert torch.equal(RelativeCodec().decode(code, both), actions)
