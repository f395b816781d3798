import json
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import numpy as np
import pytest
from rich.console import Console

from octoverse.data.weighted import Weighted
from octoverse.episode import Episode, Observation
from octoverse.errors import BadData
from octoverse.training import heldout
from octoverse.training.heldout import held_out_report

ARM, CAR = "tabletop_arm", "road_car"


def sources(small: ModuleType, *made: Any) -> list[Weighted]:
    return [Weighted(source=source) for source in made]


def test_errors_are_those_of_a_slow_computation_step_by_step(
    small: ModuleType, tmp_path: Path
) -> None:
    policy = small.policy()
    arm, car = small.Made(sizes=(3, 5)), small.Made(embodiment=CAR, sizes=(2,))
    report = held_out_report(policy, sources(small, arm, car), tmp_path)
    spec = policy.body_statistics[ARM].action["arm"]
    errors: list[list[float]] = [[] for _ in range(small.HORIZON)]
    means: list[float] = []
    for index in range(2):
        episode = arm.episode(index)
        for step in range(len(episode)):
            seen = Observation(
                embodiment=ARM,
                streams={
                    k: v[step] if k == "instruction" else v[step : step + 1]
                    for k, v in episode.observation.items()
                },
                valid={k: np.ones(1, bool) for k in episode.observation},
                step=step,
            )
            [chunk] = policy.act([seen])
            for row in range(small.HORIZON):
                if step + row < len(episode):
                    actual = episode.action["arm"][step + row]
                    for i in range(4):
                        gap = abs(chunk.action["arm"][row, i] - actual[i])
                        errors[row].append(gap / spec.std[i])
                        means.append(abs(spec.mean[i] - actual[i]) / spec.std[i])
    found = report.groups[0]
    assert (found.body, found.group, found.samples) == (ARM, "arm", 8)
    assert found.policy == pytest.approx(np.mean([e for row in errors for e in row]), rel=1e-5)
    assert found.mean == pytest.approx(np.mean(means), rel=1e-5)
    assert found.by_row == pytest.approx([np.mean(row) for row in errors], rel=1e-5)
    gripper = report.groups[1]
    both = report.of(ARM, "training mean")
    assert both.policy == pytest.approx((found.policy * 4 + gripper.policy) / 5, rel=1e-5)
    assert both.simple == pytest.approx((found.mean * 4 + gripper.mean) / 5, rel=1e-5)
    assert report.groups[2].body == CAR and len(report.groups[2].by_row) == 30


def test_simple_predictions_are_judged_on_the_same_numbers_as_the_policy(
    small: ModuleType, tmp_path: Path
) -> None:
    policy = small.policy()
    arm, car = small.Made(sizes=(3,)), small.Made(embodiment=CAR, sizes=(2,))
    report = held_out_report(policy, sources(small, arm, car), tmp_path)
    again = report.of(ARM, "last action")
    episode, errors = arm.episode(0), []
    for step in (1, 2):
        for row in range(step, 3):
            for group, known in policy.body_statistics[ARM].action.items():
                before, actual = episode.action[group][step - 1], episode.action[group][row]
                errors += (abs(before - actual) / np.array(known.std)).tolist()
    assert again.simple == pytest.approx(np.mean(errors), rel=1e-5)
    assert (again.samples, again.seconds) == (2, 0.4)
    straight = report.of(CAR, "constant velocity")
    assert (straight.samples, straight.seconds) == (2, 3.0)
    assert [c.against for c in report.comparisons if c.body == CAR] == [
        "training mean",
        "constant velocity",
    ]


def test_a_simple_prediction_that_is_never_there_is_absent(
    small: ModuleType, tmp_path: Path
) -> None:
    report = held_out_report(small.policy(), sources(small, small.Made(sizes=(1, 1))), tmp_path)
    assert [one.against for one in report.comparisons] == ["training mean"]


def test_data_sets_of_one_body_are_told_apart_and_what_was_trained_on_is_marked(
    small: ModuleType, tmp_path: Path
) -> None:
    kept, seen = small.Made(sizes=(5,)), small.Made(name="seen", sizes=(4,))
    report = held_out_report(
        small.policy(), sources(small, kept), tmp_path, seen=sources(small, seen)
    )
    found = [(one.data, one.seen, one.samples) for one in report.groups]
    assert found == [("made", False, 5)] * 2 + [("seen", True, 4)] * 2
    assert "| seen (trained on) | 4 |" in (tmp_path / "held_out.md").read_text()


def test_every_step_counts_once_however_many_are_answered_at_a_time(
    small: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = sources(small, small.Made(sizes=(5, 2)))
    whole = held_out_report(small.policy(), made, tmp_path)
    monkeypatch.setattr(heldout, "_BATCH", 2)
    parts = held_out_report(small.policy(), made, tmp_path)
    assert [one.samples for one in parts.groups] == [7, 7]
    for one, other in zip(parts.comparisons, whole.comparisons, strict=True):
        assert one.policy == pytest.approx(other.policy, rel=1e-4)
        assert one.simple == pytest.approx(other.simple)


def test_the_report_is_written_for_people_and_for_programs(
    small: ModuleType, tmp_path: Path
) -> None:
    report = held_out_report(small.policy(), sources(small, small.Made(sizes=(5,))), tmp_path)
    stored = json.loads((tmp_path / "held_out.json").read_bytes())
    both = report.of(ARM, "training mean")
    assert stored["groups"][0]["policy"] == pytest.approx(report.groups[0].policy)
    assert stored["comparisons"][0]["simple"] == pytest.approx(both.simple)
    table = (tmp_path / "held_out.md").read_text()
    assert f"| {ARM} | made | arm | 4 | {report.groups[0].by_row[3]:.3f} |" in table
    assert f"| {ARM} | made | 5 | 0.4 s | {both.policy:.3f} | {both.simple:.3f} |" in table
    console = Console(width=120)
    with console.capture() as caught:
        console.print(report.table())
    assert f"{both.policy:.3f}" in caught.get()


def test_a_row_without_data_has_no_error_and_counts_for_nothing(
    small: ModuleType, tmp_path: Path
) -> None:
    report = held_out_report(small.policy(), sources(small, small.Made(sizes=(1, 1))), tmp_path)
    found = report.groups[0]
    assert np.isnan(found.by_row[1:]).all() and np.isnan(found.mean_by_row[1:]).all()
    assert found.policy == pytest.approx(found.by_row[0])
    assert json.loads((tmp_path / "held_out.json").read_bytes())["groups"][0]["by_row"][1] is None


def test_a_number_that_never_changes_in_training_counts_as_it_is(
    small: ModuleType, tmp_path: Path
) -> None:
    policy = small.policy()
    known = policy.body_statistics[ARM]
    grip = msgspec.structs.replace(known.action["gripper"], std=(0.0,), mean=(1.0,))
    policy.body_statistics[ARM] = msgspec.structs.replace(
        known, action={**known.action, "gripper": grip}
    )
    arm = small.Made(sizes=(6,))
    report = held_out_report(policy, sources(small, arm), tmp_path)
    actual = arm.episode(0).action["gripper"][:, 0]
    rows = [abs(1 - a) for step in range(6) for a in actual[step : step + 4]]
    assert report.groups[1].mean == pytest.approx(np.mean(rows), rel=1e-5)


def test_nothing_held_out_is_an_error(small: ModuleType, tmp_path: Path) -> None:
    words = "expected held-out data of 'tabletop_arm', found none in made. Hold out more, or not"
    with pytest.raises(BadData, match=words):
        held_out_report(small.policy(), sources(small, small.Made(sizes=())), tmp_path)


def test_an_action_without_any_valid_number_is_an_error(small: ModuleType, tmp_path: Path) -> None:
    made = small.Made(sizes=(3,))

    @dataclass(frozen=True, kw_only=True)
    class Handless:
        name: str = "handless"
        embodiment: str = ARM

        def __len__(self) -> int:
            return 1

        def episode(self, index: int) -> Episode:
            episode: Episode = made.episode(index)
            return replace(episode, action={"arm": episode.action["arm"]})

    words = "expected held-out actions 'gripper' of 'tabletop_arm' that are valid, found none in ha"
    with pytest.raises(BadData, match=words):
        held_out_report(small.policy(), sources(small, Handless()), tmp_path)
