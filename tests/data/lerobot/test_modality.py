import json
from pathlib import Path

import pytest

from octoverse.data.lerobot.format import Part
from octoverse.data.lerobot.modality import modality_of
from octoverse.errors import BadData


def test_names_are_slices_of_features(tmp_path: Path) -> None:
    (tmp_path / "meta").mkdir()
    told = {
        "state": {"arm": {"start": 0, "end": 7, "absolute": True}},
        "action": {"hand": {"start": 7, "end": 8, "original_key": "action.hands"}},
        "video": {"ego": {"original_key": "observation.images.ego_view"}, "top": {}},
        "annotation": {"human.validity": {}},
    }
    (tmp_path / "meta/modality.json").write_text(json.dumps(told))
    assert modality_of(tmp_path) == {
        "state.arm": Part(feature="observation.state", start=0, stop=7),
        "action.hand": Part(feature="action.hands", start=7, stop=8),
        "video.ego": Part(feature="observation.images.ego_view"),
        "video.top": Part(feature="observation.images.top"),
        "annotation.human.validity": Part(feature="annotation.human.validity"),
    }


def test_a_folder_without_it_has_no_such_names(tmp_path: Path) -> None:
    assert modality_of(tmp_path) == {}
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta/modality.json").write_text("[]")
    with pytest.raises(BadData, match=r"modality\.json: expected LeRobot metadata, got"):
        modality_of(tmp_path)
