import numpy as np
import torch
from torch.nn import functional as F

from octoverse.vision.standardized_resnet import StandardizedConv2d, StandardizedResNet, Unit


def test_kernels_are_standardised_as_the_formula_says() -> None:
    torch.manual_seed(0)
    convolve, x = StandardizedConv2d(4, 6, 3), torch.randn(2, 4, 5, 5)
    kernel = convolve.weight.detach().numpy().astype(np.float64)
    mean, std = kernel.mean((1, 2, 3), keepdims=True), kernel.std((1, 2, 3), keepdims=True)
    wanted = F.conv2d(x.double(), torch.from_numpy((kernel - mean) / std), None, 1, 1)
    assert torch.allclose(convolve(x).double(), wanted, rtol=1e-4, atol=1e-4)


def test_it_has_as_many_weights_as_the_published_one() -> None:
    # Convolutions 9,408 + 4 x (two units of 1 x 1, 3 x 3, 1 x 1 and one short cut); norms 2 each.
    wanted = 7 * 7 * 3 * 64 + 2 * 64
    before = 64
    for inner in (64, 128, 256, 512):
        for _ in range(2):
            wanted += before * inner + 9 * inner * inner + 4 * inner * inner + 2 * 6 * inner
            if before != 4 * inner:
                wanted += before * 4 * inner + 2 * 4 * inner
            before = 4 * inner
    with torch.device("meta"):
        assert sum(weight.numel() for weight in StandardizedResNet().parameters()) == wanted


def test_its_map_is_one_thirty_second_of_the_image_rounded_up() -> None:
    resnet = StandardizedResNet(channels=2, units=(1, 1, 1, 1))
    assert resnet.features(torch.zeros(1, 3, 64, 97)).shape == (1, 64, 2, 4)
    assert resnet.channels == 64 and resnet.film_channels == (16, 32, 64)


def test_a_unit_is_its_short_cut_at_the_start() -> None:
    x = torch.rand(2, 32, 6, 6)
    assert torch.equal(Unit(32, 8, 1)(x), x)


def test_images_do_not_depend_on_their_neighbours() -> None:
    torch.manual_seed(0)
    resnet, images = StandardizedResNet(channels=4), torch.randn(3, 3, 32, 32)
    for weight in resnet.parameters():
        torch.nn.init.normal_(weight, std=0.1)
    assert torch.allclose(
        resnet.features(images)[1], resnet.features(images[1:2])[0], rtol=1e-4, atol=1e-5
    )


def test_every_stage_but_the_first_can_be_modulated() -> None:
    resnet, seen = StandardizedResNet(channels=2), list[int]()

    def note(x: torch.Tensor) -> torch.Tensor:
        seen.append(x.shape[1])
        return x

    resnet.features(torch.zeros(1, 3, 32, 32), [note, note, note])
    assert tuple(seen) == resnet.film_channels
