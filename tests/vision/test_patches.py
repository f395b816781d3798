import numpy as np
import pytest
import torch

from octoverse.vision.patches import ConvolutionalPatches, LinearPatches, check_patches


def test_linear_patches_are_the_product_of_their_pixels_row_by_row() -> None:
    torch.manual_seed(0)
    images = torch.randint(0, 256, (1, 2, 4, 6, 3), dtype=torch.uint8)
    patches = LinearPatches(2, 5)
    found = patches(images).detach().numpy()
    weight, bias = patches.write.weight.detach().numpy(), patches.write.bias.detach().numpy()
    pixels = images.numpy().astype(np.float64) / 127.5 - 1
    for frame in range(2):
        for place in range(6):
            row, column = 2 * (place // 3), 2 * (place % 3)
            square = pixels[0, frame, row : row + 2, column : column + 2].reshape(-1)
            np.testing.assert_allclose(
                found[frame, place], weight @ square + bias, rtol=1e-5, atol=1e-6
            )


def test_convolutional_patches_stand_in_the_same_order() -> None:
    torch.manual_seed(0)
    images = torch.full((1, 1, 64, 96, 3), 128, dtype=torch.uint8)
    changed = images.clone()
    changed[:, :, 36:60, 68:92] = 255  # the second row of two, the last column of three
    patches = ConvolutionalPatches(32, 16, channels=8)
    moved = (patches(changed) - patches(images)).norm(dim=-1)
    assert moved.shape == (1, 6) and moved[0].argmax() == 5


@pytest.mark.parametrize("size", [(10, 8, 4), (8, 10, 4), (8, 8, 0)])
def test_images_that_cannot_be_cut_are_refused(size: tuple[int, int, int]) -> None:
    words = f"an image of {size[0]} x {size[1]} cannot be cut into patches of {size[2]}; choose"
    with pytest.raises(ValueError, match=words):
        check_patches(*size)
