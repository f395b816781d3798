"""GR00T's modality.json: names for slices of LeRobot's features.

Source: NVIDIA/Isaac-GR00T, getting_started/LeRobot_compatible_data_schema.md.
"""

from pathlib import Path

import msgspec

from octoverse.data.lerobot import format as form
from octoverse.data.lerobot.metadata import read_json

MODALITY = "meta/modality.json"


class _Slice(msgspec.Struct):
    start: int | None = None
    end: int | None = None
    original_key: str | None = None


class _Modality(msgspec.Struct):
    state: dict[str, _Slice] = {}
    action: dict[str, _Slice] = {}
    video: dict[str, _Slice] = {}
    annotation: dict[str, _Slice] = {}


def modality_of(folder: Path) -> dict[str, form.Part]:
    """Where each of its names lies, such as state.left_arm; empty where the folder has none."""
    path = folder / MODALITY
    if not path.exists():
        return {}
    found: _Modality = read_json(path, _Modality)
    names: dict[str, form.Part] = {}
    for side, slices in (
        ("state", found.state),
        ("action", found.action),
        ("video", found.video),
        ("annotation", found.annotation),
    ):
        for name, one in slices.items():
            own = {
                "state": form.STATE,
                "action": form.ACTION,
                "video": f"observation.images.{name}",
                "annotation": f"annotation.{name}",
            }[side]
            names[f"{side}.{name}"] = form.Part(
                feature=one.original_key or own, start=one.start, stop=one.end
            )
    return names
