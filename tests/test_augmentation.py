import colorsys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from octoverse.augmentation import Augmentation, Jitter
from octoverse.preprocess import Preprocess, PreprocessConfig

STRONG = Augmentation(
    brightness=0.2, contrast=0.2, saturation=0.2, hue=0.05, crop=0.3, aspect=0.1, shift=3
)


def picture(size: int = 32, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), np.uint8)


def test_every_setting_draws_the_same_count_of_numbers() -> None:
    streams = [np.random.default_rng(3) for _ in range(3)]
    for settings, role, rng in zip(
        [Augmentation(), STRONG, Augmentation(shift=2, steady=("wrist",))],
        ["wrist", "front", "wrist"],
        streams,
        strict=True,
    ):
        settings.draw(role, rng)
    assert len({rng.random() for rng in streams}) == 1


def test_one_draw_changes_all_images_alike_and_another_one_otherwise() -> None:
    ready, image = Preprocess(PreprocessConfig(augmentation=STRONG)), picture(64)
    jitter = ready.jitter("front", np.random.default_rng(0))
    other = ready.jitter("front", np.random.default_rng(1))
    first = ready.finished("front", image, jitter)
    assert np.array_equal(first, ready.finished("front", image, jitter))
    assert not np.array_equal(first, ready.finished("front", image, other))


def test_steady_roles_keep_their_place_and_may_change_their_light() -> None:
    settings = Augmentation(brightness=0.2, crop=0.3, shift=3, steady=("wrist",))
    jitter = settings.draw("wrist", np.random.default_rng(1))
    assert jitter.box == (0, 0, 1, 1) and jitter.shift == (0, 0) and jitter.light != 0


@given(st.integers(0, 2**32), st.floats(0, 0.9), st.floats(0, 0.9))
def test_a_crop_lies_within_the_picture_and_keeps_its_share(
    seed: int, crop: float, aspect: float
) -> None:
    settings = Augmentation(crop=crop, aspect=aspect)
    left, top, right, bottom = settings.draw("front", np.random.default_rng(seed)).box
    assert -1e-9 <= left < right <= 1 + 1e-9 and -1e-9 <= top < bottom <= 1 + 1e-9
    # A stretched crop that does not fit loses a little more.
    assert (right - left) * (bottom - top) >= (1 - crop) * (1 - aspect) - 1e-9


def test_a_crop_shows_its_part_enlarged() -> None:
    image = np.zeros((40, 40, 3), np.uint8)
    image[10:20, 20:30] = 255
    ready = Preprocess(PreprocessConfig(height=40, width=40))
    seen = ready.finished("front", image, Jitter(box=(0.5, 0.25, 0.75, 0.5)))
    assert seen.min() > 90 and seen[4:-4, 4:-4].min() == 255


def test_light_and_contrast_are_about_mid_grey() -> None:
    image = np.array([[[0, 100, 255]]], np.uint8)
    assert Jitter(light=0.1).colours(image).tolist() == [[[26, 126, 255]]]
    assert Jitter(contrast=0.5).colours(image).tolist() == [[[64, 114, 191]]]


def test_colours_as_a_matrix_agree_with_the_table() -> None:
    image = picture()
    plain = Jitter(light=0.1, contrast=1.2).colours(image)
    turned = Jitter(light=0.1, contrast=1.2, saturation=1.0 + 1e-9).colours(image)
    assert np.abs(plain.astype(int) - turned).max() <= 1


def test_without_saturation_everything_is_grey_of_the_same_lightness() -> None:
    image = picture()
    grey = Jitter(saturation=0.0).colours(image).astype(int)
    assert (grey.max(axis=-1) - grey.min(axis=-1)).max() <= 1
    assert_allclose(grey[..., 0], image @ np.array([0.299, 0.587, 0.114]), atol=1.5)


def test_grey_keeps_its_colour_whatever_the_hue() -> None:
    grey = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    turned = Jitter(hue=0.3).colours(grey).astype(int)
    assert np.abs(turned - grey).max() <= 1


@pytest.mark.parametrize("turn", [-0.1, 0.1, 0.33])
def test_hue_turns_colours_by_the_share_of_the_circle(turn: float) -> None:
    # Muted colours: bright ones leave the range of a byte. An independent reference is the hexagon
    # of HSV, in which the circle of YIQ is bent a little.
    for colour in ([150, 110, 110], [110, 150, 120], [120, 115, 150]):
        seen = Jitter(hue=turn).colours(np.array([[colour]], np.uint8))[0, 0]
        before, after = (colorsys.rgb_to_hsv(*(np.array(c) / 255))[0] for c in (colour, seen))
        moved = (after - before + 0.5) % 1 - 0.5
        assert abs(moved - turn) < 0.06  # red goes to yellow, as in HSV


def test_a_shift_repeats_the_border() -> None:
    image = np.arange(3, dtype=np.uint8)[None, :, None].repeat(3, 0).repeat(3, 2)
    assert Jitter(shift=(0, 1)).moved(image)[0, :, 0].tolist() == [1, 2, 2]
    assert Jitter(shift=(0, -1)).moved(image)[0, :, 0].tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"contrast": 1.0}, r"contrast in \[0, 1\), got"),
        ({"brightness": -0.1}, "brightness and shift must be at least 0"),
        ({"saturation": 1.5}, r"saturation must be in \[0, 1\] and hue in \[0, 0.5\], got 1.5"),
        ({"hue": 0.6}, r"hue in \[0, 0.5\], got 0.0 and 0.6"),
        ({"crop": 1.0}, r"crop and aspect must be in \[0, 1\), got 1.0 and 0.0"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Augmentation(**settings)  # type: ignore[arg-type]


def test_nothing_is_changed_without_a_size_of_change() -> None:
    assert not Augmentation(aspect=0.1, steady=("wrist",)).active
    assert Augmentation(hue=0.1).active and Augmentation(shift=1).active
