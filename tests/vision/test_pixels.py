import pytest
import torch

from octoverse.errors import SpecMismatch
from octoverse.vision.pixels import centred, check_size


def test_pixels_go_from_minus_one_to_one_frame_after_frame() -> None:
    images = torch.tensor([0, 51, 255], dtype=torch.uint8).expand(2, 3, 4, 5, 3).contiguous()
    images[1, 0] = 102
    found = centred(images)
    assert found.shape == (6, 3, 4, 5)
    assert torch.allclose(found[0, :, 0, 0], torch.tensor([-1.0, -0.6, 1.0]))
    assert torch.allclose(found[3], torch.tensor(-0.2))


def test_channels_stay_last_in_memory_unless_a_cpu_trains() -> None:
    images = torch.zeros(2, 4, 5, 3, dtype=torch.uint8)
    assert centred(images).is_contiguous()
    with torch.inference_mode():
        assert centred(images).is_contiguous(memory_format=torch.channels_last)


def test_images_of_another_size_are_refused_with_both_sizes() -> None:
    check_size(torch.zeros(1, 1, 4, 6, 3), 4, 6)
    with pytest.raises(SpecMismatch, match=r"expected images of 8 x 6 .* got 4 x 6. Give the prep"):
        check_size(torch.zeros(1, 1, 4, 6, 3), 8, 6)
