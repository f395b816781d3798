import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import Tensor

from octoverse.errors import BadConfig, SpecMismatch
from octoverse.tokenizer import StreamBatch
from octoverse.tokenizers.t5 import T5Size, T5Tokenizer, T5TokenizerConfig, vocabulary_bytes

SIZE = T5Size(layers=2, heads=4, head_width=8, hidden=48, vocabulary=64)


def vocabulary(pad: str = "<pad>") -> str:
    """A vocabulary of whole words that ends every text as T5's does."""
    words = {pad: 0, "</s>": 1, "<unk>": 2, "lift": 3, "the": 4, "cube": 5, "open": 6, "drawer": 7}
    made = Tokenizer(models.WordLevel(words, "<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing("$A </s>", special_tokens=[("</s>", 1)])
    return made.to_str()


def tokenizer(size: T5Size | None = SIZE, text: str = "", width: int = 16) -> T5Tokenizer:
    torch.manual_seed(0)
    stored = vocabulary_bytes(text) if text else torch.zeros(0, dtype=torch.uint8)
    config = T5TokenizerConfig(tokens=6, features=32, encoder=size, vocabulary_bytes=len(stored))
    module = config.build(width)
    module.load_state_dict({**module.state_dict(), "vocabulary": stored})
    return module.eval()


def said(*texts: str) -> StreamBatch:
    return StreamBatch(texts, torch.tensor([[bool(text)] for text in texts]))


def test_an_instruction_becomes_padded_word_pieces_with_an_end() -> None:
    pieces = tokenizer(text=vocabulary()).pieces(
        ["lift the cube", "open the drawer open the drawer"]
    )
    assert pieces.tolist() == [[3, 4, 5, 1, 0, 0], [6, 4, 7, 6, 4, 1]]


def test_all_tokens_of_a_real_instruction_are_real() -> None:
    tokens = tokenizer(text=vocabulary())({"instruction": said("lift the cube", "")})
    assert tokens.values.shape == (2, 1, 6, 16)
    assert tokens.valid[:, 0].all(-1).tolist() == [True, False]
    assert not tokens.valid[1].any()


def test_words_word_pieces_and_outputs_read_alike() -> None:
    module = tokenizer(text=vocabulary())
    pieces = module.pieces(["lift the cube"])
    real = torch.ones(1, 1, dtype=torch.bool)
    forms = [("lift the cube",), pieces, module.encode(pieces)]
    read = [module({"instruction": StreamBatch(form, real)}).values for form in forms]
    assert torch.equal(read[0], read[1]) and torch.equal(read[0], read[2])


def test_padding_is_hidden_from_the_encoder() -> None:
    module = tokenizer()
    pieces = torch.tensor([[3, 4, 1, 0, 0, 0]])
    mask = torch.tensor([[1, 1, 1, 0, 0, 0]])
    other = torch.tensor([[3, 4, 1, 9, 9, 9]])
    assert torch.equal(module.encode(pieces), module.encode(pieces, mask))
    assert torch.allclose(
        module.encode(other, mask)[:, :3], module.encode(pieces)[:, :3], atol=1e-6
    )
    assert not torch.allclose(module.encode(other)[:, :3], module.encode(pieces)[:, :3], atol=1e-3)


def test_an_instruction_is_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    module, encoded = tokenizer(text=vocabulary()), list[int]()
    encode = module.encode

    def counted(pieces: Tensor) -> Tensor:
        encoded.append(len(pieces))
        return encode(pieces)

    monkeypatch.setattr(module, "encode", counted)
    first = module({"instruction": said("lift the cube", "open the drawer", "lift the cube")})
    again = module({"instruction": said("open the drawer", "", "lift the cube")})
    assert encoded == [2]
    assert torch.equal(first.values[0], again.values[2])
    module.forget()
    module({"instruction": said("lift the cube")})
    assert encoded == [2, 1]


def test_what_is_kept_is_bounded_and_the_least_used_goes_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("octoverse.tokenizers.t5._KEPT", 2)
    module = tokenizer(text=vocabulary())
    for text in ("lift", "open", "lift", "cube"):
        module({"instruction": said(text)})
    assert list(module._outputs) == ["lift", "cube"]
    many = module({"instruction": said("drawer", "the", "cube", "open")})
    assert len(module._outputs) == 2 and many.values.isfinite().all()


def test_other_weights_or_another_device_forget_what_was_kept() -> None:
    module = tokenizer(text=vocabulary())
    module({"instruction": said("lift")})
    module.load_state_dict(module.state_dict())
    assert not module._outputs
    module({"instruction": said("lift")})
    module.to(torch.float64)
    assert not module._outputs


def test_the_encoder_stays_frozen_and_without_dropout_in_training() -> None:
    module = tokenizer(text=vocabulary()).train()
    assert module.encoder is not None and not module.encoder.training
    with torch.inference_mode():
        module({"instruction": said("lift the cube")})  # what was kept must serve training too
    module({"instruction": said("lift the cube")}).values.sum().backward()
    trained = {name for name, one in module.named_parameters() if one.grad is not None}
    assert trained == {"project.weight", "project.bias"}
    assert all(not one.requires_grad for one in module.encoder.parameters())


def test_encoder_and_vocabulary_survive_a_file_of_tensors(tmp_path: Path) -> None:
    module, other = tokenizer(text=vocabulary()), tokenizer(text=vocabulary(), width=16)
    with torch.no_grad():
        for one in module.parameters():
            one.add_(0.1)
    save_file(module.state_dict(), tmp_path / "weights.safetensors")
    other.load_state_dict(load_file(tmp_path / "weights.safetensors"))
    words = {"instruction": said("lift the cube")}
    assert torch.equal(module(words).values, other(words).values)
    halves = {k: v.half() for k, v in module.state_dict().items()}
    other.load_state_dict(halves)
    assert other.pieces(["lift"]).tolist() == [[3, 1, 0, 0, 0, 0]]


def test_the_encoder_equals_flax_s(real_data: Callable[[str], Path]) -> None:
    folder = real_data("octo_parity_tiny")
    arrays, told = (
        np.load(folder / "t5_tiny.npz"),
        json.loads((folder / "t5_tiny_config.json").read_text()),
    )
    size = T5Size(
        layers=told["num_layers"],
        heads=told["num_heads"],
        head_width=told["d_kv"],
        hidden=told["d_ff"],
        vocabulary=told["vocab_size"],
    )
    module = tokenizer(size)
    weights: dict[str, Any] = {}
    for name in arrays.files:
        if name.startswith("params/"):
            value = torch.from_numpy(arrays[name])
            ours = name.removeprefix("params/").replace("shared/", "encoder/embed_tokens/")
            ours = ours.replace("/kernel", "/weight").replace("/embedding", "/weight")
            weights[ours.replace("/", ".")] = value.T if name.endswith("kernel") else value
    module.load_state_dict({**module.state_dict(), **weights})
    pieces, real = (torch.from_numpy(arrays[name]) for name in ("input_ids", "attention_mask"))
    theirs = arrays["last_hidden_state"]
    off = np.abs(module.encode(pieces, real).numpy() - theirs)
    assert (off / np.maximum(np.abs(theirs), np.abs(theirs).max() / 10)).max() < 1e-5


def test_a_gated_encoder_has_two_inner_layers() -> None:
    size = T5Size(layers=1, heads=2, head_width=4, hidden=8, vocabulary=16, gated=True)
    names = set(tokenizer(size).state_dict())
    assert "encoder.block.0.layer.1.DenseReluDense.wi_1.weight" in names


def test_words_without_a_vocabulary_are_refused_with_the_cure() -> None:
    with pytest.raises(SpecMismatch, match=r"cannot read words: .* no vocabulary\. Import"):
        tokenizer()({"instruction": said("lift")})


def test_word_pieces_without_an_encoder_are_refused_with_the_cure() -> None:
    module = tokenizer(None)
    real = torch.ones(1, 1, dtype=torch.bool)
    given = StreamBatch(torch.zeros(1, 6, 32), real)
    assert module({"instruction": given}).values.shape == (1, 1, 6, 16)
    with pytest.raises(SpecMismatch, match=r"no T5 encoder: give .* \(b, 6, 32\)"):
        module({"instruction": StreamBatch(torch.zeros(1, 6, dtype=torch.int64), real)})


def test_embeddings_of_another_shape_are_refused_with_both() -> None:
    given = StreamBatch(torch.zeros(1, 5, 32), torch.ones(1, 1, dtype=torch.bool))
    with pytest.raises(SpecMismatch, match=r"expected .* \(b, 6, 32\), got \(1, 5, 32\)"):
        tokenizer(None)({"instruction": given})


def test_a_vocabulary_that_pads_otherwise_is_refused() -> None:
    with pytest.raises(BadConfig, match="word piece 0 is '<pad>', got another"):
        vocabulary_bytes(vocabulary(pad="[PAD]"))
