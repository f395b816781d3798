import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hn
from PIL import Image

from octoverse.data import png
from octoverse.errors import BadData

IMAGES = hn.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3)))


@given(image=IMAGES, level=st.integers(0, 9))
def test_pillow_reads_back_every_pixel(image: np.ndarray, level: int) -> None:
    with Image.open(io.BytesIO(png.encode(image, level))) as opened:
        opened.verify()
    with Image.open(io.BytesIO(png.encode(image, level))) as opened:
        assert opened.mode == "RGB"
        assert np.array_equal(np.asarray(opened), image)


@pytest.mark.parametrize("image", [np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8)])
def test_what_is_no_image_is_refused(image: np.ndarray) -> None:
    with pytest.raises(BadData, match=r"Expected an image, uint8 \(height, width, 3\), got"):
        png.encode(image)
