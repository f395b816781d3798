"""The worker processes of `octoverse serve --workers N`: what each is told to do."""

import logging
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch


@contextmanager
def private_address() -> Iterator[str]:
    """Give a place where only this user's processes find a broker."""
    with tempfile.TemporaryDirectory(prefix="octoverse-") as folder:
        yield f"ipc://{folder}/workers"


def commands(checkpoint: Path, join: str, count: int, given: Mapping[str, Any]) -> list[list[str]]:
    """Give the command of each worker.

    Args:
        checkpoint: What they serve.
        join: Where the broker expects them.
        count: How many.
        given: Options of `octoverse serve` by name. With threads 0 they share out the cores, with
            device cuda the cards; each has its own log beside the broker's.
    """
    device, log = given["device"], given["log"]
    cards = torch.cuda.device_count() if device == "cuda" else 0
    found = []
    for number in range(count):
        own = {
            "join": join,
            "device": f"cuda:{number % cards}" if cards else device,
            "threads": given["threads"] or max(1, _cores() // count),
            "log": log.with_name(f"{log.stem}-{number + 1}{log.suffix}") if log else None,
        }
        words = [word for name, value in {**given, **own}.items() for word in _words(name, value)]
        found.append([sys.executable, "-m", "octoverse", "serve", str(checkpoint), *words])
    return found


def name_lines(worker: str) -> None:
    """Let every line that this process logs tell which worker it comes from."""
    before = logging.getLogRecordFactory()

    def named(*told: Any, **more: Any) -> logging.LogRecord:
        record = before(*told, **more)
        record.worker = worker
        return record

    logging.setLogRecordFactory(named)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _words(name: str, value: Any) -> list[str]:
    flag = "--" + name.replace("_", "-")
    if value is None or value is False or value == ():
        return []
    if value is True:
        return [flag]
    return [flag, *map(str, value)] if isinstance(value, tuple) else [flag, str(value)]
