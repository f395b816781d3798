import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from octoverse.cli import demo as command
from octoverse.cli.demo import _where, demo, quick_label, shipped
from octoverse.errors import BadConfig, BadData, OctoverseError
from octoverse.evaluation.results import RowResult

ROWS = ["arm/reach", "arm/lift", "arm/choose", "car/lane"]
STORED = '{"arm/lift": {"success": 0.97, "episodes": 100, "low": 0.915, "high": 0.99}}'


@pytest.fixture
def with_table(small_checkpoint: Path, tmp_path: Path) -> Path:
    """The checkpoint with a stored table beside its weights."""
    folder = tmp_path / "weights"
    shutil.copytree(small_checkpoint, folder)
    (folder / "results.json").write_text(STORED)
    return folder


@pytest.mark.sim
def test_the_demo_plays_every_row_and_writes_what_it_saw(
    with_table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    demo(checkpoint=with_table, episodes=1, out=out, robots=2)
    rows = json.loads((out / "results.json").read_text())
    assert list(rows) == ROWS
    for row in rows.values():
        assert row["episodes"] == 1 and row["success"] in (0.0, 1.0)
        assert 0 <= row["low"] <= row["success"] <= row["high"] <= 1
        assert row["model"].startswith("untrained-") and row["seeds"] == [0, 0]
        assert (row["expert"], row["random"]) == (1.0, 0.0)
    assert rows["car/lane"]["ade"] > 0 and rows["car/lane"]["ade_constant_velocity"] > 0
    page = (out / "report.html").read_text()
    assert len(re.findall("<video", page)) == 4 and not re.search("https?:", page)
    assert "1 episodes per row, a quick look; the stored table has 100" in page
    assert "<h2>The stored table</h2>" in page and "97%" in page
    assert rows["arm/lift"]["model"] in page and rows["arm/lift"]["fingerprint"] in page
    picture = np.asarray(Image.open(out / "picture.png"))
    assert picture.shape == (400, 1288, 3)
    assert picture[:, :640].std() > 10 and picture[:, 648:].std() > 10
    said = capsys.readouterr().out
    assert all(row in said for row in ROWS)
    assert "What to try next" in said and f"octoverse serve {with_table}" in said


def test_the_label_says_how_much_a_quick_look_is_worth() -> None:
    row = RowResult(success=1, episodes=100, low=0.96, high=1)
    assert (
        quick_label(10, {"arm/lift": row})
        == "10 episodes per row, a quick look; the stored table has 100"
    )
    assert quick_label(10, {}).endswith("octoverse demo --full plays 100")
    assert quick_label(100, {}) == "100 episodes per row"


def test_full_plays_a_hundred_and_train_makes_the_weights_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, small_checkpoint: Path
) -> None:
    made: list[object] = []

    def evaluation(specs: object, episodes: int) -> None:
        made.append(episodes)
        raise OctoverseError("enough")

    def train(**settings: object) -> None:
        made.append(settings)

    monkeypatch.setattr(command, "Evaluation", evaluation)
    monkeypatch.setattr("octoverse.cli.train.train", train)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(small_checkpoint, "runs/demo")
    with pytest.raises(OctoverseError, match="enough"):
        demo(train=True, full=True, robots=1)
    assert made == [{"recipe": "demo", "out": Path("runs/demo")}, 100]


def test_settings_that_cannot_be_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="must be at least 1, got 0 and 4"):
        demo(episodes=0)
    with pytest.raises(BadConfig, match="either --train or --checkpoint, got both"):
        demo(train=True, checkpoint=tmp_path)


def test_an_installation_without_weights_says_how_to_get_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(command, "files", lambda package: tmp_path)
    with pytest.raises(BadConfig, match=r"weights, found none. Make them with: octoverse demo"):
        shipped()
    (tmp_path / "weights/demo").mkdir(parents=True)
    (tmp_path / "weights/demo/config.json").touch()
    assert shipped() == tmp_path / "weights/demo"


def test_a_folder_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OctoverseError, match=r"expected a checkpoint .* found neither"):
        demo(checkpoint=tmp_path)


def test_a_stored_table_that_is_damaged_is_refused(with_table: Path) -> None:
    (with_table / "results.json").write_text("[]")
    with pytest.raises(BadData, match=r"results.json: expected results"):
        demo(checkpoint=with_table, robots=1)


def test_a_shell_that_does_not_know_the_command_is_told_how_to_find_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert _where().startswith(" (after: source ") and _where().endswith("/bin/activate)")
    (tmp_path / "octoverse").touch(mode=0o755)
    assert _where() == ""
