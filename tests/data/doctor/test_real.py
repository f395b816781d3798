"""Every real recording: the exact faults and suspicions that the doctor tells of it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from octoverse.data.dataset import open_data
from octoverse.data.doctor.finding import Finding
from octoverse.data.doctor.runner import examine


@pytest.fixture
def report(real_data: Callable[[str], Path]) -> Callable[..., tuple[Finding, ...]]:
    """Examines a declared data set: what the doctor finds."""

    def report(name: str, folder: str, *against: str, below: str = "") -> tuple[Finding, ...]:
        root = str(real_data(folder) / below if below else real_data(folder).parent)
        others = [open_data(name, root, split) for split in against]
        return examine(open_data(name, root), against=others).findings

    return report


def grave(findings: tuple[Finding, ...]) -> list[tuple[str, str, str]]:
    wanted = [f for f in findings if f.severity in ("fault", "suspicion")]
    return sorted((f.check, f.severity, f.where) for f in wanted)


def said(findings: tuple[Finding, ...], check: str, severity: str) -> str:
    return " ".join(f.message for f in findings if (f.check, f.severity) == (check, severity))


def test_bridge(report: Callable[..., tuple[Finding, ...]]) -> None:
    found = report("oxe/bridge_dataset", "bridge-octo-debug", "val", below=".")
    assert grave(found) == [("coverage", "suspicion", "")]
    assert "All 15 episodes have exactly 10 steps" in said(found, "coverage", "suspicion")
    assert "in 10 of 10 events" in said(found, "gripper", "information")
    assert "moves 0.82 to 1.03 for 1 commanded" in said(found, "units", "information")
    assert "in the robot's base frame" in said(found, "frame", "information")
    assert "times are nominal" in said(found, "clock", "cannot be told")
    assert "None of 15 episodes here is among 5" in said(found, "copies", "information")
