from typing import Any

import pytest
import torch

from octoverse.tokens import GroupSpec, Layout
from octoverse.trunk import attention
from octoverse.trunk.attention import attend, attend_all, attend_written_out, readings


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


@pytest.mark.parametrize("grad", [True, False])
def test_a_cpu_writes_the_products_out_in_bfloat16_alone(
    inputs: tuple[torch.Tensor, ...], monkeypatch: pytest.MonkeyPatch, grad: bool
) -> None:
    calls = []

    def counting(*given: Any) -> torch.Tensor:
        calls.append(1)
        return attend_written_out(*given)

    monkeypatch.setattr(attention, "attend_written_out", counting)
    query, key, value, mask = inputs
    with torch.set_grad_enabled(grad):
        attend(query, key, value, mask)
        assert not calls
        attend(query.bfloat16(), key.bfloat16(), value.bfloat16(), mask)
    assert len(calls) == 1


SPECS = (
    GroupSpec(name="words", role="task", tokens=5),
    GroupSpec(name="image", role="observation", tokens=90, steps=3),
    GroupSpec(name="state", role="observation", tokens=1, steps=3),
    GroupSpec(name="value", role="readout", tokens=2, steps=3),
    GroupSpec(name="action", role="readout", tokens=1, reads=("value",)),
)


@pytest.mark.parametrize("span", [None, 1, 2])
@pytest.mark.parametrize("past", [0, 4])
@pytest.mark.parametrize("complete", [True, False])
def test_reading_in_parts_equals_reading_the_whole_with_the_layout_s_mask(
    span: int | None, past: int, complete: bool
) -> None:
    torch.manual_seed(0)
    order = Layout(SPECS, span)
    length = len(order)
    query, key, value = (torch.randn(2, 2, n, 8) for n in (length, past + length, past + length))
    valid = torch.ones(2, length, dtype=torch.bool)
    before = torch.ones(2, past, dtype=torch.bool) if past else None
    if not complete:
        valid = torch.rand(2, length) < 0.7
        valid[0, :5] = False
        before = None if before is None else before & (torch.rand(2, past) < 0.5)
    parts = readings(order, valid, before)
    assert len(parts) > 1
    found = attend_all(query, lambda step: key, value, parts)
    rules = torch.cat([torch.ones(length, past, dtype=torch.bool), order.mask], 1)
    real = valid if before is None else torch.cat([before, valid], 1)
    allowed = rules & real[:, None]
    own = torch.cat([torch.zeros(length, past), torch.eye(length)], 1).bool()
    allowed |= ~allowed.any(-1, keepdim=True) & own
    expected = attend(query, key, value, allowed[:, None])
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_a_short_sequence_is_read_as_a_whole_and_a_long_one_without_a_mask() -> None:
    short = Layout((GroupSpec(name="image", role="observation", tokens=20, steps=3),))
    [whole] = readings(short, torch.ones(1, 60, dtype=torch.bool))
    assert whole.mask is not None and whole.mask.shape == (1, 1, 60, 60)
    long = Layout((GroupSpec(name="image", role="observation", tokens=100, steps=3),))
    parts = readings(long, torch.ones(1, 300, dtype=torch.bool))
    assert [part.keys for part in parts] == [(slice(0, n),) for n in (100, 200, 300)]
    assert all(part.mask is None for part in parts)
    assert long.spared == pytest.approx(1 / 3)
