from collections.abc import Callable
from typing import Any

import numpy as np

from octoverse.data.doctor.printing import lines, verdict
from octoverse.data.doctor.runner import examine

Fixture = Callable[..., Any]


def test_a_report_says_what_was_looked_at_then_faults_first(
    make: Fixture, changed: Fixture
) -> None:
    black = changed("observation", "secondary", np.zeros_like)
    said = list(lines(examine(make("widowx", change=black))))
    assert said[0] == "made, episodes of 'widowx'."
    assert said[1].startswith("Looked at 6 of 6 episodes, 405 of 405 steps and 288 images, for: ")
    assert said[3] == "FAULT"
    assert said[4] == "- [cameras] secondary: All of 48 images looked at are black."
    assert said[5] == "    measured: black 48, images 48"
    assert said[6] == "    cure: Declare the camera absent where it saw nothing."
    assert said.index("FAULT") < said.index("FOR INFORMATION")


def test_a_verdict_counts(make: Fixture, changed: Fixture) -> None:
    black = changed("observation", "secondary", np.zeros_like)
    assert "made: 1 fault, no suspicions; " in verdict(examine(make("widowx", change=black)))
    clean = verdict(examine(make("rc_car")))
    assert clean == "made: no faults, no suspicions; 1 thing cannot be told from the data."
