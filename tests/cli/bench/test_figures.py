import numpy as np
import pytest
from rich.console import Console

from octoverse.cli.bench.figures import Figures
from octoverse.cli.bench.load import LOST, Outcome


def answer(client: int, total_ms: float, batch: int = 1) -> Outcome:
    return Outcome(
        client,
        "",
        total_ms=total_ms,
        server_ms=total_ms / 2,
        prepared_ms=1.0,
        queued_ms=2.0,
        inference_ms=total_ms / 4,
        batch=batch,
        sent=1_000_000,
        received=500,
    )


def shown(figures: Figures, elapsed: float = 2.0) -> list[str]:
    console = Console(width=80)
    with console.capture() as captured:
        console.print(figures.draw(elapsed))
    return [line.rstrip() for line in captured.get().splitlines()]


def test_rates_times_and_bytes_are_of_the_answers() -> None:
    figures = Figures(2, "a model")
    figures.add([answer(0, float(ms)) for ms in range(1, 101)])
    figures.add([])
    found = figures.percentiles()
    assert found["round trip"] == pytest.approx(np.percentile(np.arange(1, 101), (50, 95, 99)))
    assert found["server"] == pytest.approx([value / 2 for value in found["round trip"]])
    assert found["way there and back, client"] == pytest.approx(found["server"])
    assert found["  queued"] == (2.0, 2.0, 2.0)
    lines = shown(figures)
    assert lines[0] == "a model"
    assert any(line.split() == ["round", "trip", "50.50", "95.05", "99.01"] for line in lines)
    assert "100 answers in 2.0 s: 50.0 requests/s" in lines
    assert "arrays: 50.00 MB/s there, 0.03 MB/s back" in lines


def test_what_was_not_answered_is_counted_by_its_code() -> None:
    figures = Figures(1, "")
    figures.add([Outcome(0, "overloaded"), Outcome(0, LOST), Outcome(0, LOST), answer(0, 1.0)])
    assert "not answered: 1 overloaded, 0 stale, 2 lost" in shown(figures)
    figures.add([Outcome(0, "policy_failed")])
    assert "not answered: 1 overloaded, 0 stale, 2 lost, 1 policy_failed" in shown(figures)
    assert figures.answered == 1


def test_fairness_counts_clients_that_got_nothing() -> None:
    figures = Figures(4, "")
    figures.add([answer(client, 1.0) for client in (0, 0, 0, 1, 1, 1, 2, 2)])
    assert figures.shares() == (0.0, 1.5)
    figures.add([answer(3, 1.0, batch=4)] * 4)
    assert figures.shares() == (2 / 3, 4 / 3)
    lines = shown(figures)
    assert "of a fair share: the slowest client 0.67, the fastest 1.33" in lines
    assert "batches: 2.0 requests as one sees it, at most 4" in lines


def test_before_the_first_answer_there_is_nothing_to_tell() -> None:
    figures = Figures(2, "")
    assert all(np.isnan(values).all() for values in figures.percentiles().values())
    assert np.isnan(figures.shares()).all()
    lines = shown(figures, 0.0)
    assert "0 answers in 0.0 s: 0.0 requests/s" in lines
    assert not any("share" in line or "batches" in line for line in lines)
