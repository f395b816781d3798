import io

import av
import numpy as np
import pytest

from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.episode import Action
from octoverse.evaluation.film import Camera, FilmConfig, beside, encode, inset
from octoverse.evaluation.rollout import Moment

RED = np.full((96, 96, 3), (200, 0, 0), np.uint8)
BLUE = np.full((96, 96, 3), (0, 0, 200), np.uint8)


def pictures_in(mp4: bytes) -> list[np.ndarray]:
    with av.open(io.BytesIO(mp4), "r") as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


class Brightening:
    """A world that is a little brighter at each look."""

    looks = 0

    def view(self, height: int, width: int) -> np.ndarray:
        self.looks += 1
        return np.full((height, width, 3), 20 * self.looks, np.uint8)


def test_a_compressed_film_shows_what_was_given() -> None:
    given = [np.full((64, 80, 3), 10 * i, np.uint8) for i in range(8)]
    shown = pictures_in(encode(given, 10.0))
    assert len(shown) == 8
    for picture, expected in zip(shown, given, strict=True):
        assert np.abs(picture.astype(int) - expected).mean() < 4


@pytest.mark.parametrize(("every", "steps", "looks"), [(1, 5, 6), (2, 5, 4), (4, 8, 3)])
def test_the_camera_takes_every_so_many_steps_and_the_end(
    every: int, steps: int, looks: int
) -> None:
    world = Brightening()
    config = FilmConfig(height=48, width=64, every=every, portrait_at=2, portrait_height=80)
    camera = Camera(config, world, TABLETOP_ARM)
    for step in range(steps + 1):
        action: Action | None = None if step == steps else {}
        frame = {"table": RED, "wrist": BLUE}
        camera.watch(Moment(step=step, frame=frame, action=action, latency_ms=None))
    film = camera.film(pictures_per_second=5)
    shown = pictures_in(film.mp4)
    assert len(shown) == looks + 5 and film.seconds == pytest.approx((looks + 5) / 5)
    assert shown[0].shape == (48, 64 + 24, 3)
    assert shown[-1][20, 20].mean() > shown[0][20, 20].mean() + 15
    assert film.portrait is not None and film.portrait.shape == (80, 640, 3)
    assert world.looks == looks + 1


def test_the_robots_images_stand_in_a_column_beside_the_view() -> None:
    view = np.full((120, 160, 3), 255, np.uint8)
    made = beside(view, [RED, BLUE])
    assert made.shape == (120, 220, 3)
    np.testing.assert_array_equal(made[:, :160], view)
    assert tuple(made[20, 190]) == (200, 0, 0) and tuple(made[90, 190]) == (0, 0, 200)
    assert beside(view, []) is view


def test_an_inset_covers_only_the_upper_right_corner() -> None:
    view = np.full((120, 160, 3), 90, np.uint8)
    made = inset(view, [RED, BLUE])
    assert tuple(made[20, 100]) == (200, 0, 0) and tuple(made[20, 140]) == (0, 0, 200)
    np.testing.assert_array_equal(made[60:], view[60:])
    np.testing.assert_array_equal(made[:, :60], view[:, :60])
    assert view.max() == 90
