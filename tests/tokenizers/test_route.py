import pytest
import torch
from torch import nn

from octoverse.tokenizer import StreamBatch
from octoverse.tokenizers.route import RouteTokenizerConfig


def test_points_are_written_into_tokens_in_order() -> None:
    torch.manual_seed(0)
    tokenizer = RouteTokenizerConfig(points=6, tokens=3).build(8)
    route, valid = torch.randn(2, 2, 6, 2), torch.tensor([[True, True], [False, True]])
    before = tokenizer({"route": StreamBatch(route, valid)})
    assert before.values.shape == (2, 2, 3, 8)
    assert torch.equal(before.valid[..., 1], valid)
    route[..., 5, :] += 10.0  # the farthest point
    after = tokenizer({"route": StreamBatch(route, valid)})
    assert torch.equal(after.values[:, :, :2], before.values[:, :, :2])
    assert not torch.allclose(after.values[:, :, 2], before.values[:, :, 2], atol=1e-3)


def test_a_point_is_told_by_where_it_is_and_by_the_way_to_it() -> None:
    tokenizer = RouteTokenizerConfig(points=2).build(8)
    tokenizer.write = nn.Sequential()  # what enters the layers
    route = torch.tensor([[5.0, 0.0], [15.0, -5.0]]).reshape(1, 1, 2, 2)
    told = tokenizer({"route": StreamBatch(route, torch.ones(1, 1, dtype=torch.bool))}).values
    expected = torch.tensor([0.1, 0.0, 1.0, 0.0, 0.3, -0.1, 2.0, -1.0])
    assert torch.allclose(told.flatten(), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("points", "tokens", "words"),
    [
        (0, 1, "points and tokens must be at least 1 and range above 0, got 0, 1 and 50"),
        (6, 4, r"points \(6\) must be a multiple of tokens \(4\)"),
    ],
)
def test_settings_that_make_no_sense_are_refused(points: int, tokens: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        RouteTokenizerConfig(points=points, tokens=tokens)
