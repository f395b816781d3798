import pytest
import torch
from torch.nn import functional as F

from octoverse.readouts.denoisers.packed import packed, working_dtype


@pytest.mark.parametrize("biased", [True, False])
def test_it_is_the_linear_map(biased: bool) -> None:
    weight, bias = torch.randn(7, 5), torch.randn(7) if biased else None
    product = packed(weight, bias, 6)
    for x in (torch.randn(6, 5), torch.randn(1, 5), torch.randn(2, 3, 5)):
        torch.testing.assert_close(product(x), F.linear(x, weight, bias))


def test_without_onednn_it_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    weight, bias, x = torch.randn(7, 5), torch.randn(7), torch.randn(6, 5)
    laid_out = packed(weight, bias, 6)(x)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    torch.testing.assert_close(packed(weight, bias, 6)(x), laid_out)


def test_it_does_not_follow_its_weight() -> None:
    weight, x = torch.randn(7, 5), torch.randn(6, 5)
    product, before = packed(weight, None, 6), F.linear(x, weight)
    weight.zero_()
    torch.testing.assert_close(product(x), before)


def test_it_computes_in_the_type_of_autocast_or_of_the_weight() -> None:
    weight, x = torch.randn(7, 5), torch.randn(6, 5)
    wanted = F.linear(x, weight)
    with torch.autocast("cpu", torch.bfloat16):
        assert working_dtype(weight) == torch.bfloat16
        inside = packed(weight, None, 6)
    assert working_dtype(weight) == torch.float32
    for product in (inside, packed(weight.bfloat16(), None, 6)):
        assert product(x).dtype == torch.bfloat16
        torch.testing.assert_close(product(x).float(), wanted, rtol=0.05, atol=0.05)
