import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from octoverse.errors import SpecMismatch
from octoverse.sinusoids import sinusoids
from octoverse.tokenizer import StreamBatch
from octoverse.tokenizers.resampler import (
    ImageResamplerConfig,
    Resampler,
    StateResamplerConfig,
)

SMALL = ImageResamplerConfig(height=32, width=64, tokens=3, channels=16, patch=16, heads=2)
FEATURES = pytest.mark.parametrize("config", [SMALL, replace(SMALL, features="patches")])


def images(b: int = 2, t: int = 2) -> StreamBatch:
    torch.manual_seed(0)
    pixels = torch.randint(0, 256, (b, t, 32, 64, 3), dtype=torch.uint8)
    return StreamBatch(pixels, torch.ones(b, t, dtype=torch.bool))


def states(b: int = 2, t: int = 2) -> StreamBatch:
    torch.manual_seed(0)
    return StreamBatch(torch.randn(b, t, 5), torch.ones(b, t, dtype=torch.bool))


def resampler(places: int = 6, size: int = 4) -> Resampler:
    torch.manual_seed(1)
    return Resampler(places, size, 3, 2, 10)


@FEATURES
def test_an_image_of_any_size_becomes_as_many_tokens_as_asked(config: ImageResamplerConfig) -> None:
    tokens = config.build(12)({"image": images()})
    assert tokens.values.shape == (2, 2, 3, 12) and tokens.valid.all()
    assert ImageResamplerConfig(height=224, width=224).tokens == 16


def test_a_state_of_any_size_becomes_as_many_tokens_as_asked() -> None:
    tokens = StateResamplerConfig(size=5, tokens=7, heads=1).build(12)({"state": states()})
    assert tokens.values.shape == (2, 2, 7, 12) and tokens.valid.all()
    first = tokens.values[0, 0]
    assert not torch.allclose(first[0], first[1], atol=1e-6)


def test_it_is_the_published_formula() -> None:
    made, features = resampler(), torch.randn(2, 6, 4)
    weight = {k: v.detach().double().numpy() for k, v in made.state_dict().items()}
    x = features.double().numpy() @ weight["prepare.0.weight"].T + weight["prepare.0.bias"]
    x = x / (1 + np.exp(-x)) @ weight["prepare.2.weight"].T + weight["prepare.2.bias"]
    x = x + sinusoids(6, 10).double().numpy()
    query = weight["queries"] @ weight["query.weight"].T
    key, value = np.split(x @ weight["key_value.weight"].T, 2, -1)
    read = np.zeros((2, 3, 128))
    for head in (slice(0, 64), slice(64, 128)):
        score = query[:, head] @ key[..., head].transpose(0, 2, 1) / math.sqrt(64)
        share = np.exp(score - score.max(-1, keepdims=True))
        read[..., head] = share / share.sum(-1, keepdims=True) @ value[..., head]
    wanted = read @ weight["write.weight"].T + weight["write.bias"]
    np.testing.assert_allclose(made(features).detach().numpy(), wanted, rtol=1e-4, atol=1e-5)


def test_what_is_known_may_stand_in_any_order_but_features_have_places() -> None:
    made, order = resampler(), torch.tensor([3, 1, 5, 0, 2, 4])
    known = torch.randn(2, 6, 10)
    assert torch.allclose(made.attend(known), made.attend(known[:, order]), atol=1e-6)
    features = torch.randn(2, 6, 4)
    assert not torch.allclose(made(features), made(features[:, order]), atol=1e-4)


def test_permuted_queries_give_permuted_tokens() -> None:
    made, features = resampler(), torch.randn(2, 6, 4)
    before = made(features)
    made.queries.data = made.queries.data[[2, 0, 1]]
    assert torch.allclose(made(features), before[:, [2, 0, 1]], atol=1e-6)


@FEATURES
def test_frames_do_not_depend_on_neighbours_and_validity_passes_through(
    config: ImageResamplerConfig,
) -> None:
    torch.manual_seed(1)
    tokenizer, seen = config.build(12), images()
    seen.valid[1, 0] = False
    tokens = tokenizer({"image": seen})
    assert tokens.valid.all(-1).tolist() == tokens.valid.any(-1).tolist()
    assert tokens.valid[..., 0].tolist() == [[True, True], [False, True]]
    alone = tokenizer({"image": StreamBatch(seen.values[1:, 1:], seen.valid[1:, 1:])})
    assert torch.allclose(tokens.values[1, 1], alone.values[0, 0], rtol=1e-4, atol=1e-5)


def test_states_do_not_depend_on_neighbours_and_are_clipped() -> None:
    torch.manual_seed(1)
    tokenizer, seen = StateResamplerConfig(size=5, heads=1).build(8), states()
    seen.valid[0, 1] = False
    tokens = tokenizer({"state": seen})
    assert tokens.valid[..., 0].tolist() == [[True, False], [True, True]]
    alone = tokenizer({"state": StreamBatch(seen.values[1:, 1:], seen.valid[1:, 1:])})
    assert torch.allclose(tokens.values[1, 1], alone.values[0, 0], rtol=1e-4, atol=1e-5)
    far, edge = (
        StreamBatch(torch.full((1, 1, 5), size), torch.ones(1, 1) > 0) for size in (99.0, 5.0)
    )
    assert torch.equal(tokenizer({"state": far}).values, tokenizer({"state": edge}).values)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"tokens": 0}, "tokens and heads must be at least 1, got 0 and 2"),
        ({"heads": 0}, "tokens and heads must be at least 1, got 3 and 0"),
        ({"features": "patches", "patch": 10}, "32 x 64 cannot be cut into patches of 10"),
    ],
)
def test_settings_that_do_not_work_out_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        replace(SMALL, **settings)
    if "features" not in settings:
        with pytest.raises(ValueError, match="tokens and heads must be at least 1"):
            StateResamplerConfig(size=5, **settings)


def test_images_of_another_size_are_refused() -> None:
    wrong = StreamBatch(torch.zeros(1, 1, 8, 8, 3, dtype=torch.uint8), torch.ones(1, 1) > 0)
    with pytest.raises(SpecMismatch, match=r"expected images of 32 x 64 .* got 8 x 8"):
        SMALL.build(8)({"image": wrong})
