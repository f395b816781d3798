from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from octoverse import registry
from octoverse.data.doctor import runner
from octoverse.data.doctor.finding import Finding
from octoverse.data.doctor.runner import examine
from octoverse.errors import BadData


@pytest.mark.parametrize("body", registry.names("embodiment"))
def test_a_clean_recording_of_any_body_has_no_fault(
    body: str, make: Callable[..., Any], told: Callable[..., Any]
) -> None:
    assert told(make(body)) == []


def test_a_data_set_without_episodes_cannot_be_examined(make: Callable[..., Any]) -> None:
    with pytest.raises(BadData, match="'made': the data set has no episode"):
        examine(type(make("rc_car"))(episodes=[]))


def test_what_a_check_cannot_read_is_a_fault_of_its_own(
    make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(recording: object) -> list[Finding]:
        raise BadData("meta/info.json: expected this file. Fetch it again.")

    monkeypatch.setattr(runner, "CHECKS", (lost, *runner.CHECKS))
    report = examine(make("rc_car"))
    assert report.exit_code == 1 and report.findings[0].check == "lost"
    assert report.findings[0].message.startswith("meta/info.json: expected this file")
    assert any(finding.check == "units" for finding in report.findings)


def test_an_episode_that_cannot_be_read_is_named_and_the_others_are_looked_at(
    make: Callable[..., Any],
) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Torn(type(make("rc_car"))):  # type: ignore[misc]
        def episode(self, index: int) -> Any:
            if index == 3:
                raise BadData("drives.tfrecord, record at byte 80: its checksum is wrong.")
            return self.episodes[index]

    report = examine(Torn(episodes=make("rc_car").episodes), against=[make("rc_car", seed=9)])
    faults = [(f.check, f.where) for f in report.findings if f.severity == "fault"]
    assert faults == [("readable", "episode 3")]
    assert "record at byte 80" in report.findings[0].message
    assert report.looked.episodes == 5 and report.looked.of_episodes == 6
