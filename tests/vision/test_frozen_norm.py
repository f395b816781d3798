import copy
import pickle

import pytest
import torch
from torch import nn

from octoverse.vision.frozen_norm import FrozenBatchNorm


def norm(channels: int = 4) -> FrozenBatchNorm:
    generator = torch.Generator().manual_seed(0)
    made = FrozenBatchNorm(channels)
    for value in made.buffers():
        value.uniform_(0.5, 1.5, generator=generator)
    return made


def test_it_is_batch_normalisation_in_evaluation() -> None:
    frozen, plain = norm(), nn.BatchNorm2d(4).eval()
    plain.load_state_dict({**frozen.state_dict(), "num_batches_tracked": torch.tensor(3)})
    x = torch.randn(2, 4, 5, 5)
    assert torch.allclose(frozen.train()(x), plain(x), atol=1e-6)


def test_it_takes_the_numbers_of_a_trained_batch_norm() -> None:
    trained, frozen = nn.BatchNorm2d(4), FrozenBatchNorm(4)
    trained(torch.randn(8, 4, 5, 5) * 3 + 1)
    frozen.load_state_dict(trained.state_dict(), strict=True)
    assert torch.equal(frozen.running_mean, trained.get_buffer("running_mean"))


@pytest.mark.parametrize("learning", [False, True])
@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (2, 1)])
def test_folded_into_a_convolution_it_gives_the_same(
    stride: int, padding: int, learning: bool
) -> None:
    torch.manual_seed(0)
    frozen, x = norm(), torch.randn(2, 3, 8, 8)
    convolution = nn.Conv2d(3, 4, 3, stride, padding, bias=False)
    with torch.set_grad_enabled(learning):
        found = frozen.after(convolution, x)
    assert torch.allclose(found, frozen(convolution(x)), atol=1e-5)
    assert found.requires_grad == learning


def test_the_convolution_learns_through_it_as_if_it_stood_behind() -> None:
    torch.manual_seed(0)
    frozen, convolution, x = norm(), nn.Conv2d(3, 4, 3, bias=False), torch.randn(2, 3, 8, 8)
    [found] = torch.autograd.grad(frozen.after(convolution, x).square().sum(), convolution.weight)
    [expected] = torch.autograd.grad(frozen(convolution(x)).square().sum(), convolution.weight)
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-3)


def test_weights_made_in_inference_mode_are_folded_too() -> None:
    with torch.inference_mode():
        convolution, frozen = nn.Conv2d(3, 4, 3, bias=False), norm()
        x = torch.randn(1, 3, 8, 8)
        assert torch.allclose(frozen.after(convolution, x), frozen(convolution(x)), atol=1e-5)


@pytest.mark.parametrize("laid_out", [True, False])
@pytest.mark.parametrize("relu", [True, False])
def test_what_is_kept_serves_every_shape_and_needs_no_layout_of_its_own(
    monkeypatch: pytest.MonkeyPatch, relu: bool, laid_out: bool
) -> None:
    if not laid_out:
        monkeypatch.delattr(torch._C._nn, "mkldnn_reorder_conv2d_weight", raising=False)
    torch.manual_seed(0)
    frozen, convolution = norm(), nn.Conv2d(3, 4, 3, 2, 1, bias=False)
    for shape in ((1, 3, 8, 8), (5, 3, 8, 8), (2, 3, 21, 13), (1, 3, 8, 8)):
        x = torch.randn(shape)
        expected = frozen(convolution(x))
        expected = expected.relu() if relu else expected
        with torch.inference_mode():
            assert torch.allclose(frozen.after(convolution, x, relu=relu), expected, atol=1e-5)


def test_what_is_kept_goes_into_no_copy_and_no_file() -> None:
    frozen, convolution, x = norm(), nn.Conv2d(3, 4, 3, bias=False), torch.randn(1, 3, 8, 8)
    with torch.inference_mode():
        before = frozen.after(convolution, x)
    assert frozen._kept is not None
    for other in (copy.deepcopy(frozen), pickle.loads(pickle.dumps(frozen))):
        assert other._kept is None
        with torch.inference_mode():
            assert torch.equal(other.after(convolution, x), before)
