"""Cut images into squares, and make one vector of each.

Source: Dosovitskiy et al., "An image is worth 16x16 words", 2021, section 3.1 (a linear map of the
pixels); Xiao et al., "Early convolutions help transformers see better", 2021 (convolutions).
"""

from jaxtyping import Float, UInt8
from torch import Tensor, nn

from octoverse.vision.pixels import centred


def check_patches(height: int, width: int, patch: int) -> None:
    """Refuse an image that cannot be cut into whole patches.

    Raises:
        ValueError: if a side of the image is not a multiple of the patch's.
    """
    if min(height, width, patch) < 1 or height % patch or width % patch:
        raise ValueError(
            f"an image of {height} x {width} cannot be cut into patches of {patch}; choose sizes "
            "that the patch divides."
        )


def cut(images: UInt8[Tensor, "b t h w 3"], patch: int) -> Float[Tensor, "m n e"]:
    """The pixels of every patch from -1 to 1, row by row of patches, m = b x t."""
    b, t, height, width, _ = images.shape
    squares = images.reshape(b * t, height // patch, patch, width // patch, patch, 3)
    pixels = squares.transpose(2, 3).reshape(b * t, -1, patch * patch * 3)
    return (pixels * (1 / 127.5)).sub_(1)


class LinearPatches(nn.Module):
    """One linear map from the pixels of a patch to its vector; patches row by row."""

    def __init__(self, patch: int, width: int) -> None:
        super().__init__()
        self.patch = patch
        self.write = nn.Linear(patch * patch * 3, width)

    def forward(self, images: UInt8[Tensor, "b t h w 3"]) -> Float[Tensor, "m n d"]:
        """Read all images, m = b x t."""
        vectors: Tensor = self.write(cut(images, self.patch))
        return vectors


class ConvolutionalPatches(nn.Module):
    """Strided convolutions down to one position per patch, then a linear map."""

    def __init__(self, patch: int, width: int, channels: int = 32) -> None:
        super().__init__()
        self.stem = convolutions(patch, width, channels)

    def forward(self, images: UInt8[Tensor, "b t h w 3"]) -> Float[Tensor, "m n d"]:
        """Read all images, m = b x t."""
        found: Tensor = self.stem(centred(images))
        return found.flatten(2).transpose(1, 2)


def convolutions(patch: int, width: int, channels: int) -> nn.Sequential:
    """Halve the image until one position is left per patch.

    Args:
        patch: Side of a patch, a power of 2.
        width: Channels in the end; no convolution before has more.
        channels: Channels after the first halving; they double with every other one.
    """
    layers: list[nn.Module] = []
    before, after, side = 3, channels, 1
    while side < patch:
        layers += [nn.Conv2d(before, after, 3, 2, 1), nn.GroupNorm(8, after), nn.ReLU()]
        before, after, side = after, min(2 * after, width), 2 * side
    return nn.Sequential(*layers, nn.Conv2d(before, width, 1))
