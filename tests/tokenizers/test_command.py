import torch

from octoverse.tokenizer import StreamBatch
from octoverse.tokenizers.command import CommandTokenizerConfig


def test_each_command_has_a_token_of_its_own() -> None:
    torch.manual_seed(0)
    tokenizer = CommandTokenizerConfig(size=3).build(8)
    values, valid = torch.tensor([[0], [2], [0]]), torch.tensor([[True], [True], [False]])
    tokens = tokenizer({"command": StreamBatch(values, valid)})
    assert tokens.values.shape == (3, 1, 1, 8)
    assert torch.equal(tokens.values[0], tokens.values[2])
    assert not torch.allclose(tokens.values[0], tokens.values[1])
    assert tokens.valid.flatten().tolist() == [True, True, False]
