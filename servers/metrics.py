"""A server's figures as Prometheus reads them, in its text format 0.0.4.

What counts since the start ends in `_total` and never goes down. There is no figure for each robot:
robots come and go, and a name that a client chose is no label.
"""

import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from itertools import accumulate
from pathlib import Path
from typing import get_args

from octoverse.servers.histogram import Histogram
from octoverse.servers.status import ServerStatus
from octoverse.wire import FaultCode

_VERSION = version("octoverse")
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_Sample = tuple[str, Mapping[str, str], float]
"""What is added to the name, the labels, the value."""
_Figure = tuple[str, str, str, float | Sequence[_Sample]]
"""Its kind, its name, what it means, and its value or values."""


def text(status: ServerStatus, *, log_lines_lost: int = 0) -> str:
    """Put the figures into the format.

    Args:
        status: The server's.
        log_lines_lost: Lines of the log that could not be written.
    """
    figures = [*_figures(status, log_lines_lost), *_process()]
    return "".join(f"{line}\n" for figure in figures for line in _written(*figure))


def resident_bytes() -> int | None:
    """Memory of this process that is in use, None where the system does not say it."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except FileNotFoundError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def _figures(status: ServerStatus, log_lines_lost: int) -> list[_Figure]:
    robots = dict.fromkeys(status.bodies, 0) | Counter(robot.body for robot in status.robots)
    faults = dict.fromkeys(get_args(FaultCode), 0) | dict(status.faults)
    about = {
        "model": status.model,
        "statistics": status.statistics,
        "version": _VERSION,
    }
    total, prepared, queued, inference, batch = (
        _buckets(status.timings[name])
        for name in ("total", "prepared", "queued", "inference", "batch")
    )
    plain: list[_Figure] = [
        ("gauge", "model_info", "What is served; always 1.", [("", about, 1)]),
        ("gauge", "model_age_seconds", "Since when that model is served.", status.model_s),
        ("gauge", "uptime_seconds", "Since the start.", status.uptime_s),
        ("gauge", "healthy", "1 if robots can be answered, else 0.", status.healthy),
        ("gauge", "robots", "Robots with a session.", _by("body", robots)),
        ("gauge", "window_bytes", "Memory of the robots' windows.", status.window_bytes),
        ("gauge", "connections", "Connections that are open.", status.connections),
        ("counter", "connections_cut_total", "Connections cut for abuse.", status.cut),
        ("counter", "requests_total", "Requests for action.", status.requests),
        ("counter", "answers_total", "Chunks of actions given.", status.answered),
        ("counter", "faults_total", "Faults answered, by what was wrong.", _by("code", faults)),
        ("counter", "replies_unsent_total", "Answers that nobody took.", status.unsent),
        ("gauge", "queued_requests", "Requests that wait to be computed.", status.queue),
        ("counter", "batches_total", "Batches computed.", status.batches),
        ("counter", "batches_hung_total", "Batches that the watchdog gave up.", status.hung),
        ("gauge", "load_ratio", "Share of ten seconds that the policy was busy.", status.load),
        ("counter", "reloads_total", "Models put in force while serving.", status.reloads),
        ("counter", "reload_failures_total", "Models not put in force.", status.reload_failures),
        ("counter", "log_lines_lost_total", "Lines of the log not written.", log_lines_lost),
        ("histogram", "request_duration_seconds", "From receipt to answer.", total),
        ("histogram", "prepare_duration_seconds", "From receipt to a window.", prepared),
        ("histogram", "queue_duration_seconds", "From a window to its batch.", queued),
        ("histogram", "inference_duration_seconds", "What the batch took.", inference),
        ("histogram", "batch_size", "Requests computed together.", batch),
    ]
    return [(kind, f"octoverse_{name}", meaning, value) for kind, name, meaning, value in plain]


def _process() -> Iterator[_Figure]:
    """Give what has the same name in every program."""
    yield "counter", "process_cpu_seconds_total", "Processor time.", time.process_time()
    if (memory := resident_bytes()) is not None:
        yield "gauge", "process_resident_memory_bytes", "Memory in use.", memory


def _by(label: str, counts: Mapping[str, int]) -> list[_Sample]:
    return [("", {label: name}, count) for name, count in counts.items()]


def _buckets(histogram: Histogram) -> list[_Sample]:
    edges = [*(f"{bound:g}" for bound in histogram.bounds), "+Inf"]
    counts = list(accumulate(histogram.counts))
    return [
        *(("_bucket", {"le": edge}, count) for edge, count in zip(edges, counts, strict=True)),
        ("_sum", {}, histogram.sum),
        ("_count", {}, counts[-1]),
    ]


def _written(kind: str, name: str, meaning: str, value: float | Sequence[_Sample]) -> Iterator[str]:
    yield f"# HELP {name} {meaning}"
    yield f"# TYPE {name} {kind}"
    for suffix, labels, number in [("", {}, value)] if isinstance(value, float | int) else value:
        inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        yield f"{name}{suffix}{f'{{{inside}}}' if inside else ''} {float(number)!r}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
