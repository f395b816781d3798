from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from octoverse.data.conversion import plan as module
from octoverse.data.conversion.plan import make_plan
from octoverse.errors import BadData


def test_a_plan_has_what_any_episode_has(made_data: Any, tmp_path: Path) -> None:
    found = make_plan(made_data.MadeDrives(), tmp_path / "looked.json")
    assert found.observation == (
        "front", "cross_left", "ego_history", "speed", "command", "instruction",
    )  # fmt: skip
    assert found.masked_observation == ("cross_left", "speed") and found.masked_action == ("path",)
    assert found.sizes == {"front": (24, 32), "cross_left": (24, 32)}
    assert (found.episodes, found.steps, found.lost) == (3, 15, ())


def test_looking_that_was_stopped_goes_on_where_it_was(
    made_data: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SAVE_SECONDS", 0.0)
    keep, sizes = tmp_path / "looked.json", (3, 2) * 20
    with pytest.raises(BadData, match=r"drive-35.bin"):
        make_plan(made_data.MadeDrives(sizes=sizes, broken=35), keep)

    class Rest(made_data.MadeDrives):  # type: ignore[misc]
        def episode(self, index: int) -> Any:
            assert index >= 32, "what was looked at must not be read again"
            return super().episode(index)

    whole = make_plan(made_data.MadeDrives(sizes=sizes), tmp_path / "other.json")
    assert make_plan(Rest(sizes=sizes), keep) == whole
    assert msgspec.json.decode(keep.read_bytes())["after"] == 40


def test_what_was_looked_at_of_another_source_does_not_count(
    made_data: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SAVE_SECONDS", 0.0)
    keep = tmp_path / "looked.json"
    make_plan(made_data.MadeDrives(sizes=(3,) * 20), keep)
    assert make_plan(made_data.MadeDrives(), keep).episodes == 3


def test_images_of_several_sizes_are_refused(made_data: Any, tmp_path: Path) -> None:
    class Mixed(made_data.MadeDrives):  # type: ignore[misc]
        def episode(self, index: int) -> Any:
            return replace(self, height=24 + 8 * index)._plain(index)

        def _plain(self, index: int) -> Any:
            return made_data.MadeDrives.episode(self, index)

    words = r"images of one size from 'front', got JPEG 24 x 32, JPEG 32 x 32, JPEG 40 x 32\. A LeR"
    with pytest.raises(BadData, match=words):
        make_plan(Mixed(), tmp_path / "looked.json")


def test_what_a_folder_cannot_hold_is_named(made_data: Any, tmp_path: Path) -> None:
    class More(made_data.MadeDrives):  # type: ignore[misc]
        def episode(self, index: int) -> Any:
            episode = super().episode(index)
            return replace(episode, observation={**episode.observation, "smell": [1.0]})

    found = make_plan(More(), tmp_path / "looked.json")
    assert found.lost == ("'smell': the body has no such stream",)
    assert "smell" not in found.observation
