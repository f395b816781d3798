import numpy as np
import pytest
import torch
from torch import Tensor

from octoverse.errors import SpecMismatch
from octoverse.tokenizer import StreamBatch
from octoverse.tokenizers.octo_stem import OctoStemTokenizerConfig, StandardisedConv2d


def config(**changes: object) -> OctoStemTokenizerConfig:
    settings = {"height": 32, "width": 48, "channels": (32, 32), "features": 40, **changes}
    return OctoStemTokenizerConfig(**settings)  # type: ignore[arg-type]


def images(b: int = 2, t: int = 3, height: int = 32, width: int = 48, seed: int = 0) -> StreamBatch:
    drawn = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (b, t, height, width, 3), dtype=torch.uint8, generator=drawn)
    return StreamBatch(pixels, torch.ones(b, t, dtype=torch.bool))


def test_every_patch_becomes_a_token_row_by_row() -> None:
    settings = config()
    tokens = settings.build(24)({"image": images(), "goal": images(seed=1)})
    assert settings.grid == (8, 12) and settings.inputs == ("image", "goal")
    assert tokens.values.shape == (2, 3, settings.tokens, 24) == (2, 3, 96, 24)
    assert tokens.valid.all()


def test_octo_s_own_sizes_give_256_and_64_tokens() -> None:
    sizes = [OctoStemTokenizerConfig(height=n, width=n).tokens for n in (256, 128)]
    assert sizes == [256, 64]
    assert OctoStemTokenizerConfig(height=64, width=64, side=2).tokens == 4


def test_kernels_have_mean_0_and_deviation_1_before_they_are_used() -> None:
    torch.manual_seed(0)
    convolution = StandardisedConv2d(3, 5, 3, 2, 1)
    pixels = torch.randn(2, 3, 9, 8)
    weight = convolution.weight.detach().numpy().astype(np.float64)  # (out, in, kh, kw)
    weight = weight - weight.mean((1, 2, 3), keepdims=True)
    weight = weight / (weight.std((1, 2, 3), keepdims=True) + 1e-5)
    padded = np.pad(pixels.numpy(), ((0, 0), (0, 0), (1, 1), (1, 1)))
    bias = convolution.bias
    assert bias is not None
    made = convolution(pixels).detach().numpy()
    for row, column in ((0, 0), (4, 3), (2, 1)):
        seen = padded[:, :, 2 * row : 2 * row + 3, 2 * column : 2 * column + 3]
        expected = np.einsum("bcij,ocij->bo", seen, weight) + bias.detach().numpy()
        assert np.allclose(made[:, :, row, column], expected, atol=1e-5)


def test_a_goal_that_is_not_real_reads_as_black() -> None:
    tokenizer, seen, goal = config().build(16), images(), images(seed=1)
    black = StreamBatch(torch.zeros_like(goal.values), goal.valid)
    absent = StreamBatch(goal.values, torch.zeros_like(goal.valid))
    read = {
        name: tokenizer({"image": seen, "goal": g})
        for name, g in {"given": goal, "black": black, "absent": absent}.items()
    }
    assert torch.equal(read["absent"].values, read["black"].values)
    assert torch.equal(tokenizer({"image": seen}).values, read["black"].values)
    assert not torch.allclose(read["given"].values, read["black"].values)
    assert read["absent"].valid.all()


def test_a_frame_stands_beside_the_goal_that_came_with_it() -> None:
    tokenizer, seen, goal = config().build(16), images(), images(seed=1)
    other = StreamBatch(goal.values.clone(), goal.valid)
    other.values[:, 1] = 7
    one, two = (tokenizer({"image": seen, "goal": g}).values for g in (goal, other))
    changed = (one - two).abs().amax((0, 2, 3)) > 1e-4
    assert changed.tolist() == [False, True, False]


def test_without_a_goal_the_image_stands_alone() -> None:
    settings = config(goal=False)
    tokenizer = settings.build(16)
    assert settings.inputs == ("image",)
    assert tokenizer.state_dict()["convolutions.0.weight"].shape[1] == 3
    assert tokenizer({"image": images()}).values.shape == (2, 3, 96, 16)


def test_frames_are_read_one_by_one_and_validity_passes_through() -> None:
    tokenizer, seen, goal = config().build(8), images(), images(seed=1)
    seen.valid[1, 0] = False
    tokens = tokenizer({"image": seen, "goal": goal})
    assert tokens.valid[1].any(-1).tolist() == [False, True, True]

    def part(stream: StreamBatch, b: int) -> StreamBatch:
        return StreamBatch(stream.values[b : b + 1, -1:], stream.valid[b : b + 1, -1:])

    for b in range(2):
        alone = tokenizer({"image": part(seen, b), "goal": part(goal, b)}).values[0, 0]
        assert torch.allclose(tokens.values[b, -1], alone, rtol=1e-4, atol=1e-5)


def test_imagenet_s_colours_become_mean_0() -> None:
    def first(kind: str) -> Tensor:
        tokenizer, found = config(pixels=kind).build(8), list[Tensor]()
        tokenizer.convolutions[0].register_forward_hook(
            lambda m, given, made: found.append(given[0])
        )
        mean = torch.tensor([0.485, 0.456, 0.406]).mul(255).round().to(torch.uint8)
        seen = StreamBatch(mean.expand(1, 1, 32, 48, 3), torch.ones(1, 1, dtype=torch.bool))
        tokenizer({"image": seen, "goal": seen})
        return found[0]

    assert first("imagenet").abs().max() < 0.02 and first("imagenet").shape[1] == 6
    assert first("symmetric").min() < -0.02


def test_kernels_that_are_changed_are_standardised_anew() -> None:
    torch.manual_seed(0)
    convolution, pixels = StandardisedConv2d(3, 5, 3, 2, 1), torch.randn(1, 3, 8, 8)
    with torch.inference_mode():
        first, again = convolution(pixels), convolution(pixels)
    assert torch.equal(first, again)
    with torch.no_grad():
        convolution.weight.copy_(torch.randn_like(convolution.weight))
    with torch.inference_mode():
        changed = convolution(pixels)
    assert not torch.allclose(first, changed)
    trained = convolution(pixels)
    assert torch.allclose(changed, trained, atol=1e-6)
    trained.sum().backward()
    assert convolution.weight.grad is not None


def test_images_of_another_size_are_refused_with_both() -> None:
    with pytest.raises(SpecMismatch, match=r"expected images of 32 x 48 .* got 16 x 48"):
        config().build(8)({"image": images(height=16)})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"channels": (32, 48)}, r"channels must be multiples of 32, .* got \(32, 48\)"),
        ({"channels": ()}, r"channels must be multiples of 32, .* got \(\)"),
        ({"side": 16}, "an image of 32 x 48 gives 0 x 0 tokens of 40 numbers; choose a larger"),
        ({"side": 0}, "side must be at least 1, got 0"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        config(**changes)
