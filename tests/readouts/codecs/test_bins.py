import torch
from hypothesis import given
from hypothesis import strategies as st

from octoverse.readout import Reference, Scale
from octoverse.readouts.codecs.bins import BINS, BinsCodec


def reference(middle: float, half: float) -> Reference:
    wrong = torch.tensor([1e6])  # the normal scale is none of its business
    return Reference({}, Scale(wrong, wrong, torch.tensor([middle]), torch.tensor([half])), 10.0)


@given(
    st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=8),
    st.floats(-10, 10, width=32),
    st.floats(0.0625, 100, width=32),
)
def test_between_the_quantiles_it_is_right_to_half_a_bin(
    shares: list[float], middle: float, half: float
) -> None:
    actions = middle + half * torch.tensor(shares)[None, :, None]
    codec, known = BinsCodec(), reference(middle, half)
    code = codec.encode(actions, known)
    assert code.dtype == torch.int64
    assert 0 <= code.min() and code.max() < BINS
    error = (codec.decode(code, known) - actions).abs().max()
    assert error <= half / BINS * (1 + 1e-3) + 1e-5 * abs(middle)


@given(st.integers(0, BINS - 1), st.floats(-10, 10, width=32), st.floats(0.0625, 100, width=32))
def test_every_bin_is_its_own_centre_s(number: int, middle: float, half: float) -> None:
    codec, known = BinsCodec(), reference(middle, half)
    code = torch.full((1, 1, 1), number)
    assert torch.equal(codec.encode(codec.decode(code, known), known), code)


def test_what_lies_outside_becomes_the_outermost_centre() -> None:
    codec, known = BinsCodec(), reference(1.0, 2.0)
    code = codec.encode(torch.tensor([[[-50.0], [-1.0], [3.0], [1e9]]]), known)
    assert code.flatten().tolist() == [0, 0, 255, 255]
    assert torch.allclose(
        codec.decode(code, known)[0, [0, 3], 0], torch.tensor([-0.992, 2.992]), atol=1e-3
    )
