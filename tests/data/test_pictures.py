import numpy as np

from octoverse.data.pictures import PictureCache


def test_the_picture_cache_keeps_what_was_used_last_within_its_bytes() -> None:
    cache, made = PictureCache(250), []

    def get(key: int) -> None:
        def make() -> np.ndarray:
            made.append(key)
            return np.zeros(100, np.uint8)

        cache.get(key, make)

    for key in (0, 1, 0, 2, 0, 1):
        get(key)
    assert made == [0, 1, 2, 1] and cache.nbytes == 200 and len(cache) == 2
