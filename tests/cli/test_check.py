import re
from typing import Any

import numpy as np
import pytest

from octoverse import registry
from octoverse.cli import check
from octoverse.cli.check import check_body, random_statistics
from octoverse.cli.main import run
from octoverse.embodiment import Embodiment, State
from octoverse.errors import OctoverseError, SpecMismatch
from octoverse.synthetic import random_frame

ARM: Embodiment = registry.load("embodiment", "tabletop_arm")


@pytest.mark.parametrize("name", registry.names("embodiment"))
def test_every_body_acts_and_learns(name: str) -> None:
    body: Embodiment = registry.load("embodiment", name)
    found = check_body(body)
    assert set(found.rows) == set(body.action)
    made = [group for part in found.parts if part.kind == "readout" for group in part.uses]
    assert sorted(made) == sorted(body.action)
    read = {stream for part in found.parts if part.kind == "tokenizer" for stream in part.uses}
    assert read | set(found.unread) == set(body.observation)
    assert np.isfinite(found.loss) and found.loss > 0
    assert found.parameters >= found.trunk_parameters + max(p.parameters for p in found.parts)


def test_it_says_which_bodies_name_the_same_key() -> None:
    shared = {part.key: part.shared_with for part in check_body(ARM).parts}
    assert any("widowx" in others for others in shared.values())
    assert not any("tabletop_arm" in others for others in shared.values())


def test_the_table_has_a_row_for_every_part(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["embodiments", "check", "tabletop_arm"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for part in check_body(ARM).parts:
        assert f"│ {part.kind} │ {part.key} │" in shown
        assert f"{part.parameters:,}" in shown
    assert "tabletop_arm: 4 streams in, a chunk of arm, gripper out; loss of random" in shown


def test_a_stream_that_nothing_reads_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    unread = check_body(registry.load("embodiment", "passenger_car")).unread
    assert run(["embodiments", "check", "passenger_car"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert all(re.search(rf"No tokenizer reads: .*\b{name}\b", shown) for name in unread)


def test_a_loss_that_is_not_finite_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from octoverse.policy import Losses, Policy

    def broken(self: Policy, batches: Any) -> Losses:
        return Losses(next(self.parameters()).sum() * float("nan"), {})

    monkeypatch.setattr(Policy, "loss", broken)
    words = "The loss of 'tabletop_arm' is nan, expected a finite one."
    with pytest.raises(OctoverseError, match=re.escape(words)):
        check_body(ARM)


def test_a_frame_that_does_not_fit_is_told_before_the_policy_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frame = random_frame(ARM, np.random.default_rng(0))
    monkeypatch.setattr(check, "random_frame", lambda body, rng: {**frame, "tool": np.zeros(9)})
    with pytest.raises(SpecMismatch, match=r"tabletop_arm.tool: expected shape \(5,\)"):
        check_body(ARM)


def test_statistics_cover_every_number() -> None:
    found = random_statistics(ARM, np.random.default_rng(0))
    assert set(found.action) == set(ARM.action)
    for name, stream in ARM.observation.items():
        if isinstance(stream, State):
            assert len(found.observation[name].mean) == stream.size
