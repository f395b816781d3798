import torch

from octoverse.tokenizer import StreamBatch
from octoverse.tokenizers.language import LanguageTokenizerConfig


def test_an_instruction_becomes_as_many_tokens_as_asked() -> None:
    torch.manual_seed(0)
    tokenizer = LanguageTokenizerConfig(tokens=3).build(8)
    words = StreamBatch(("lift it", "stop", "lift it"), torch.tensor([[True], [True], [False]]))
    tokens = tokenizer({"instruction": words})
    assert tokens.values.shape == (3, 1, 3, 8)
    assert torch.equal(tokens.values[0], tokens.values[2])
    assert not torch.allclose(tokens.values[0], tokens.values[1])
    assert tokens.valid[:, 0].tolist() == [[True] * 3, [True] * 3, [False] * 3]


def test_what_is_longer_than_max_bytes_is_cut() -> None:
    tokenizer = LanguageTokenizerConfig(max_bytes=4).build(8)
    words = StreamBatch(("stop now", "stop"), torch.ones(2, 1, dtype=torch.bool))
    cut, short = tokenizer({"instruction": words}).values
    assert torch.equal(cut, short)


def test_a_window_of_frames_has_one_instruction() -> None:
    words = StreamBatch(("go",), torch.ones(1, 4, dtype=torch.bool))
    assert LanguageTokenizerConfig().build(8)({"instruction": words}).values.shape == (1, 1, 1, 8)
