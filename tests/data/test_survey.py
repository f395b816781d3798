from typing import Any

import numpy as np
import pytest

from octoverse.data.survey import picture_of, spread, survey
from octoverse.errors import BadData


def test_a_survey_counts_what_is_there_and_what_is_real(made_data: Any) -> None:
    found = survey(made_data.MadeDrives(), range(3))
    assert (found.episodes, found.steps, found.intervals) == (3, 15, 12)
    assert 80e6 <= found.shortest_ns <= found.longest_ns <= 120e6
    front, left = found.observation["front"], found.observation["cross_left"]
    assert front.pictures == {"JPEG 24 x 32": 3} and left.pictures == {"JPEG 24 x 32": 1}
    assert front.sizes == {(24, 32)} and not front.masked
    speed, path = found.observation["speed"], found.action["path"]
    assert (speed.steps, speed.valid, speed.masked) == (15, 12, True)
    assert path.valid / path.steps == pytest.approx(63 / 64) and path.shape == (64, 3)
    assert "side_left" not in found.observation
    assert found.words == {"instruction": {"turn [0]": 2, "turn [1]": 1}}
    assert found.calibrated == {"front": 3} and found.kinds == {"vehicle": 6}
    assert found.questions == {"planning": 3}


def test_surveys_of_parts_are_merged_into_that_of_all(made_data: Any) -> None:
    source = made_data.MadeDrives()
    first, second = survey(source, [0]), survey(source, [1, 2])
    first.merge(second)
    assert first == survey(source, range(3))


def test_indices_are_spread_evenly() -> None:
    assert spread(3, 50) == [0, 1, 2]
    assert spread(101, 3) == [0, 50, 100]


def test_a_picture_is_known_without_decoding_it() -> None:
    assert str(picture_of(np.zeros((4, 6, 3), np.uint8))) == "decoded 4 x 6"
    with pytest.raises(BadData, match=r"Expected an encoded image .* got 4 bytes beginning with b"):
        picture_of(b"nope")


def test_a_damaged_image_is_named(made_data: Any) -> None:
    from dataclasses import replace

    class Torn(made_data.MadeDrives):  # type: ignore[misc]
        def episode(self, index: int) -> Any:
            episode = super().episode(index)
            torn = {**episode.observation, "front": [b"torn"] * len(episode)}
            return replace(episode, observation=torn)

    with pytest.raises(BadData, match="'made_drives', episode drive-0, 'front', step 0: Expected"):
        survey(Torn(), [0])
