import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.errors import RemoteError
from octoverse.servers.client import Client
from octoverse.servers.histogram import Histogram
from octoverse.servers.metrics import resident_bytes, text
from octoverse.servers.status import ServerStatus
from octoverse.synthetic import random_frame


def families(status: ServerStatus, **more: Any) -> dict[str, Any]:
    """Metrics as Prometheus' own parser reads them, by name."""
    from prometheus_client.parser import text_string_to_metric_families

    return {family.name: family for family in text_string_to_metric_families(text(status, **more))}


def values(
    status: ServerStatus, **more: Any
) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sample.labels.items())): sample.value
        for family in families(status, **more).values()
        for sample in family.samples
    }


def test_every_line_parses_and_every_metric_says_what_it_is(figures: ServerStatus) -> None:
    found = families(figures)
    lines = [line for line in text(figures).splitlines() if not line.startswith("#")]
    assert len(lines) == sum(len(family.samples) for family in found.values())
    for name, family in found.items():
        assert family.documentation.endswith(".") and family.type != "unknown", name
        assert name.startswith(("octoverse_", "process_"))
    counters = {name for name, family in found.items() if family.type == "counter"}
    assert {sample.name for name in counters for sample in found[name].samples} == {
        f"{name}_total" for name in counters
    }


def test_figures_are_those_of_the_status(figures: ServerStatus) -> None:
    told = values(replace(figures, faults={"stale": 4, "of another server": 2}), log_lines_lost=7)
    assert told["octoverse_faults_total", (("code", "stale"),)] == 4
    assert told["octoverse_faults_total", (("code", "overloaded"),)] == 0
    assert told["octoverse_faults_total", (("code", "of another server"),)] == 2
    assert told["octoverse_robots", (("body", "tabletop_arm"),)] == 1
    assert told["octoverse_robots", (("body", "road_car"),)] == 0
    assert told["octoverse_requests_total", ()] == 3
    assert told["octoverse_log_lines_lost_total", ()] == 7
    assert told["octoverse_healthy", ()] == 1
    assert values(replace(figures, healthy=False))["octoverse_healthy", ()] == 0


def test_every_count_of_the_status_is_told(figures: ServerStatus) -> None:
    names = ("unsent", "connections", "cut", "reloads", "reload_failures", "hung", "queue")
    counts = {name: 1000 + i for i, name in enumerate(names)}
    told = set(values(replace(figures, **counts)).values())  # type: ignore[arg-type]
    assert set(counts.values()) <= told


def test_a_histogram_is_cumulative_and_ends_with_all(figures: ServerStatus) -> None:
    total = Histogram([0.001, 2.5])
    for value in (0.0005, 0.001, 1.0, 7.0):
        total.add(value)
    told = values(replace(figures, timings={**figures.timings, "total": total}))
    name = "octoverse_request_duration_seconds"
    buckets = {key[1][0][1]: n for key, n in told.items() if key[0] == f"{name}_bucket"}
    assert buckets == {"0.001": 2, "2.5": 3, "+Inf": 4}
    assert told[f"{name}_count", ()] == 4
    assert told[f"{name}_sum", ()] == pytest.approx(8.0015)


@pytest.mark.parametrize("nasty", ['a "quoted" model', "two\nlines", "back\\slash", "é 腕 {}=,"])
def test_labels_say_what_the_model_is_called(figures: ServerStatus, nasty: str) -> None:
    [info] = families(replace(figures, model=nasty))["octoverse_model_info"].samples
    assert info.labels["model"] == nasty


def counted(status: ServerStatus) -> dict[Any, float]:
    """What must never go down."""
    return {
        (sample.name, tuple(sample.labels.items())): sample.value
        for family in families(status).values()
        for sample in family.samples
        if family.type in ("counter", "histogram")
    }


def test_counters_never_go_down_whatever_robots_do(servo: Any, serve: Any, until: Any) -> None:
    server, rng = serve(servo()), np.random.default_rng(0)
    before: dict[Any, float] = {}
    for _ in range(4):
        with Client(server.address, TABLETOP_ARM) as robot:
            for _ in range(2):
                robot.act(random_frame(TABLETOP_ARM, rng))
            with pytest.raises(RemoteError):
                robot.act(random_frame(TABLETOP_ARM, rng), observed_at_ns=1)
        until(lambda: server.status().timings["batch"].count == server.status().answered)
        counting = counted(server.status())
        assert all(counting[key] >= count for key, count in before.items())
        before = counting
    assert before["octoverse_answers_total", ()] == before["octoverse_requests_total", ()] == 8
    assert before["octoverse_faults_total", (("code", "bad_observation"),)] == 4
    assert before["octoverse_batch_size_count", ()] == before["octoverse_batches_total", ()]


def test_memory_is_that_of_this_process() -> None:
    there = psutil.Process(os.getpid()).memory_info().rss
    assert resident_bytes() == pytest.approx(there, rel=0.2)


def test_memory_is_left_out_where_it_cannot_be_told(
    figures: ServerStatus, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise FileNotFoundError("/proc")

    monkeypatch.setattr(Path, "read_text", refuse)
    assert resident_bytes() is None
    assert "process_resident_memory_bytes" not in text(figures)
    assert "process_cpu_seconds_total" in text(figures)
