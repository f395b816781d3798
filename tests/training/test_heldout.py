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
    both = (found.policy * 4 + gripper.policy) / 5, (found.mean * 4 + gripper.mean) / 5
    assert report.bodies[ARM] == pytest.approx(both, rel=1e-5)
    assert report.groups[2].body == CAR and len(report.groups[2].by_row) == 30


def test_the_report_is_written_for_people_and_for_programs(
    small: ModuleType, tmp_path: Path
) -> None:
    report = held_out_report(small.policy(), sources(small, small.Made(sizes=(5,))), tmp_path)
    stored = json.loads((tmp_path / "held_out.json").read_bytes())
    assert stored["groups"][0]["policy"] == pytest.approx(report.groups[0].policy)
    assert stored["bodies"][ARM] == pytest.approx(list(report.bodies[ARM]))
    table = (tmp_path / "held_out.md").read_text()
    assert f"| {ARM} | arm | 4 | {report.groups[0].by_row[3]:.3f} |" in table
    assert f"| {ARM} | all | all | {report.bodies[ARM][0]:.3f} |" in table
    console = Console(width=120)
    with console.capture() as caught:
        console.print(report.table())
    assert f"{report.bodies[ARM][0]:.3f}" in caught.get()


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
