import logging
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from octoverse.cli.crew import (
    commands,
    crew_keys,
    name_lines,
    private_address,
    worker_keys,
)
from octoverse.errors import BadConfig
from octoverse.servers.allow_list import allow
from octoverse.servers.keys import make_pair, read_public

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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Keys of a broker and a worker, which is let in."""
    for name in ("server", "worker"):
        make_pair(name, tmp_path)
    allow(tmp_path / "workers.toml", read_public(tmp_path / "worker.pub"))
    return tmp_path


def test_a_broker_asks_workers_for_keys_where_it_has_a_list_of_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert crew_keys(2, None, None, None) is None
    curve = crew_keys(0, "tcp://0.0.0.0:5556", folder / "server.key", folder / "workers.toml")
    assert curve is not None
    assert curve.own.name == "server"
    assert read_public(folder / "worker.pub").key in curve.allowed
    monkeypatch.setattr("octoverse.cli.crew.keys_folder", lambda: folder)
    curve = crew_keys(0, "tcp://0.0.0.0:5556", None, folder / "workers.toml")
    assert curve is not None and curve.own.name == "server"


@pytest.mark.parametrize(("workers", "at"), [(0, None), (2, None), (1, "tcp://127.0.0.1:5556")])
def test_a_list_of_workers_where_none_can_show_a_key_is_refused(
    folder: Path, workers: int, at: str | None
) -> None:
    with pytest.raises(BadConfig, match="allow_workers: expected it with --workers-at and without"):
        crew_keys(workers, at, None, folder / "workers.toml")


def test_a_worker_shows_its_keys_where_it_has_them(folder: Path) -> None:
    assert worker_keys("tcp://127.0.0.1:1", None, None) is None
    assert worker_keys(None, folder / "server.key", None) is None  # those of a server
    keys = worker_keys("tcp://10.0.0.7:1", folder / "worker.key", folder / "server.pub")
    assert keys is not None
    assert (keys.own.name, keys.server) == ("worker", read_public(folder / "server.pub").key)


@pytest.mark.parametrize(
    ("join", "keys", "broker"),
    [("tcp://h:1", "k", None), ("tcp://h:1", None, "b"), (None, "k", "b")],
)
def test_half_of_a_worker_s_keys_is_refused(
    join: str | None, keys: str | None, broker: str | None
) -> None:
    with pytest.raises(BadConfig, match=r"Expected --join with both --keys .* and --broker"):
        worker_keys(join, Path(keys) if keys else None, Path(broker) if broker else None)
