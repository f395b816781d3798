import av
import numpy as np

from octoverse.data.pixels import PixelConverter


def test_a_picture_comes_back_as_it_went_but_for_rounding() -> None:
    grey = np.repeat(np.arange(16, 240, dtype=np.uint8)[None, :, None], 64, 0).repeat(3, 2)
    frame = av.VideoFrame.from_ndarray(grey, format="rgb24")
    small = PixelConverter("yuv420p")(frame)
    assert small.format.name == "yuv420p"
    back = PixelConverter("rgb24")(small).to_ndarray()
    assert np.abs(back.astype(int) - grey).max() <= 2
