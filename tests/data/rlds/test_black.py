import io

import numpy as np
import pytest
import simplejpeg
from PIL import Image

from octoverse.data.rlds.black import is_black
from octoverse.errors import BadData


def encoded(picture: np.ndarray, kind: str) -> bytes:
    with io.BytesIO() as file:
        Image.fromarray(picture).save(file, kind)
        return file.getvalue()


@pytest.mark.parametrize("kind", ["jpeg", "png"])
def test_only_a_picture_without_light_is_black(kind: str) -> None:
    picture = np.zeros((64, 48, 3), np.uint8)
    assert is_black(encoded(picture, kind))
    picture[40:44, 8:12] = 60
    assert not is_black(encoded(picture, kind))


def test_one_bright_pixel_is_found_where_the_small_picture_is_black() -> None:
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[0, 0] = 20
    raw = simplejpeg.encode_jpeg(picture, quality=100)
    assert not simplejpeg.decode_jpeg(raw, colorspace="GRAY", min_height=1, min_width=1).any()
    assert not is_black(raw)


@pytest.mark.parametrize("raw", [b"\xff\xd8\xff\xe0", b"", b"text"])
def test_what_is_no_image_is_refused(raw: bytes) -> None:
    with pytest.raises(BadData, match="Expected an encoded image"):
        is_black(raw)
