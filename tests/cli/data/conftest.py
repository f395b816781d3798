"""A root in which the made-up data set lies, for every data command."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


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
