from itertools import product

import pytest
import torch

from octoverse.errors import SpecMismatch
from octoverse.tokenizer import StreamBatch
from octoverse.tokenizers.vit import ViTTokenizer, ViTTokenizerConfig


def images(b: int = 2, t: int = 3) -> StreamBatch:
    torch.manual_seed(0)
    pixels = torch.randint(0, 256, (b, t, 16, 24, 3), dtype=torch.uint8)
    return StreamBatch(pixels, torch.ones(b, t, dtype=torch.bool))


def built(layers: int) -> ViTTokenizer:
    torch.manual_seed(1)
    config = ViTTokenizerConfig(height=16, width=24, patch=8, layers=layers, heads=2)
    return config.build(12)


@pytest.mark.parametrize("layers", [0, 2])
def test_every_patch_of_every_frame_becomes_a_token(layers: int) -> None:
    tokens = built(layers)({"image": images()})
    assert tokens.values.shape == (2, 3, 6, 12) and tokens.valid.all()
    assert ViTTokenizerConfig(height=16, width=24, patch=8, layers=layers).tokens == 6


@pytest.mark.parametrize("layers", [0, 2])
def test_frames_are_read_one_by_one_and_invalid_ones_give_invalid_tokens(layers: int) -> None:
    tokenizer, seen = built(layers), images()
    seen.valid[1, 0] = False
    tokens = tokenizer({"image": seen})
    assert tokens.valid[1].any(-1).tolist() == tokens.valid[1].all(-1).tolist()
    assert tokens.valid[1].any(-1).tolist() == [False, True, True]
    for b, t in product(range(2), range(3)):
        frame = StreamBatch(seen.values[b : b + 1, t : t + 1], seen.valid[b : b + 1, t : t + 1])
        alone = tokenizer({"image": frame}).values[0, 0]
        assert torch.allclose(tokens.values[b, t], alone, rtol=1e-5, atol=1e-6)


def test_only_with_layers_do_patches_know_of_each_other_and_of_their_place() -> None:
    seen, changed = images(1, 1), images(1, 1)
    changed.values[0, 0, :8, :8] = 0
    same = StreamBatch(torch.full_like(seen.values, 90), seen.valid)
    for layers, know in ((0, False), (2, True)):
        tokenizer = built(layers)
        before, after = (tokenizer({"image": one}).values[0, 0] for one in (seen, changed))
        assert not torch.allclose(before[0], after[0], atol=1e-3)
        assert (not torch.allclose(before[5], after[5], atol=1e-6)) == know
        alike = tokenizer({"image": same}).values[0, 0]
        assert (alike.std(0).max() > 1e-3).item() == know


def test_every_weight_gets_a_gradient() -> None:
    tokenizer = built(1)
    tokenizer({"image": images()}).values.square().sum().backward()
    assert all(weight.grad is not None for weight in tokenizer.parameters())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"patch": 5}, "16 x 24 cannot be cut into patches of 5; choose"),
        ({"layers": -1}, "layers must be at least 0 and heads at least 1, got -1 and 4"),
        ({"heads": 0}, "layers must be at least 0 and heads at least 1, got 0 and 0"),
    ],
)
def test_settings_that_do_not_work_out_are_refused(settings: dict[str, int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ViTTokenizerConfig(**{"height": 16, "width": 24, "patch": 8, **settings})


def test_a_width_that_the_heads_do_not_divide_is_refused() -> None:
    with pytest.raises(ValueError, match=r"width \(10\) must be divisible by heads \(4\)"):
        ViTTokenizerConfig(height=16, width=24, patch=8, layers=1).build(10)


def test_images_of_another_size_are_refused() -> None:
    wrong = StreamBatch(torch.zeros(1, 1, 8, 8, 3, dtype=torch.uint8), torch.ones(1, 1) > 0)
    with pytest.raises(SpecMismatch, match=r"expected images of 16 x 24 .* got 8 x 8"):
        built(0)({"image": wrong})
