import numpy as np
import pytest

from octoverse.data.windows import StackedWindows, WindowSpec
from octoverse.episode import Observation, Window
from octoverse.preprocess import Preprocess, PreprocessConfig
from octoverse.registry import load

ARM = load("embodiment", "tabletop_arm")
SMALL = Preprocess(PreprocessConfig(height=8, width=8))


def window(number: int) -> Window:
    return Window(
        observation=Observation(
            embodiment="tabletop_arm",
            streams={"tool": np.full((1, 5), number), "instruction": f"word {number}"},
            valid={"tool": np.ones(1, bool), "instruction": np.ones(1, bool)},
            seed=number,
        ),
        action={"arm": np.full((8, 4), number)},
        action_valid={"arm": np.ones(8, bool)},
    )


def test_windows_stack() -> None:
    batch = StackedWindows.from_windows([window(0), window(4)])
    assert len(batch) == 2
    assert batch.streams["tool"].shape == (2, 1, 5)
    assert batch.streams["instruction"] == ["word 0", "word 4"]
    assert batch.action["arm"].shape == (2, 8, 4) and batch.seeds.tolist() == [0, 4]


def test_room_for_samples_has_the_shapes_of_samples_and_says_its_size() -> None:
    spec = WindowSpec(frames=2, horizon=4, horizons={"gripper": 2})
    room = StackedWindows.empty(ARM, spec, SMALL, 3)
    assert room.streams["table"].shape == (3, 2, 8, 8, 3) and room.streams["table"].dtype == "u1"
    assert room.streams["instruction"] == [""] * 3
    assert room.action["gripper"].shape == (3, 2, 1) and not room.action_valid["arm"].any()
    whole = sum(
        array.nbytes
        for part in (room.streams, room.valid, room.action, room.action_valid, room.hidden)
        for array in part.values()
        if isinstance(array, np.ndarray)
    )
    assert whole + 24 <= room.nbytes < whole + 24 + 64 * 16


def test_mapping_changes_every_array_and_no_word() -> None:
    doubled = StackedWindows.from_windows([window(3)]).mapped(lambda array: array * 2)
    assert (doubled.streams["tool"] == 6).all() and doubled.streams["instruction"] == ["word 3"]
    assert (doubled.action["arm"] == 6).all() and doubled.seeds.tolist() == [6]


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="must be at least 1"):
        WindowSpec(frames=0)
    with pytest.raises(ValueError, match="spacing must be above 0 control steps, got 0"):
        WindowSpec(spacing=0)
    with pytest.raises(ValueError, match="must be at least 1"):
        WindowSpec(horizons={"arm": 0})
    with pytest.raises(ValueError, match="Expected windows of one body, got none"):
        StackedWindows.from_windows([])
