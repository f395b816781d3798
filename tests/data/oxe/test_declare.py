import pickle
import re
from pathlib import Path

import pytest

from octoverse import registry
from octoverse.data.dataset import DataSet
from octoverse.embodiment import Embodiment, Instruction

PAGE = Path(__file__).parents[3] / "docs/rlds.md"
NAMES = [name for name in registry.names("dataset") if name.startswith("oxe/")]


@pytest.mark.parametrize("name", NAMES)
def test_a_declaration_fits_its_name_and_its_body(name: str) -> None:
    declared: DataSet = registry.load("dataset", name)
    assert declared.name == name and declared.about
    assert re.fullmatch(rf"{name.removeprefix('oxe/')}/\d+\.\d+\.\d+", declared.folder)
    standard = declared.standard
    assert standard is not None and standard.embodiment == declared.embodiment
    body: Embodiment = registry.load("embodiment", declared.embodiment)
    assert set(standard.observation) <= set(body.observation)
    assert set(standard.action) == set(body.action)
    for stream in standard.instruction:
        assert isinstance(body.observation[stream], Instruction)


@pytest.mark.parametrize("name", NAMES)
def test_what_a_declaration_opens_goes_to_worker_processes(name: str) -> None:
    declared: DataSet = registry.load("dataset", name)
    source = pickle.loads(pickle.dumps(declared.open_split("/nowhere")))
    assert source.embodiment == declared.embodiment


def test_the_page_lists_every_data_set_with_its_body() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \| \S", PAGE.read_text(), re.MULTILINE)
    assert dict(rows) == {
        name.removeprefix("oxe/"): registry.load("dataset", name).embodiment for name in NAMES
    }
