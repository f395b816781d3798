"""A camera's calibration as the numbers that tokenizers read: the stream `<camera>.calibration`.

The numbers are relative to the whole picture as the camera gives it, so they do not change when the
picture is resized; a crop or a shift changes them.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from octoverse.embodiment import Embodiment
from octoverse.episode import Calibration
from octoverse.errors import SpecMismatch, UnknownName

if TYPE_CHECKING:
    from octoverse.augmentation import Jitter  # needs Pillow, which a robot has not

NUMBERS = 16
"""fx / width, fy / height, cx / width, cy / height, then from the camera's frame (x right, y down,
z ahead) to the body's: the rotation, 3 x 3, row by row, and the translation [m]."""
_SUFFIX = ".calibration"


def stream_of(camera: str) -> str:
    """Name of the stream that has this camera's calibration."""
    return camera + _SUFFIX


def camera_of(body: Embodiment, stream: str) -> str | None:
    """The camera whose calibration a stream is; None for a stream of the body itself.

    Raises:
        UnknownName: if it is named like a calibration, but the body has no such camera.
    """
    if stream in body.observation or not stream.endswith(_SUFFIX):
        return None
    camera = stream.removesuffix(_SUFFIX)
    if camera not in body.cameras:
        raise UnknownName(f"camera of '{body.name}'", camera, body.cameras)
    return camera


def numbers_of(camera: str, calibration: Calibration, height: int, width: int) -> np.ndarray:
    """The numbers of one camera.

    Args:
        camera: Its name.
        calibration: Of the picture as the camera gives it.
        height: Of that picture [pixel].
        width: Of that picture [pixel].

    Returns:
        float32 (16,).

    Raises:
        SpecMismatch: if a number is not finite or a focal length not above zero.
    """
    lens = np.reshape(calibration.intrinsics, (3, 3))
    pose = np.reshape(calibration.extrinsics, (4, 4))
    scaled = lens[:2] / np.array([[width], [height]])
    found = [scaled[0, 0], scaled[1, 1], scaled[0, 2], scaled[1, 2], *pose[:3, :3].ravel()]
    with np.errstate(over="ignore"):  # what is too large becomes infinite
        numbers = np.array([*found, *pose[:3, 3]], np.float32)
    if not (np.isfinite([*numbers, *lens.flat, *pose.flat]).all() and lens[0, 0] > 0 < lens[1, 1]):
        raise SpecMismatch(
            f"calibration of '{camera}': expected finite numbers and focal lengths above 0 pixel, "
            f"got intrinsics {calibration.intrinsics} and extrinsics {calibration.extrinsics}. "
            "Leave a camera out whose calibration is not known."
        )
    return numbers


def known(body: Embodiment, calibration: Mapping[str, Calibration]) -> dict[str, np.ndarray]:
    """The numbers of a robot's cameras, whose pictures are as large as its body says.

    Raises:
        UnknownName: if the body has no such camera.
        SpecMismatch: as `numbers_of`.
    """
    found = {}
    for name, one in calibration.items():
        if name not in body.cameras:
            raise UnknownName(f"camera of '{body.name}'", name, body.cameras)
        camera = body.cameras[name]
        found[name] = numbers_of(name, one, camera.height, camera.width)
    return found


def jittered(numbers: np.ndarray, jitter: "Jitter", height: int, width: int) -> np.ndarray:
    """The numbers of a picture that was cropped, enlarged to its final size, and shifted.

    Args:
        numbers: float32 (16,), of the whole picture.
        jitter: What was done to it.
        height: Final height [pixel].
        width: Final width [pixel].
    """
    left, top, right, bottom = jitter.box
    found, size = numbers.copy(), np.array([right - left, bottom - top])
    found[:2] /= size
    moved = np.array([jitter.shift[1] / width, jitter.shift[0] / height])
    found[2:4] = (found[2:4] - (left, top)) / size - moved
    return found
