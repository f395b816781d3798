import pytest
import torch

from octoverse.trunk.rotary import rotate, turns


def test_a_score_depends_on_how_many_steps_lie_between() -> None:
    torch.manual_seed(0)
    query, key = torch.randn(1, 1, 1, 16), torch.randn(1, 1, 1, 16)

    def score(q: int, k: int) -> float:
        at = [turns(torch.tensor([step]), 16) for step in (q, k)]
        return float((rotate(query, at[0]) * rotate(key, at[1])).sum())

    assert score(0, -3) == pytest.approx(score(5, 2), abs=1e-5)
    assert score(0, -3) != pytest.approx(score(0, -2), abs=1e-3)


def test_it_is_a_product_with_complex_numbers() -> None:
    x = torch.randn(1, 2, 3, 8)
    steps = torch.tensor([0, 1, -4])
    pairs = torch.complex(x[..., :4], x[..., 4:])
    angle = steps[:, None] * 10_000.0 ** (-torch.arange(0, 8, 2) / 8)
    expected = pairs * torch.polar(torch.ones(3, 4), angle)
    found = rotate(x, turns(steps, 8))
    torch.testing.assert_close(torch.complex(found[..., :4], found[..., 4:]), expected)
    assert torch.equal(rotate(x.bfloat16(), turns(steps, 8))[:, :, 0], x.bfloat16()[:, :, 0])
