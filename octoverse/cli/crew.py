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

from octoverse.errors import BadConfig
from octoverse.servers.curve import Curve
from octoverse.servers.keys import ClientKeys, keys_folder


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


def crew_keys(
    workers: int, workers_at: str | None, keys: Path | None, allowed: Path | None
) -> Curve | None:
    """Find what a broker asks its workers for.

    Args:
        workers: How many it starts itself.
        workers_at: Where others come.
        keys: The broker's NAME.key; server.key of the user's keys if not given.
        allowed: List of the workers that are let in; None lets in any of this machine.

    Raises:
        BadConfig: if there is a list, but nobody who could need it, or who has no key.
        BadKey: if a file is none of the kind, or open to others.
    """
    if allowed is None:
        return None
    if workers_at is None or workers:
        raise BadConfig(
            "allow_workers: expected it with --workers-at and without --workers, since workers "
            "with keys are started apart, with --join, --keys and --broker."
        )
    return Curve.load(keys or keys_folder() / "server.key", allowed)


def worker_keys(join: str | None, keys: Path | None, broker: Path | None) -> ClientKeys | None:
    """Find what a worker shows to its broker.

    Args:
        join: Where that is.
        keys: The worker's NAME.key.
        broker: The broker's NAME.pub.

    Raises:
        BadConfig: if only one of the two is given, or one without a broker to join.
        BadKey: if a file is none of the kind, or the secret one open to others.
    """
    if broker is None and (keys is None or not join):
        return None
    if not join or keys is None or broker is None:
        raise BadConfig(
            "Expected --join with both --keys (this worker's NAME.key) and --broker (the broker's "
            "NAME.pub), or with neither of them."
        )
    return ClientKeys.load(keys, broker)


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
