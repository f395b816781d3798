from statistics import NormalDist

import pytest
import torch

from octoverse.tokenizer import StreamBatch
from octoverse.tokenizers.state_bins import StateBinsTokenizerConfig


def test_normal_bins_hold_equal_shares_of_a_normal_distribution() -> None:
    tokenizer = StateBinsTokenizerConfig(size=1, bins=8).build(4)
    state = torch.randn(1, 40000, 1, generator=torch.Generator().manual_seed(0))
    shares = tokenizer.bins(state).flatten().bincount(minlength=8) / 40000
    assert (shares - 1 / 8).abs().max() < 0.01
    edges = [NormalDist().inv_cdf(i / 8) for i in range(1, 8)]
    assert torch.allclose(tokenizer.edges, torch.tensor(edges), atol=1e-6)


def test_uniform_bins_are_those_of_the_formula() -> None:
    """A number lies in the bin whose lower edge is the last one not above it."""
    tokenizer = StateBinsTokenizerConfig(size=5, bins=4, spread="uniform").build(4)
    state = torch.tensor([-1.01, -1.0, -0.01, 0.0, 1.99]).reshape(1, 1, 5)
    assert tokenizer.bins(state).flatten().tolist() == [0, 1, 1, 2, 3]


@pytest.mark.parametrize("spread", ["normal", "uniform"])
def test_what_lies_outside_falls_into_the_outermost_bin(spread: str) -> None:
    tokenizer = StateBinsTokenizerConfig(size=2, spread=spread).build(4)  # type: ignore[arg-type]
    assert tokenizer.bins(torch.tensor([[[-90.0, 90.0]]])).flatten().tolist() == [0, 255]


def test_every_number_is_a_token_and_validity_is_passed_on() -> None:
    config = StateBinsTokenizerConfig(size=7)
    valid = torch.tensor([[True, False]])
    tokens = config.build(8)({"state": StreamBatch(torch.randn(1, 2, 7), valid)})
    assert config.tokens == 7
    assert tokens.values.shape == (1, 2, 7, 8)
    assert torch.equal(tokens.valid, valid[..., None].expand(1, 2, 7))


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="bins must be at least 2 and limit above 0, got 1 and 2"):
        StateBinsTokenizerConfig(size=3, bins=1)
    with pytest.raises(ValueError, match="got 256 and 0"):
        StateBinsTokenizerConfig(size=3, limit=0.0)
