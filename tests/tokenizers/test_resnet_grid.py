import math
from itertools import product

import pytest
import torch

from octoverse.errors import SpecMismatch
from octoverse.tokenizer import StreamBatch
from octoverse.tokenizers.resnet_grid import (
    ResNetGridTokenizer,
    ResNetGridTokenizerConfig,
    grid_positions,
)
from octoverse.vision.resnet import normalised

CONFIG = ResNetGridTokenizerConfig(height=64, width=70, channels=16)


def images(b: int = 2, t: int = 2) -> StreamBatch:
    torch.manual_seed(0)
    pixels = torch.randint(0, 256, (b, t, 64, 70, 3), dtype=torch.uint8)
    return StreamBatch(pixels, torch.ones(b, t, dtype=torch.bool))


def built(width: int = 12) -> ResNetGridTokenizer:
    torch.manual_seed(1)
    return CONFIG.build(width)


def test_every_place_of_the_feature_map_of_every_frame_becomes_a_token() -> None:
    tokenizer, seen = built(), images()
    tokens = tokenizer({"image": seen})
    assert CONFIG.grid == (2, 3) and CONFIG.tokens == 6
    assert tokens.values.shape == (2, 2, 6, 12) and tokens.valid.all()
    places = tokenizer.resnet.features(normalised(seen.values.flatten(0, 1)))[3]  # (c, 2, 3)
    expected = tokenizer.write(places[:, 1, 2]) + tokenizer.positions[5]
    assert torch.allclose(tokens.values[1, 1, 5], expected, atol=1e-5)


@pytest.mark.parametrize(("side", "tokens"), [(32, 1), (33, 4), (224, 49), (225, 64)])
def test_the_tokens_that_are_promised_come(side: int, tokens: int) -> None:
    config = ResNetGridTokenizerConfig(height=side, width=side, channels=16)
    assert config.tokens == tokens
    seen = StreamBatch(torch.zeros(1, 1, side, side, 3, dtype=torch.uint8), torch.ones(1, 1) > 0)
    with torch.inference_mode():
        assert config.build(8)({"image": seen}).values.shape == (1, 1, tokens, 8)


def test_frames_are_read_one_by_one_and_invalid_ones_give_invalid_tokens() -> None:
    tokenizer, seen = built(), images()
    seen.valid[1, 0] = False
    tokens = tokenizer({"image": seen})
    assert tokens.valid.all(-1).tolist() == [[True, True], [False, True]]
    assert tokens.valid.any(-1).tolist() == [[True, True], [False, True]]
    for b, t in product(range(2), range(2)):
        frame = StreamBatch(seen.values[b : b + 1, t : t + 1], seen.valid[b : b + 1, t : t + 1])
        alone = tokenizer({"image": frame}).values[0, 0]
        assert torch.allclose(tokens.values[b, t], alone, rtol=1e-4, atol=1e-5)


def test_every_weight_gets_a_gradient() -> None:
    tokenizer = built()
    tokenizer({"image": images()}).values.square().sum().backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in tokenizer.parameters())


def test_positions_are_those_of_act() -> None:
    rows, columns, width = 3, 2, 16
    found = grid_positions(rows, columns, width)
    for row, column in product(range(rows), range(columns)):
        for channel in range(width):
            axis, within = divmod(channel, width // 2)
            along = (row + 1) / rows if axis == 0 else (column + 1) / columns
            angle = 2 * math.pi * along / 10_000 ** (2 * (within // 2) / (width // 2))
            expected = math.cos(angle) if within % 2 else math.sin(angle)
            assert found[row * columns + column, channel].item() == pytest.approx(
                expected, abs=1e-5
            )


def test_positions_are_computed_and_not_stored() -> None:
    assert not any("positions" in name for name in built().state_dict())


def test_what_does_not_work_out_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a trunk of width 10 has no room .* multiple of 4"):
        built(10)
    with pytest.raises(ValueError, match="height and width must be at least 1 pixel, got 0 and 64"):
        ResNetGridTokenizerConfig(height=0, width=64)
    wrong = StreamBatch(torch.zeros(1, 1, 8, 8, 3, dtype=torch.uint8), torch.ones(1, 1) > 0)
    with pytest.raises(SpecMismatch, match=r"expected images of 64 x 70 .* got 8 x 8"):
        built()({"image": wrong})
