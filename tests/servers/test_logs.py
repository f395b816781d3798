import logging
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq

from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.servers.client import Client
from octoverse.servers.log_file import LogFile
from octoverse.servers.log_lines import Event, read
from octoverse.servers.logs import Journal
from octoverse.servers.zeromq import Server
from octoverse.synthetic import random_frame

logger = logging.getLogger("octoverse.servers.somewhere")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def events(capsys: pytest.CaptureFixture[str]) -> list[Event]:
    return list(read(capsys.readouterr().err.splitlines()))


def test_stderr_and_the_file_get_the_same_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Journal(LogFile(tmp_path / "log")):
        logger.info("welcome", extra={"robot": "arm 1 (3)"})
        logger.debug("of no interest")
        try:
            raise ValueError("no way")
        except ValueError:
            logger.exception("the policy failed on a batch of %d", 3)
    said = capsys.readouterr().err
    assert (tmp_path / "log").read_text() == said
    first, second = read(said.splitlines())
    assert (first.level, first.words, first.fields) == ("info", "welcome", {"robot": "arm 1 (3)"})
    assert second.words == "the policy failed on a batch of 3"
    assert second.fields == {"error": "ValueError: no way"}
    assert second.trace.startswith("Traceback") and second.trace.endswith("ValueError: no way")


def test_nothing_is_written_once_it_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    level = logging.getLogger().level
    with Journal():
        logger.info("within")
    logger.info("after")
    assert [event.words for event in events(capsys)] == ["within"]
    assert logging.getLogger().level == level


def test_a_flood_is_told_fifty_times_and_then_counted(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with Journal(clock=clock):
        for i in range(1000):
            logger.warning("bad message %d", i)
        logger.warning("another kind")
        clock.now = 10.0
        logger.warning("ten seconds later")
    told = events(capsys)
    assert [event.words for event in told] == [
        *(f"bad message {i}" for i in range(50)),
        "another kind",
        "bad message 50",
        "ten seconds later",
    ]
    assert told[-2].fields == {"suppressed": "949"}


def test_a_flood_of_one_fault_code_does_not_hide_another(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Journal(clock=Clock()):
        for code in ["bad_message"] * 51 + ["spec_mismatch"]:
            logger.warning("refused", extra={"code": code})
    codes = [event.fields["code"] for event in events(capsys)]
    assert codes == ["bad_message"] * 50 + ["spec_mismatch", "bad_message"]


def test_a_flood_that_has_ended_is_told_without_waiting_for_the_next(
    capsys: pytest.CaptureFixture[str], until: Callable[[Callable[[], bool]], None]
) -> None:
    clock, said = Clock(), ""
    with Journal(clock=clock):
        for i in range(60):
            logger.warning("bad message %d", i)
        clock.now = 10.0

        def told() -> bool:
            nonlocal said
            said += capsys.readouterr().err
            return "suppressed=9" in said

        until(told)


def test_nobody_waits_for_a_terminal_that_nobody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        clock, lines = Clock(), 20_000
        with Journal(clock=clock) as journal:
            for i in range(lines):
                clock.now = float(i)
                logger.info("%s", "x" * 100)
            assert 0 < journal.lost < lines
            read_all = threading.Thread(
                target=lambda: [None for _ in iter(lambda: os.read(reader, 65536), b"")]
            )
            read_all.start()
        monkeypatch.undo()
    read_all.join()
    os.close(reader)


def test_a_full_disk_and_a_closed_stderr_disturb_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    with open(os.devnull, "w") as closed:
        pass
    monkeypatch.setattr(sys, "stderr", closed)
    with Journal(LogFile(Path("/dev/full"))) as journal:
        logger.info("one")
        logger.info("two")
    assert journal.lost == 2


def test_a_robot_is_answered_with_a_full_disk_under_the_log(
    servo: Any, serve: Callable[..., Server], capsys: pytest.CaptureFixture[str]
) -> None:
    with Journal(LogFile(Path("/dev/full"))) as journal:
        server, rng = serve(servo()), np.random.default_rng(0)
        for _ in range(3):
            with Client(server.address, TABLETOP_ARM) as robot:
                robot.act(random_frame(TABLETOP_ARM, rng))
    assert server.status().answered == 3 and journal.lost > 3
    assert capsys.readouterr().err.count("No space left on device. Serving goes on.") == 1


def test_a_flood_of_bad_messages_does_not_fill_the_log(
    tmp_path: Path, servo: Any, serve: Callable[..., Server]
) -> None:
    with Journal(LogFile(tmp_path / "log"), clock=Clock()):
        server = serve(servo())
        with zmq.Context() as context, context.socket(zmq.DEALER) as peer:
            peer.connect(server.address)
            for _ in range(500):
                peer.send_multipart([b"nonsense", b""])
                peer.recv_multipart()
    events = list(read((tmp_path / "log").read_text().splitlines()))
    refused = [event.fields for event in events if event.words == "refused"]
    assert len(refused) == 51 and refused[-1]["suppressed"] == "449"
    assert all(fields["code"] == "bad_message" for fields in refused)


def test_a_call_with_the_wrong_arguments_is_said_and_not_raised(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Journal() as journal:
        # pytest's own handler would raise.
        journal.handle(logging.makeLogRecord({"msg": "%d robots", "args": ("many",)}))
        logger.info("goes on")
    said = capsys.readouterr().err
    assert "--- Logging error ---" in said and '"goes on"' in said
