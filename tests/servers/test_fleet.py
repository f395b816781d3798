import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from octoverse.servers.fleet import Deaths, Fleet

Until = Callable[[Callable[[], bool]], None]
OBEYS = """
import sys, threading
from pathlib import Path
from octoverse.servers.lifeline import when_cut

done = threading.Event()
when_cut(done.set)
Path(sys.argv[1]).touch()
done.wait()
Path(sys.argv[1]).write_text("finished")
"""
HEARS = """
import signal, sys, threading
from pathlib import Path
from octoverse.servers.lifeline import when_cut

done = threading.Event()
when_cut(done.set)
signal.signal(signal.SIGHUP, lambda *_: Path(sys.argv[1]).write_text("reload"))
Path(sys.argv[1]).touch()
while not done.wait(0.01):
    pass
"""
STUBBORN = "import sys, time; open(sys.argv[1], 'w').close(); time.sleep(3600)"


def python(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", code, *arguments]


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_workers_finish_what_they_do_when_the_fleet_stops(tmp_path: Path, until: Until) -> None:
    files = [tmp_path / "1", tmp_path / "2"]
    with Fleet([python(OBEYS, str(file)) for file in files]) as fleet:
        until(lambda: all(file.exists() for file in files))
        processes = list(fleet.processes.values())
        assert sorted(fleet.processes) == [1, 2]
    assert [file.read_text() for file in files] == ["finished"] * 2
    assert not any(map(alive, processes))
    fleet.stop()


def test_a_worker_that_does_not_end_is_killed(
    tmp_path: Path, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("octoverse.servers.fleet._FINISH_S", 0.01)
    with Fleet([python(STUBBORN, str(tmp_path / "1"))]) as fleet:
        until((tmp_path / "1").exists)
        [process] = fleet.processes.values()
    assert not alive(process)


def test_a_worker_that_dies_is_started_again(
    tmp_path: Path, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "1"
    with Fleet([python(OBEYS, str(file))]) as fleet:
        until(file.exists)
        first = fleet.processes[1]
        file.unlink()
        os.kill(first, signal.SIGKILL)
        until(file.exists)
        assert fleet.processes[1] != first
    assert f"worker 1 (process {first}) was ended by SIGKILL; starting it again" in caplog.text
    assert "again and again" not in caplog.text


def test_one_that_dies_again_and_again_is_said_with_the_cure(
    until: Until, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("octoverse.servers.fleet._LONGEST_PAUSE_S", 0.01)
    with Fleet([python("raise SystemExit(3)")]):
        until(lambda: "again and again" in caplog.text)
    assert "ended with code 3; starting it again in 0.01 s" in caplog.text
    assert f"try its command alone: {sys.executable} -c raise SystemExit(3)." in caplog.text
    assert "Killed without a word it is often memory: take fewer workers." in caplog.text


def test_workers_are_told_to_look_for_a_newer_model(tmp_path: Path, until: Until) -> None:
    files = [tmp_path / "one", tmp_path / "two"]
    with Fleet([python(HEARS, str(file)) for file in files]) as fleet:
        until(lambda: all(file.exists() for file in files))
        fleet.reload()
        until(lambda: all(file.read_text() == "reload" for file in files))


def test_a_fleet_that_stops_starts_nothing_again(
    until: Until, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Deaths, "add", lambda self, now: 3600.0)
    with Fleet([python("")]) as fleet:
        until(lambda: "starting it again in 3600 s" in caplog.text)
    assert fleet.processes == {}


def test_each_death_doubles_the_pause_until_a_minute_is_quiet() -> None:
    deaths = Deaths()
    assert [deaths.add(now) for now in (0.0, 1.0)] == [0.5, 1.0]
    assert not deaths.often
    assert [deaths.add(now) for now in (2.0, 3.0, 4.0, 5.0, 6.0, 7.0)] == [2, 4, 8, 16, 30, 30]
    assert deaths.often
    assert deaths.add(66.5) == 1.0
    assert not deaths.often
