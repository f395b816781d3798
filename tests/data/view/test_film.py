import base64
import io
from typing import Any

import av
import numpy as np
import simplejpeg

from octoverse.data.view.film import film, small


def frames(address: str) -> list[np.ndarray]:
    assert address.startswith("data:video/mp4;base64,")
    file = io.BytesIO(base64.b64decode(address.partition(",")[2]))
    container: Any = av.open(file)
    with container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_every_step_has_its_frame_and_what_is_masked_is_black() -> None:
    images = [np.full((64, 96, 3), 40 * i, np.uint8) for i in range(6)]
    encoded = [simplejpeg.encode_jpeg(image) for image in images]
    valid = np.array([False, True, True, False, True, True])
    found = frames(film(encoded, valid, range(6), 10.0))
    assert [round(float(f.mean()) / 40) for f in found] == [0, 1, 2, 0, 4, 5]
    assert len(frames(film(images, valid, range(0, 6, 2), 10.0))) == 3


def test_large_images_are_made_smaller_with_even_sides() -> None:
    assert small(np.zeros((375, 1242, 3), np.uint8)).shape == (360, 1192, 3)
    assert small(np.zeros((31, 33, 3), np.uint8)).shape == (32, 32, 3)
    same = np.zeros((64, 96, 3), np.uint8)
    assert small(same) is same
