import torch
from hypothesis import given
from hypothesis import strategies as st

from octoverse.readout import Reference, Scale
from octoverse.readouts.codecs.ranged import RangedCodec

NUMBERS = st.lists(st.floats(-100, 100, width=32), min_size=6, max_size=6)


@given(NUMBERS, st.floats(-10, 10, width=32), st.floats(0.015625, 100, width=32))
def test_it_is_exact_to_float32(numbers: list[float], offset: float, scale: float) -> None:
    actions = torch.tensor(numbers).reshape(1, 3, 2)
    parts = torch.tensor([offset, 0.0]), torch.tensor([scale, 1.0])
    reference = Reference({}, Scale(*parts, *parts), 10.0)
    codec = RangedCodec()
    back = codec.decode(codec.encode(actions, reference), reference)
    assert torch.allclose(back, actions, rtol=1e-5, atol=1e-6 * (1 + abs(offset)) + 1e-5)
    assert torch.equal(codec.encode(actions, reference)[..., 1], actions[..., 1])


def test_the_quantiles_become_minus_1_and_1() -> None:
    middle, half = torch.tensor([3.0]), torch.tensor([0.5])
    reference = Reference({}, Scale(middle * 9, half * 9, middle, half), 10.0)
    code = RangedCodec().encode(torch.tensor([[[3.0], [3.5], [2.5], [4.0]]]), reference)
    assert code.flatten().tolist() == [0.0, 1.0, -1.0, 2.0]
