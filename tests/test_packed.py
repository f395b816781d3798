import copy
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from octoverse import packed
from octoverse.packed import Packed, working_dtype


class Layer(nn.Linear):
    def matrix(self) -> tuple[Tensor, Tensor | None]:
        return self.weight, self.bias


def layer(biased: bool = True) -> Layer:
    torch.manual_seed(0)
    return Layer(5, 7, bias=biased)


@pytest.mark.parametrize("biased", [True, False])
def test_it_is_the_linear_map(biased: bool) -> None:
    made = layer(biased)
    product = Packed().product(made)
    for x in (torch.randn(6, 5), torch.randn(1, 5), torch.randn(2, 3, 5)):
        torch.testing.assert_close(product(x), F.linear(x, made.weight, made.bias))
        assert not product(x).requires_grad


def test_without_onednn_it_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    made, x = layer(), torch.randn(6, 5)
    laid_out = Packed().product(made)(x)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    torch.testing.assert_close(Packed().product(made)(x), laid_out)


def test_it_follows_its_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    made, kept, x, count = layer(), Packed(), torch.randn(6, 5), []
    lay_out = packed._laid_out

    def counting(*parts: Any) -> Any:
        count.append(1)
        return lay_out(*parts)

    monkeypatch.setattr(packed, "_laid_out", counting)
    kept.product(made)
    kept.product(made)
    assert len(count) == 1
    changes = [
        lambda: made.weight.mul_(2),
        lambda: made.bias.add_(1),
        lambda: made.load_state_dict(Layer(5, 7).state_dict()),
        lambda: setattr(made.weight, "data", torch.randn(7, 5)),
    ]
    for number, change in enumerate(changes):
        with torch.no_grad():
            change()
        torch.testing.assert_close(kept.product(made)(x), made(x))
        assert len(count) == number + 2
    kept.clear()
    kept.product(made)
    assert len(count) == len(changes) + 2


def test_weights_made_in_inference_mode_serve_too() -> None:
    with torch.inference_mode():
        made, x = layer(), torch.randn(6, 5)
        torch.testing.assert_close(Packed().product(made)(x), made(x))


def test_it_computes_in_the_type_of_autocast_or_of_the_weight() -> None:
    made, kept, x = layer(), Packed(), torch.randn(6, 5)
    wanted = made(x)
    with torch.autocast("cpu", torch.bfloat16):
        assert working_dtype(made.weight) == torch.bfloat16
        inside = kept.product(made)
    assert working_dtype(made.weight) == torch.float32
    assert kept.product(made)(x).dtype == torch.float32
    for product in (inside, kept.product(made.bfloat16())):
        assert product(x).dtype == torch.bfloat16
        torch.testing.assert_close(product(x).float(), wanted, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("again", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_copy_holds_nothing(again: Any) -> None:
    kept = Packed()
    kept.product(layer())
    assert not again(kept)._kept
    assert kept._kept
