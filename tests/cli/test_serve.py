import http.client
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from octoverse import checkpoint as checkpoints
from octoverse.cli.serve import serve
from octoverse.embodiments.road_car import ROAD_CAR
from octoverse.errors import BadCheckpoint, BadConfig, ServerError
from octoverse.servers.allow_list import allow
from octoverse.servers.client import Client
from octoverse.servers.keys import ClientKeys, make_pair, read_public
from octoverse.servers.log_lines import read
from octoverse.servers.zeromq import Server
from octoverse.synthetic import random_frame


def test_it_says_where_it_serves_answers_and_stops_when_asked(
    small_checkpoint: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "octoverse", "serve", str(small_checkpoint)]
    with subprocess.Popen(
        [
            *[*command, "--address", "tcp://127.0.0.1:0", "--threads", "1"],
            *["--precision", "bfloat16", "--log", str(tmp_path / "server.log")],
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "120"},
    ) as process:
        assert process.stdout
        said = ""
        while "Stop with Ctrl-C." not in said:
            line = process.stdout.readline()
            assert line, "it ended too early"
            said += line
        [address] = set(re.findall(r"tcp://127.0.0.1:\d+", said))
        with Client(address, ROAD_CAR, timeout=60) as client:
            chunk = client.act(random_frame(ROAD_CAR, np.random.default_rng(0)))
        assert chunk.action["path"].shape == (30, 3)
        [page] = re.findall(r"http://127.0.0.1:\d+", said)
        with urllib.request.urlopen(f"{page}/health", timeout=60) as answer:
            assert json.loads(answer.read()) == {"healthy": True, "trouble": ""}
        process.send_signal(signal.SIGINT)
        rest, log = process.communicate(timeout=60)
    assert process.returncode == 0 and "Stopped." in rest
    assert "tabletop_arm" in said and "road_car" in said and "untrained-" in said
    words = [event.words for event in read(log.splitlines())]
    assert any("welcome" in one for one in words) and "Traceback" not in log
    assert (tmp_path / "server.log").read_text() == log


def test_a_port_in_use_is_refused_in_words(small_checkpoint: Path) -> None:
    with Server(checkpoints.load(small_checkpoint), address="tcp://127.0.0.1:0") as other:
        with pytest.raises(ServerError, match="expected a free port, got: Address already in use"):
            serve(small_checkpoint, address=other.address)


def test_an_address_beyond_this_machine_is_refused_in_words(small_checkpoint: Path) -> None:
    with pytest.raises(ServerError, match=r"got tcp://0\.0\.0\.0:5555 without keys\. Make"):
        serve(small_checkpoint, address="tcp://0.0.0.0:5555")


@pytest.mark.parametrize("monitor", [0, 5590])
def test_there_is_a_page_unless_it_is_turned_off(
    small_checkpoint: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    monitor: int,
) -> None:
    def run(server: Server, started: Callable[[], None]) -> None:
        started()

    monkeypatch.setattr(Server, "run", run)
    serve(small_checkpoint, monitor=monitor)
    assert ("http://127.0.0.1:" in capsys.readouterr().out) == bool(monitor)


def test_a_log_that_cannot_be_written_to_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no/server\.log"):
        serve(tmp_path, log=tmp_path / "no" / "server.log")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a disk that is always full")
def test_a_full_disk_under_the_log_disturbs_no_robot(small_checkpoint: Path) -> None:
    command = [sys.executable, "-m", "octoverse", "serve", str(small_checkpoint), "--threads", "1"]
    command += ["--address", "tcp://127.0.0.1:0", "--monitor", "0", "--log", "/dev/full"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        said = ""
        while "Stop with Ctrl-C." not in said:
            line = process.stdout.readline()
            assert line, "it ended too early"
            said += line
        [address] = set(re.findall(r"tcp://127.0.0.1:\d+", said))
        for seed in range(3):
            with Client(address, ROAD_CAR, timeout=60) as client:
                frame = random_frame(ROAD_CAR, np.random.default_rng(seed))
                assert client.act(frame).action["path"].shape == (30, 3)
        process.send_signal(signal.SIGINT)
        _, log = process.communicate(timeout=60)
    assert process.returncode == 0
    words = "/dev/full cannot be written: No space left on device. Serving goes on"
    assert log.count(words) == 1
    assert "welcome" in log and "Traceback" not in log


def test_robots_with_keys_come_from_other_machines(small_checkpoint: Path, tmp_path: Path) -> None:
    for name in ("server", "car"):
        make_pair(name, tmp_path / "octoverse/keys")
    keys = tmp_path / "octoverse/keys"
    allow(keys / "allowed.toml", read_public(keys / "car.pub"))
    command = [sys.executable, "-m", "octoverse", "serve", str(small_checkpoint)]
    with subprocess.Popen(
        [*command, "--address", "tcp://0.0.0.0:0", "--threads", "1", "--monitor", "0"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "200", "XDG_CONFIG_HOME": str(tmp_path)},
    ) as process:
        assert process.stdout
        said = ""
        while "Stop with Ctrl-C." not in said:
            line = process.stdout.readline()
            assert line, "it ended too early"
            said += line
        own = ClientKeys.load(keys / "car.key", keys / "server.pub")
        port = said.partition("tcp://0.0.0.0:")[2].split()[0]
        with Client(f"tcp://127.0.0.1:{port}", ROAD_CAR, timeout=60, keys=own) as client:
            chunk = client.act(random_frame(ROAD_CAR, np.random.default_rng(0)))
        assert chunk.action["path"].shape == (30, 3)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert f"1 robot with keys, of {keys}/allowed.toml" in said
    assert 'ClientKeys.load("NAME.key", "server.pub")' in said


def test_what_is_no_checkpoint_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(BadCheckpoint, match=r"expected a checkpoint .* found neither"):
        serve(tmp_path)


def test_settings_that_cannot_be_are_refused(small_checkpoint: Path) -> None:
    with pytest.raises(BadConfig, match=r"max_batch must be at least 1, .* got 0, 5 and 0"):
        serve(small_checkpoint, max_batch=0)
    with pytest.raises(BadConfig, match=r"monitor: expected a port from 1 to 65535, .* got 70000"):
        serve(small_checkpoint, monitor=70000)
    with pytest.raises(BadConfig, match="watchdog_s must be above 0, got -1"):
        serve(small_checkpoint, watchdog_s=-1)


def test_clients_of_other_projects_are_served_beside_ours(
    small_checkpoint: Path, tmp_path: Path
) -> None:
    pytest.importorskip("websockets", reason="needs the extra 'openpi'")
    body = checkpoints.load(small_checkpoint).bodies["road_car"]
    told = {"frontend": "openpi", "body": body.name, "address": "127.0.0.1:0"}
    lines = [f"{key} = {value!r}" for key, value in told.items()]
    lines += ["[observation]", *(f"{name} = {name!r}" for name in body.observation)]
    lines += ["[action]", *(f"{name} = {name!r}" for name in body.action)]
    path = tmp_path / "openpi.toml"
    path.write_text("\n".join(lines))
    command = [sys.executable, "-m", "octoverse", "serve", str(small_checkpoint), "--threads", "1"]
    command += [
        "--address",
        "tcp://127.0.0.1:0",
        "--monitor",
        "0",
        "--frontend",
        str(tmp_path / "openpi.toml"),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        said = ""
        while "Stop with Ctrl-C." not in said:
            line = process.stdout.readline()
            assert line, "it ended too early"
            said += line
        [port] = re.findall(r"openpi road_car +127.0.0.1:(\d+)", said)
        client = http.client.HTTPConnection("127.0.0.1", int(port))
        client.request("GET", "/healthz")
        assert client.getresponse().read() == b"OK\n"
        client.close()
        process.send_signal(signal.SIGINT)
        process.wait(60)
    assert process.returncode == 0


def test_workers_behind_a_broker_answer_and_leave_nobody_behind(
    small_checkpoint: Path,
) -> None:
    command = [sys.executable, "-m", "octoverse", "serve", str(small_checkpoint)]
    with subprocess.Popen(
        [*command, "--address", "tcp://127.0.0.1:0", "--workers", "2", "--monitor", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "120"},
    ) as process:
        assert process.stdout and process.stderr
        said = ""
        while "Stop with Ctrl-C." not in said:
            line = process.stdout.readline()
            assert line, "it ended too early"
            said += line
        assert "2 started here" in said and "road_car" in said
        log = ""
        while log.count(" joined ") < 2:
            log += process.stderr.readline()
        children = psutil.Process(process.pid).children()
        [address] = set(re.findall(r"tcp://127.0.0.1:\d+", said))
        with Client(address, ROAD_CAR, timeout=60) as client:
            chunk = client.act(random_frame(ROAD_CAR, np.random.default_rng(0)))
            assert chunk.action["path"].shape == (30, 3)
            assert client.ping().bodies == ("tabletop_arm", "road_car")
        process.send_signal(signal.SIGINT)
        rest, log = process.communicate(timeout=60)
    assert process.returncode == 0 and "Stopped." in rest
    assert "Traceback" not in log
    assert len(children) == 2 and not any(child.is_running() for child in children)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"workers": -1}, "workers: expected 0 to 99, got -1"),
        ({"workers": 100}, "workers: expected 0 to 99, got 100"),
        ({"workers": 1, "join": "tcp://127.0.0.1:5"}, "got several: a broker does not compute"),
        ({"workers": 1, "frontend": (Path("x"),)}, "frontends need the policy in their process"),
        ({"join": "ipc:///x", "insecure": True}, "expected them where robots come, got --join"),
        ({"insecure": True, "keys": Path("x")}, "--insecure lets in anybody, --keys and --allow"),
        ({"join": "ipc:///x", "frontend": (Path("x"),)}, "Expected one of --join, --workers"),
    ],
)
def test_what_does_not_go_together_is_refused(
    small_checkpoint: Path, settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadConfig, match=words):
        serve(small_checkpoint, **settings)


def test_it_takes_a_newer_checkpoint_when_there_is_one_and_when_asked(
    small: Any, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    checkpoints.save(small.policy(seed=0), run / "checkpoints" / "step-1")
    command = [sys.executable, "-m", "octoverse", "serve", str(run), "--watch"]
    with subprocess.Popen(
        [*command, "--address", "tcp://127.0.0.1:0", "--threads", "1", "--monitor", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout and process.stderr
        said = ""
        while "Stop with Ctrl-C." not in said:
            said += process.stdout.readline()
            assert process.poll() is None
        [address] = set(re.findall(r"tcp://127.0.0.1:\d+", said))

        def told(words: str) -> None:
            """Wait for a line of the log."""
            assert process.stderr
            while words not in (line := process.stderr.readline()):
                assert line, "it ended too early"

        with Client(address, ROAD_CAR, timeout=60) as client:
            first = client.ping().model
            checkpoints.save(small.policy(seed=1), run / "checkpoints" / "step-2")
            told("reloaded")
            second = client.ping().model
            process.send_signal(signal.SIGHUP)
            told("reloaded")
            assert first != second == client.ping().model
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 0
