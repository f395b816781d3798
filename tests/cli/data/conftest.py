"""A root in which the made-up data set lies, for every data command."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from octoverse import registry
from octoverse.data.lerobot.writer import LeRobotWriter
from octoverse.episode import Episode


@pytest.fixture
def drives(
    tmp_path: Path,
    made_data: Any,
    declare: Callable[[Any], None],
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """The root; made_drives is the only data set that is declared."""
    declare(made_data.MADE_DRIVES)
    (tmp_path / "made/drives").mkdir(parents=True)
    monkeypatch.delenv("OCTOVERSE_DATA", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    return str(tmp_path)


@pytest.fixture
def write_bridge() -> Callable[[Path], Path]:
    """Writes a recording of a WidowX whose arm hardly moves along x."""

    def write(folder: Path) -> Path:
        with LeRobotWriter(folder, registry.load("embodiment", "widowx")) as writer:
            for number in range(2):
                rng = np.random.default_rng(number)
                arm = rng.normal(0, 0.02, (30, 6)).astype(np.float32)
                arm[:, 0] = 0.001
                writer.add(
                    Episode(
                        embodiment="widowx",
                        source="made",
                        key=str(number),
                        times_ns=np.arange(30) * 200_000_000,
                        observation={
                            "primary": rng.integers(0, 256, (30, 12, 16, 3), np.uint8),
                            "tool": rng.normal(size=(30, 7)).astype(np.float32),
                            "instruction": ["lift"] * 30,
                        },
                        action={"arm": arm, "gripper": rng.random((30, 1), np.float32)},
                    )
                )
        return folder

    return write
