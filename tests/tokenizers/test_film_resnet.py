from dataclasses import replace
from typing import Any

import pytest
import torch

from octoverse.errors import SpecMismatch
from octoverse.tokenizer import StreamBatch
from octoverse.tokenizers.film_resnet import FilmResNetTokenizer, FilmResNetTokenizerConfig

SIDE = 40
PLAIN = FilmResNetTokenizerConfig(height=SIDE, width=SIDE, channels=2, words=8)
BASIC = replace(PLAIN, depth=18, channels=16)
BOTH = pytest.mark.parametrize("config", [PLAIN, BASIC])


def shown(*words: str, t: int = 2, goal: bool = False) -> dict[str, StreamBatch]:
    torch.manual_seed(0)
    valid = torch.ones(len(words), t, dtype=torch.bool)
    found = {"instruction": StreamBatch(words, valid)}
    for name in ("image", "goal")[: 1 + goal]:
        pixels = torch.randint(0, 256, (len(words), t, SIDE, SIDE, 3), dtype=torch.uint8)
        found[name] = StreamBatch(pixels, valid.clone())
    return found


def built(config: FilmResNetTokenizerConfig = PLAIN, trained: bool = True) -> FilmResNetTokenizer:
    torch.manual_seed(1)
    tokenizer = config.build(12)
    if trained:
        for weight in tokenizer.parameters():
            torch.nn.init.normal_(weight, std=0.3 if weight.ndim < 4 else 0.05)
    return tokenizer


def test_places_of_the_feature_map_become_tokens() -> None:
    tokens = built()(shown("lift", "push", "stop"))
    assert tokens.values.shape == (3, 2, 4, 12) and tokens.valid.all()
    assert PLAIN.tokens == 4
    assert FilmResNetTokenizerConfig(height=224, width=224).tokens == 49


@BOTH
def test_at_the_start_the_instruction_changes_nothing(config: FilmResNetTokenizerConfig) -> None:
    tokenizer = built(config, trained=False)
    red, blue = (tokenizer(shown(word)).values for word in ("red", "blue"))
    assert torch.equal(red, blue)
    deaf = built(replace(config, language=None), trained=False)
    deaf.load_state_dict(
        {k: v for k, v in tokenizer.state_dict().items() if not k.startswith(("films", "encode"))}
    )
    given = shown("red")
    assert torch.equal(deaf({"image": given["image"]}).values, red)


@BOTH
def test_once_trained_the_instruction_changes_every_token(
    config: FilmResNetTokenizerConfig,
) -> None:
    tokenizer = built(config)
    red, blue = (tokenizer(shown(word)).values for word in ("red", "blue"))
    assert ((red - blue).abs().amax(-1) > 1e-4).all()


def test_the_first_step_of_training_teaches_the_modulation() -> None:
    tokenizer = built(trained=False)
    tokenizer(shown("red", "blue")).values.square().sum().backward()
    for weight in tokenizer.films.parameters():
        assert weight.grad is not None and weight.grad.abs().max() > 0


def test_words_that_are_not_valid_are_as_no_words() -> None:
    tokenizer = built()
    hidden, none = shown("red"), shown("")
    hidden["instruction"].valid[:] = False
    none["instruction"].valid[:] = False
    assert torch.equal(tokenizer(hidden).values, tokenizer(none).values)


@BOTH
def test_a_goal_is_stacked_and_one_that_is_not_valid_is_black(
    config: FilmResNetTokenizerConfig,
) -> None:
    config = replace(config, goal=True)
    assert config.inputs == ("image", "goal", "instruction")
    tokenizer, given = built(config), shown("red", goal=True)
    with_goal = tokenizer(given).values
    black = {**given, "goal": replace(given["goal"], values=torch.zeros_like(given["goal"].values))}
    assert not torch.allclose(with_goal, tokenizer(black).values, atol=1e-4)
    given["goal"].valid[:] = False
    assert torch.equal(tokenizer(given).values, tokenizer(black).values)


@BOTH
def test_a_sample_does_not_depend_on_its_neighbours(config: FilmResNetTokenizerConfig) -> None:
    tokenizer = built(replace(config, goal=True))
    given = shown("red", "blue", goal=True)
    alone = {
        name: StreamBatch(stream.values[1:], stream.valid[1:]) for name, stream in given.items()
    }
    together = tokenizer(given).values[1]
    assert torch.allclose(together, tokenizer(alone).values[0], rtol=1e-4, atol=1e-4)


def test_a_frame_that_was_not_seen_gives_invalid_tokens() -> None:
    given = shown("red", "blue")
    given["image"].valid[1, 0] = False
    valid = built()(given).valid
    assert valid.all(-1).tolist() == valid.any(-1).tolist() == [[True, True], [False, True]]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"depth": 101}, "depth must be 18, 26, 34 or 50, got 101"),
        ({"height": 0}, "height, width and words must be at least 1, got 0, 40 and 8"),
        ({"channels": 7}, "channels must be a multiple of 2 for depth 26, got 7"),
        ({"depth": 34}, "channels must be a multiple of 16 for depth 34, got 2"),
    ],
)
def test_settings_that_do_not_work_out_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        replace(PLAIN, **settings)


@pytest.mark.parametrize("which", ["image", "goal"])
def test_images_of_another_size_are_refused(which: str) -> None:
    given = shown("red", goal=True)
    given[which] = replace(given[which], values=given[which].values[:, :, :32])
    with pytest.raises(SpecMismatch, match=r"expected images of 40 x 40 .* got 32 x 40"):
        built(replace(PLAIN, goal=True))(given)
