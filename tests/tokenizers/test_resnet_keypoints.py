from typing import Any

import pytest
import torch

from octoverse.errors import SpecMismatch
from octoverse.tokenizer import StreamBatch
from octoverse.tokenizers.resnet_keypoints import (
    ResNetKeypointsTokenizer,
    ResNetKeypointsTokenizerConfig,
)

SMALL = ResNetKeypointsTokenizerConfig(keypoints=4, channels=16)


def tokenizer(width: int = 8) -> ResNetKeypointsTokenizer:
    torch.manual_seed(0)
    return SMALL.build(width).eval()


def images(batch: int = 2, side: int = 64) -> StreamBatch:
    generator = torch.Generator().manual_seed(0)
    values = torch.randint(0, 256, (batch, 3, side, side, 3), generator=generator)
    return StreamBatch(values.to(torch.uint8), torch.ones(batch, 3, dtype=torch.bool))


def test_an_image_becomes_one_token_whatever_its_size() -> None:
    for side in (33, 64, 96):
        seen = images(side=side)
        seen.valid[1, 0] = False
        made = tokenizer()({"image": seen})
        assert made.values.shape == (2, 3, 1, 8)
        assert torch.equal(made.valid[..., 0], seen.valid)
    assert SMALL.tokens == 1


def test_a_token_depends_on_its_own_image_alone() -> None:
    made, seen = tokenizer(), images()
    whole = made({"image": seen}).values
    one = StreamBatch(seen.values[1:, 2:], seen.valid[1:, 2:])
    torch.testing.assert_close(made({"image": one}).values, whole[1:, 2:], rtol=1e-4, atol=1e-5)
    seen.values[1, 1] = 255 - seen.values[1, 1]
    other = made({"image": seen}).values
    assert not torch.allclose(other[1, 1], whole[1, 1])
    same = torch.ones(2, 3, dtype=torch.bool)
    same[1, 1] = False
    torch.testing.assert_close(other[same], whole[same], rtol=1e-4, atol=1e-5)


def test_it_says_where_things_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """A map that answers at one place alone is written as that place."""
    made = tokenizer()
    hot = torch.full((1, 4, 5, 5), -50.0)
    where = [(0, 0), (4, 0), (2, 4), (4, 4)]  # x, y of 5
    for number, (x, y) in enumerate(where):
        hot[0, number, y, x] = 50.0
    made.find = torch.nn.Identity()  # type: ignore[assignment]
    monkeypatch.setattr(made.resnet, "features", lambda images: hot)
    made.write = torch.nn.Identity()  # type: ignore[assignment]
    one = StreamBatch(torch.zeros(1, 1, 8, 8, 3, dtype=torch.uint8), torch.ones(1, 1) > 0)
    found = made({"image": one}).values.reshape(4, 2)
    wanted = torch.tensor(where) / 2.0 - 1
    torch.testing.assert_close(found, wanted)


def test_it_has_as_many_parameters_as_lerobot_s() -> None:
    with torch.device("meta"):
        made = ResNetKeypointsTokenizerConfig().build(64)
    assert sum(p.numel() for p in made.parameters()) == 11_197_088


def test_every_weight_learns() -> None:
    made = tokenizer()
    made({"image": images()}).values.square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in made.parameters())


def test_an_image_too_small_for_places_is_refused() -> None:
    with pytest.raises(SpecMismatch, match="an image of 32 x 32 becomes a map of one place"):
        tokenizer()({"image": images(side=32)})


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"keypoints": 0}, "keypoints must be at least 1 .* got 0 and 64"),
        ({"channels": 24}, "channels a multiple of 16, got 32 and 24"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ResNetKeypointsTokenizerConfig(**settings)
