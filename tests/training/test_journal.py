import json
from pathlib import Path
from types import ModuleType

import pytest

from octoverse.data.weighted import Skipped
from octoverse.training.config import TrainingConfig
from octoverse.training.journal import Journal, plot_losses

CONFIG = TrainingConfig(steps=10, log_every=4, batch_size=2, warmup_steps=0)


def write(folder: Path, steps: range, config: TrainingConfig = CONFIG) -> None:
    with Journal(folder, config, steps.start - 1, quiet=True) as journal:
        for step in steps:
            journal.log(step, 0.1 * step, {"arm/hand": float(step), "car/path": 1.0})


def lines(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "losses.jsonl").read_text().splitlines()]


def test_means_of_some_steps_are_written_and_the_last_ones_too(tmp_path: Path) -> None:
    write(tmp_path, range(1, 11))
    found = lines(tmp_path)
    assert [line["step"] for line in found] == [4, 8, 10]
    assert [line["losses"]["arm/hand"] for line in found] == [2.5, 6.5, 9.5]  # type: ignore[index]
    assert found[1]["rate"] == pytest.approx(0.8)
    assert all(line["samples_per_second"] > 0 for line in found)  # type: ignore[operator]
    assert (tmp_path / "losses.png").read_bytes().startswith(b"\x89PNG")
    assert list((tmp_path / "tensorboard").glob("events.*"))


def test_a_body_that_was_not_in_every_step_is_averaged_over_its_own(tmp_path: Path) -> None:
    with Journal(tmp_path, CONFIG, 0, quiet=True) as journal:
        for step, parts in enumerate([{"a": 1.0}, {"b": 8.0}, {"a": 3.0}, {"a": 5.0}], 1):
            journal.log(step, 0.1, parts)
    assert lines(tmp_path)[0]["losses"] == {"a": 3.0, "b": 8.0}


def test_steps_that_are_taken_again_are_forgotten_first(tmp_path: Path) -> None:
    write(tmp_path, range(1, 10))
    write(tmp_path, range(5, 11))
    assert [line["step"] for line in lines(tmp_path)] == [4, 8, 10]


def test_a_line_cut_short_by_a_kill_is_dropped(tmp_path: Path) -> None:
    write(tmp_path, range(1, 9))
    with (tmp_path / "losses.jsonl").open("a") as file:
        file.write('{"step": 10, "los')
    write(tmp_path, range(9, 11))
    assert [line["step"] for line in lines(tmp_path)] == [4, 8, 10]


def test_data_that_are_left_out_are_named_once_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = Skipped(source="tub", episode=3, message="the image is torn")
    whole = Skipped(source="log", episode=None, message="no such folder")
    with Journal(tmp_path, CONFIG, 0, quiet=False) as journal:
        journal.leave_out({})
        journal.leave_out({one: 1})
        journal.leave_out({one: 2, whole: 1})
    shown = " ".join(capsys.readouterr().out.split())
    assert shown.count("'tub', episode 3 left out: the image is torn") == 1
    assert shown.count("'log', left out: no such folder") == 1
    told = json.loads((tmp_path / "skipped.json").read_text())
    assert [(entry["source"], entry["episode"], entry["times"]) for entry in told] == [
        ("tub", 3, 2),
        ("log", None, 1),
    ]


def test_nothing_to_plot_is_no_error(tmp_path: Path) -> None:
    write(tmp_path, range(1, 5))
    with Journal(tmp_path, CONFIG, 2, quiet=True):
        pass
    assert lines(tmp_path) == []


def test_the_plot_is_made_even_if_the_run_ends_badly(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), Journal(tmp_path, CONFIG, 0, quiet=True) as journal:
        for step in range(1, 6):
            journal.log(step, 0.1, {"a": 1.0 / step})
        raise RuntimeError("stopped")
    (tmp_path / "losses.png").unlink()
    plot_losses(tmp_path / "losses.jsonl", tmp_path / "losses.png")
    assert (tmp_path / "losses.png").stat().st_size > 5000


def test_progress_is_shown_with_losses_and_speed(
    small: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Journal(tmp_path, CONFIG, 0, quiet=False) as journal:
        for step in range(1, 11):
            journal.log(step, 0.1, {"arm/hand": 0.25})
    shown = capsys.readouterr().out
    assert "10/10" in shown and "arm 0.2500" in shown and "samples/s" in shown
