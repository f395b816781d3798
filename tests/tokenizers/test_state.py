import torch

from octoverse.tokenizer import StreamBatch
from octoverse.tokenizers.state import StateTokenizerConfig


def test_the_numbers_of_a_step_become_one_token() -> None:
    tokenizer = StateTokenizerConfig(size=5).build(8)
    state = StreamBatch(torch.randn(3, 2, 5), torch.rand(3, 2) < 0.5)
    tokens = tokenizer({"state": state})
    assert tokens.values.shape == (3, 2, 1, 8)
    assert torch.equal(tokens.valid[..., 0], state.valid)
    alone = tokenizer({"state": StreamBatch(state.values[1:2, 1:], state.valid[1:2, 1:])})
    assert torch.allclose(tokens.values[1, 1], alone.values[0, 0], atol=1e-6)


def test_values_far_beyond_the_data_are_clipped() -> None:
    tokenizer = StateTokenizerConfig(size=2).build(8)
    valid = torch.ones(1, 1, dtype=torch.bool)
    near = tokenizer({"state": StreamBatch(torch.tensor([[[5.0, -5.0]]]), valid)})
    far = tokenizer({"state": StreamBatch(torch.tensor([[[900.0, -900.0]]]), valid)})
    inside = tokenizer({"state": StreamBatch(torch.tensor([[[4.0, -5.0]]]), valid)})
    assert torch.equal(near.values, far.values)
    assert not torch.equal(near.values, inside.values)
