from typing import Any

import numpy as np
import pytest

from octoverse.errors import SpecMismatch
from octoverse.servers.client_values import image, index, numbers, text

IMAGE = np.arange(2 * 4 * 3, dtype=np.uint8).reshape(2, 4, 3)


def test_an_image_is_taken_as_it_is_and_one_with_channels_first_is_turned() -> None:
    assert image("front", IMAGE) is IMAGE
    turned = image("front", IMAGE.transpose(2, 0, 1))
    np.testing.assert_array_equal(turned, IMAGE)
    assert turned.flags.c_contiguous


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (IMAGE / 255, "expected a uint8 RGB image from 0 to 255, got float64 (2, 4, 3). If it is"),
        (IMAGE.astype(np.float32), r"send (image * 255).astype('uint8')"),
        ([[0, 0, 0]], "got list [[0, 0, 0]]"),
        (IMAGE[..., :1], "(height, width, 3) or (3, height, width), got (2, 4, 1)"),
        (IMAGE[None], "got (1, 2, 4, 3)"),
        (IMAGE[:0], "got (0, 4, 3)"),
    ],
)
def test_what_is_no_image_is_refused_with_the_cure(value: Any, words: str) -> None:
    with pytest.raises(SpecMismatch) as caught:
        image("front", value)
    assert "'front': expected" in str(caught.value) and words in str(caught.value)


def test_numbers_of_every_kind_become_float32() -> None:
    for value in (1, 2.5, True, np.float64(3), np.arange(3), np.ones((2, 2)), np.array([True])):
        found = numbers("state", value)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, value)


def test_a_number_too_large_becomes_infinite() -> None:
    assert np.isinf(numbers("state", np.array([1e300]))).all()


def test_what_is_no_number_is_refused() -> None:
    for value in ("7", None, [1.0, 2.0], b"1"):
        with pytest.raises(SpecMismatch, match="'state': expected an array of numbers, got"):
            numbers("state", value)


def test_an_index_may_come_in_any_wrapping() -> None:
    for value in (2, np.array(2), np.array([2], np.uint8), np.array([[2]])):
        found = index("command", value)
        assert found.dtype == np.int64 and found.shape == () and found == 2


def test_what_is_no_index_is_refused() -> None:
    for value in (2.0, np.array([1, 2]), np.array(2.0), "left"):
        with pytest.raises(SpecMismatch, match="'command': expected one integer, got"):
            index("command", value)


def test_words_are_words() -> None:
    assert text("prompt", "lift") == "lift"
    with pytest.raises(SpecMismatch, match=r"'prompt': expected words \(str\), got int 7"):
        text("prompt", 7)
