from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from octoverse.data.conversion import check
from octoverse.data.conversion.check import Checked, Pair, compare
from octoverse.episode import Episode
from octoverse.errors import BadData


class Changed:
    """Episodes of a source with one thing changed in each."""

    name = "out"

    def __init__(self, source: Any, change: Callable[[Episode], dict[str, Any]]) -> None:
        self.source, self.change = source, change

    def episode(self, index: int) -> Episode:
        episode = self.source.episode(index)
        return replace(episode, **self.change(episode))


def pair(source: Any, change: Callable[[Episode], dict[str, Any]]) -> Pair:
    out: Any = Changed(source, change)
    return Pair(work=source, out=out, cameras=("front", "cross_left"))


def speed(episode: Episode) -> dict[str, Any]:
    changed = np.array(episode.observation["speed"])
    changed[2] += 1e-3
    return {"observation": {**episode.observation, "speed": changed}}


def test_equal_episodes_are_equal(made_data: Any) -> None:
    steps, found = compare(pair(made_data.MadeDrives(), lambda episode: {}), 1)
    assert (steps, found) == (4, Checked(copied=8))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (speed, r"'out', episode 1 \(drive-1\), 'speed': expected to read back .* got array"),
        (lambda e: {"key": "x"}, "key: expected to read back 'drive-1', got 'x'. Delete the fold"),
        (lambda e: {"times_ns": e.times_ns + 1}, "times_ns: expected to read back"),
        (lambda e: {"calibration": {}}, "calibration: expected to read back"),
        (lambda e: {"questions": ()}, "questions: expected to read back"),
        (lambda e: {"tracks": None}, "tracks: expected to read back False, got True"),
        (
            lambda e: {"tracks": replace(e.tracks, pose=e.tracks.pose + 1)},
            r"tracks\.pose: expected to read back",
        ),
        (lambda e: {"observation_valid": {}}, "mask of 'speed': expected to read back"),
        (lambda e: {"action": {}}, r"action: expected to read back \['path'\], got \[\]"),
        (
            lambda e: {"observation": {**e.observation, "instruction": ["stop"] * 4}},
            "instruction: expected to read back",
        ),
        (
            lambda e: {"observation": {**e.observation, "front": [b"x"] * 4}},
            "'front', step 0: expected the image that was converted, got another",
        ),
    ],
)
def test_what_differs_is_named(made_data: Any, change: Any, words: str) -> None:
    with pytest.raises(BadData, match=words):
        compare(pair(made_data.MadeDrives(), change), 1)


def test_a_frame_of_video_may_differ_only_so_far(
    made_data: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from octoverse.preprocess import decode

    def darker(episode: Episode) -> dict[str, Any]:
        frames = [decode(image) // 2 for image in episode.observation["front"]]
        return {"observation": {**episode.observation, "front": frames}}

    with pytest.raises(BadData, match=r"step 0: expected a frame within 20 of 255 .* differs by "):
        compare(pair(made_data.MadeDrives(), darker), 0)
    monkeypatch.setattr(check, "VIDEO_ERROR", 100.0)
    _, found = compare(pair(made_data.MadeDrives(), darker), 0)
    assert found.encoded == 5 and 40 < found.mean_error <= found.largest_error < 100


def test_errors_of_parts_are_weighed_by_their_frames(tmp_path: Path) -> None:
    found = Checked(encoded=1, mean_error=4.0, largest_error=4.0)
    found.merge(Checked(encoded=3, mean_error=8.0, largest_error=9.0))
    assert (found.encoded, found.mean_error, found.largest_error) == (4, 7.0, 9.0)
