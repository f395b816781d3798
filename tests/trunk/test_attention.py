from typing import Any

import pytest
import torch

from octoverse.trunk import attention
from octoverse.trunk.attention import attend, attend_written_out


@pytest.fixture
def inputs() -> tuple[torch.Tensor, ...]:
    torch.manual_seed(0)
    query, key, value = (torch.randn(3, 2, n, 8, requires_grad=True) for n in (5, 7, 7))
    mask = torch.rand(3, 1, 5, 7) < 0.5
    mask[..., 0] = True
    return query, key, value, mask


def test_both_paths_give_the_same_values_and_gradients(inputs: tuple[torch.Tensor, ...]) -> None:
    query, key, value, mask = inputs
    written = attend_written_out(query, key, value, mask)
    fused = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    assert torch.allclose(written, fused, rtol=1e-5, atol=1e-6)
    for one, other in zip(
        torch.autograd.grad(written.square().sum(), (query, key, value)),
        torch.autograd.grad(fused.square().sum(), (query, key, value)),
        strict=True,
    ):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-5)


def test_it_is_softmax_attention(inputs: tuple[torch.Tensor, ...]) -> None:
    query, key, value, mask = (x.detach() for x in inputs)
    found = attend(query, key, value, mask)
    for b in range(3):
        for h in range(2):
            for q in range(5):
                score = (key[b, h] @ query[b, h, q]) / 8**0.5
                weight = torch.where(mask[b, 0, q], score.exp(), 0)
                expected = (weight / weight.sum()) @ value[b, h]
                assert torch.allclose(found[b, h, q], expected, atol=1e-5)


@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_masked_key_is_not_read_whatever_it_holds(
    inputs: tuple[torch.Tensor, ...], grad: bool, dtype: torch.dtype
) -> None:
    query, key, value, _ = (x.detach().to(dtype) for x in inputs)
    mask = torch.ones(3, 1, 5, 7, dtype=torch.bool)
    mask[..., 3] = False
    changed_key, changed_value = key.clone(), value.clone()
    changed_key[:, :, 3], changed_value[:, :, 3] = 1e4, -1e4
    with torch.set_grad_enabled(grad):
        before = attend(query, key, value, mask)
        assert torch.equal(attend(query, changed_key, changed_value, mask), before)


def test_training_on_a_cpu_writes_the_products_out_and_acting_does_not(
    inputs: tuple[torch.Tensor, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def counting(*given: Any) -> torch.Tensor:
        calls.append(1)
        return attend_written_out(*given)

    monkeypatch.setattr(attention, "attend_written_out", counting)
    attend(*inputs)
    with torch.inference_mode():
        attend(*inputs)
    assert len(calls) == 1
