import logging
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from octoverse.cli.crew import commands, name_lines, private_address

GIVEN: dict[str, Any] = {
    "max_batch": 8,
    "max_wait_ms": 2.5,
    "threads": 0,
    "device": "cpu",
    "precision": "float32",
    "inference_steps": None,
    "compile": False,
    "statistics": (),
    "log": None,
}


def options(command: list[str]) -> dict[str, list[str]]:
    """Of a command: option to its values."""
    assert command[:4] == [sys.executable, "-m", "octoverse", "serve"]
    found: dict[str, list[str]] = {}
    for word in command[5:]:
        if word.startswith("--"):
            found[word[2:]] = values = []
        else:
            values.append(word)
    return found


def test_workers_are_told_what_was_given() -> None:
    given = {**GIVEN, "compile": True, "statistics": ("one", "two"), "threads": 3}
    [one, two] = commands(Path("runs/mine"), "ipc:///x", 2, {**given, "log": Path("a/b.log")})
    assert one[4] == "runs/mine"
    assert options(one) == {
        "join": ["ipc:///x"],
        "max-batch": ["8"],
        "max-wait-ms": ["2.5"],
        "threads": ["3"],
        "device": ["cpu"],
        "precision": ["float32"],
        "compile": [],
        "statistics": ["one", "two"],
        "log": ["a/b-1.log"],
    }
    assert options(two) == {**options(one), "log": ["a/b-2.log"]}


def test_they_share_out_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(7)))
    for count, threads in ((2, "3"), (9, "1")):
        for command in commands(Path("c"), "j", count, GIVEN):
            assert options(command)["threads"] == [threads]


def test_they_share_out_the_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    crew = commands(Path("c"), "j", 3, {**GIVEN, "device": "cuda"})
    assert [options(c)["device"] for c in crew] == [["cuda:0"], ["cuda:1"], ["cuda:0"]]
    crew = commands(Path("c"), "j", 2, {**GIVEN, "device": "cuda:1"})
    assert [options(c)["device"] for c in crew] == [["cuda:1"]] * 2


def test_only_this_user_s_processes_find_the_broker() -> None:
    with private_address() as address:
        folder = Path(address.removeprefix("ipc://")).parent
        assert folder.stat().st_mode & 0o077 == 0
        assert len(address) < 100  # what a socket's name may be
    assert not folder.exists()


def test_every_line_tells_which_worker_logged_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    before = logging.getLogRecordFactory()
    try:
        name_lines("w7")
        logging.getLogger("octoverse.x").warning("hello")
    finally:
        logging.setLogRecordFactory(before)
    assert [vars(record)["worker"] for record in caplog.records] == ["w7"]
