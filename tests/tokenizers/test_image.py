from itertools import product

import pytest
import torch

from octoverse.tokenizer import StreamBatch
from octoverse.tokenizers.image import ImageTokenizerConfig


def images(b: int = 2, t: int = 3, height: int = 16, width: int = 32) -> StreamBatch:
    torch.manual_seed(0)
    return StreamBatch(
        torch.randint(0, 256, (b, t, height, width, 3), dtype=torch.uint8),
        torch.ones(b, t, dtype=torch.bool),
    )


def test_every_patch_becomes_a_token_row_by_row() -> None:
    config = ImageTokenizerConfig(height=16, width=32, patch=8, channels=8)
    tokens = config.build(24)({"image": images()})
    assert tokens.values.shape == (2, 3, config.tokens, 24) == (2, 3, 8, 24)
    assert tokens.valid.all()


def test_a_change_far_from_a_patch_moves_it_less_than_one_within_it() -> None:
    torch.manual_seed(0)
    tokenizer = ImageTokenizerConfig(height=64, width=64, patch=16, channels=8).build(16)
    seen = StreamBatch(torch.full((1, 1, 64, 64, 3), 128, dtype=torch.uint8), torch.ones(1, 1) > 0)
    changed = StreamBatch(seen.values.clone(), seen.valid)
    changed.values[:, :, 50:62, 2:14] = 255
    moved = (tokenizer({"image": changed}).values - tokenizer({"image": seen}).values).norm(dim=-1)
    assert moved[0, 0].argmax() == 12  # the last row of patches, the first column


def test_frames_are_read_one_by_one_and_validity_passes_through() -> None:
    tokenizer = ImageTokenizerConfig(height=16, width=32, patch=8, channels=8).build(8)
    seen = images()
    seen.valid[1, 0] = False
    tokens = tokenizer({"image": seen})
    assert tokens.valid[1].any(-1).tolist() == [False, True, True]
    for b, t in product(range(2), range(3)):
        frame = StreamBatch(seen.values[b : b + 1, t : t + 1], seen.valid[b : b + 1, t : t + 1])
        alone = tokenizer({"image": frame}).values[0, 0]
        assert torch.allclose(tokens.values[b, t], alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"height": 16, "width": 16, "patch": 12}, "patch must be a power of 2 .* got 12"),
        ({"height": 16, "width": 16, "patch": 1}, "patch must be a power of 2 .* got 1"),
        (
            {"height": 16, "width": 20, "patch": 8},
            "an image of 16 x 20 cannot be cut into patches of 8; choose sizes",
        ),
    ],
)
def test_patches_that_do_not_fit_are_refused(settings: dict[str, int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ImageTokenizerConfig(**settings)
