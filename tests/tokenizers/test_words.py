import torch

from octoverse.tokenizer import StreamBatch
from octoverse.tokenizers.words import WordsTokenizer, WordsTokenizerConfig


def tokenizer() -> WordsTokenizer:
    torch.manual_seed(0)
    return WordsTokenizerConfig(tokens=4, features=32).build(8)


def said(*texts: str) -> StreamBatch:
    return StreamBatch(texts, torch.tensor([[bool(text)] for text in texts]))


def test_every_word_becomes_a_token_and_places_after_the_last_are_invalid() -> None:
    tokens = tokenizer()({"instruction": said("lift the cube", "go", "")})
    assert tokens.values.shape == (3, 1, 4, 8)
    assert tokens.valid[:, 0].sum(-1).tolist() == [3, 1, 0]


def test_a_word_is_the_same_wherever_it_stands_and_however_it_is_written() -> None:
    read = tokenizer()({"instruction": said("lift the Cube", "cube the lift")}).values[:, 0]
    assert torch.allclose(read[0, 0], read[1, 2]) and torch.allclose(read[0, 2], read[1, 0])
    assert not torch.allclose(read[0, 0], read[0, 2])


def test_words_beyond_the_last_token_are_cut() -> None:
    long, short = "a b c d e", "a b c d"
    read = tokenizer()({"instruction": said(long, short)})
    assert torch.equal(read.values[0], read.values[1]) and read.valid.all()


def test_vectors_are_no_parameters_and_do_not_hang_on_the_neighbours() -> None:
    module = tokenizer()
    assert {name for name, _ in module.named_parameters()} == {"project.weight", "project.bias"}
    together = module({"instruction": said("lift the cube", "go")}).values
    alone = module({"instruction": said("go")}).values
    assert torch.allclose(together[1], alone[0], atol=1e-6)


def test_what_acts_first_can_be_trained_afterwards() -> None:
    module = tokenizer()
    with torch.inference_mode():
        module({"instruction": said("press the bell")})
    module({"instruction": said("press the bell")}).values.sum().backward()
    assert module.project.weight.grad is not None
