import io

import numpy as np
import pytest
import simplejpeg
from PIL import Image

from octoverse import registry
from octoverse.augmentation import Augmentation
from octoverse.embodiment import Camera
from octoverse.errors import BadData, UnknownName
from octoverse.preprocess import ImageSize, Preprocess, PreprocessConfig

CAMERA = Camera(height=96, width=96, role="primary")


def _picture(height: int = 96, width: int = 96) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows * 2, columns * 2, rows + columns], axis=-1).astype(np.uint8)


def _png(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def test_png_of_the_wanted_size_comes_back_bit_exact() -> None:
    keep = Preprocess(PreprocessConfig(height=96, width=96))
    assert np.array_equal(keep.image(CAMERA, _png(_picture())), _picture())


def test_jpeg_is_decoded_as_rgb() -> None:
    red = np.zeros((96, 96, 3), np.uint8)
    red[..., 0] = 200
    got = Preprocess(PreprocessConfig()).image(CAMERA, simplejpeg.encode_jpeg(red, quality=95))
    assert got.shape == (64, 64, 3)
    assert np.abs(got.astype(int) - [200, 0, 0]).max() < 6


def test_grey_images_become_three_equal_channels() -> None:
    grey = _png(_picture()[..., 0])
    got = Preprocess(PreprocessConfig(height=96, width=96)).image(CAMERA, grey)
    assert np.array_equal(got, np.repeat(_picture()[..., :1], 3, axis=-1))


def test_area_averages_the_pixels_it_shrinks() -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    image[:2, :2] = [[[0] * 3, [40] * 3], [[80] * 3, [120] * 3]]
    half = Preprocess(PreprocessConfig(height=2, width=2, filter="area"))
    assert half.image(CAMERA, image)[0, 0].tolist() == [60, 60, 60]


@pytest.mark.parametrize("name", ["area", "bilinear", "bicubic", "lanczos3"])
def test_no_filter_aliases_a_fine_checkerboard(name: str) -> None:
    board = ((np.indices((96, 96)).sum(axis=0) % 2) * 255).astype(np.uint8)
    image = np.repeat(board[..., None], 3, axis=-1)
    small = Preprocess(PreprocessConfig(height=24, width=24, filter=name)).image(CAMERA, image)  # type: ignore[arg-type]
    assert np.abs(small[2:-2, 2:-2].astype(int) - 127).max() < 12


def test_a_role_has_its_own_size_and_the_others_the_default() -> None:
    config = PreprocessConfig(sizes=(ImageSize(role="wrist", height=32, width=48),))
    wrist = Camera(height=96, width=96, role="wrist")
    assert Preprocess(config).image(wrist, _picture()).shape == (32, 48, 3)
    assert Preprocess(config).image(CAMERA, _picture()).shape == (64, 64, 3)
    assert [Preprocess(config).size(camera) for camera in (wrist, CAMERA)] == [(32, 48), (64, 64)]


def test_a_frame_becomes_images_numbers_and_words() -> None:
    body = registry.load("embodiment", "tabletop_arm")
    frame = {
        "table": _png(_picture()),
        "wrist": _picture(),
        "tool": np.zeros(5),
        "instruction": "lift the red cube",
    }
    got = Preprocess(PreprocessConfig()).frame(body, frame)
    assert got["table"].shape == got["wrist"].shape == (64, 64, 3)
    assert np.array_equal(got["table"], got["wrist"])
    assert got["tool"].dtype == np.float32
    assert got["instruction"] == "lift the red cube"


def test_an_unknown_stream_is_refused() -> None:
    body = registry.load("embodiment", "tabletop_arm")
    with pytest.raises(UnknownName, match=r"No stream of 'tabletop_arm' named 'tabel'.*'table'"):
        Preprocess(PreprocessConfig()).frame(body, {"tabel": _picture()})


@pytest.mark.parametrize("kind", ["jpeg", "png", "noise", "empty"])
def test_an_undecodable_image_is_bad_data_in_words(kind: str) -> None:
    rough = np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8)
    jpeg, png = simplejpeg.encode_jpeg(rough), _png(rough)
    raw = {
        "jpeg": jpeg[: len(jpeg) // 2],
        "png": png[: len(png) // 2],
        "noise": b"not an image",
        "empty": b"",
    }[kind]
    with pytest.raises(BadData, match=r"Expected an encoded image \(JPEG, PNG\), got \d+ bytes"):
        Preprocess(PreprocessConfig()).image(CAMERA, raw)


def test_a_float_image_is_refused() -> None:
    with pytest.raises(BadData, match=r"expected uint8 \(height, width, 3\), got float64"):
        Preprocess(PreprocessConfig()).image(CAMERA, np.zeros((64, 64, 3)))


def test_nothing_is_changed_by_default() -> None:
    ready, image = Preprocess(PreprocessConfig()), _picture(64, 64)
    jitter = ready.jitter("primary", np.random.default_rng(0))
    assert np.array_equal(ready.finished("primary", image, jitter), image)


def test_a_role_may_be_changed_in_its_own_way() -> None:
    ready = Preprocess(
        PreprocessConfig(
            augmentation=Augmentation(brightness=0.3, crop=0.2),
            augmentations={"wrist": Augmentation(brightness=0.3)},
        )
    )
    wrist, front = (ready.jitter(role, np.random.default_rng(2)) for role in ("wrist", "front"))
    assert wrist.light == front.light != 0
    assert wrist.box == (0, 0, 1, 1) != front.box


def test_a_small_image_is_kept_small_and_a_large_one_made_smaller() -> None:
    ready = Preprocess(PreprocessConfig())
    assert ready.decoded("primary", _picture(32, 40)).shape == (32, 40, 3)
    assert ready.decoded("primary", _picture(128, 96)).shape == (64, 64, 3)
    assert ready.finished("primary", _picture(32, 40)).shape == (64, 64, 3)


def test_bad_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 pixel"):
        PreprocessConfig(height=0)
    with pytest.raises(ValueError, match=r"contrast in \[0, 1\)"):
        Augmentation(contrast=1.0)
    with pytest.raises(UnknownName, match=r"No resize filter named 'aera'. Did you mean 'area'"):
        PreprocessConfig(filter="aera")  # type: ignore[arg-type]
