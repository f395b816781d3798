"""What an existing client may send for a stream, turned into the type that the stream has."""

from typing import Any

import numpy as np

from octoverse.errors import SpecMismatch


def text(key: str, value: Any) -> str:
    """Take words.

    Raises:
        SpecMismatch: unless it is a str.
    """
    if not isinstance(value, str):
        raise SpecMismatch(f"'{key}': expected words (str), got {_brief(value)}.")
    return value


def image(key: str, value: Any) -> np.ndarray:
    """Take a uint8 image, (height, width, 3) or (3, height, width), and give the former.

    Raises:
        SpecMismatch: unless it is one.
    """
    if not isinstance(value, np.ndarray) or value.dtype != np.uint8:
        raise SpecMismatch(
            f"'{key}': expected a uint8 RGB image from 0 to 255, got {_brief(value)}. "
            "If it is a float image in [0, 1], send (image * 255).astype('uint8')."
        )
    if value.ndim == 3 and value.shape[2] != 3 and value.shape[0] == 3:
        value = value.transpose(1, 2, 0)
    if value.ndim != 3 or value.shape[2] != 3 or 0 in value.shape:
        raise SpecMismatch(
            f"'{key}': expected an image (height, width, 3) or (3, height, width), "
            f"got {value.shape}."
        )
    return np.ascontiguousarray(value)


def index(key: str, value: Any) -> np.ndarray:
    """Take one integer, however it is wrapped, and give int64 ().

    Raises:
        SpecMismatch: unless it is one.
    """
    found = np.asarray(value) if isinstance(value, int | np.ndarray) else np.empty(0)
    if found.size != 1 or found.dtype.kind not in "iu":
        raise SpecMismatch(f"'{key}': expected one integer, got {_brief(value)}.")
    return found.reshape(()).astype(np.int64)


def numbers(key: str, value: Any) -> np.ndarray:
    """Take numbers of any kind as float32; one too large for it becomes infinite.

    Raises:
        SpecMismatch: unless they are numbers.
    """
    if not isinstance(value, int | float | np.ndarray):
        raise SpecMismatch(f"'{key}': expected an array of numbers, got {_brief(value)}.")
    with np.errstate(over="ignore"):
        return np.asarray(value).astype(np.float32)


def _brief(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape}"
    return f"{type(value).__name__} {repr(value)[:40]}"
