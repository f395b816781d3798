import subprocess
import sys
from pathlib import Path

from octoverse.servers.lifeline import VARIABLE, Lifeline

ROOT = Path(__file__).parents[2]
TIED = """
import sys, threading
from octoverse.servers.lifeline import when_cut

done = threading.Event()
when_cut(done.set)
print("here", flush=True)
done.wait()
print("ends", flush=True)
"""
HANGS = TIED.replace("done.wait()", "threading.Event().wait()").replace(
    "done = ", "from octoverse.servers import lifeline; lifeline._LAST_S = 0.01\ndone = "
)
STARTER = f"""
import os, subprocess, sys
from octoverse.servers.lifeline import Lifeline

line = Lifeline()
subprocess.Popen(
    [sys.executable, "-c", {TIED!r}], pass_fds=(line.end,), env=os.environ | line.environment
)
line.passed_on()
sys.stdin.read()
"""


def tied(code: str, line: Lifeline) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        pass_fds=(line.end,),
        env=line.environment,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    line.passed_on()
    return process


def test_a_process_is_told_when_its_line_is_cut() -> None:
    line = Lifeline()
    with tied(TIED, line) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        assert process.poll() is None
        line.cut()
        line.cut()
        assert process.stdout.readline() == "ends\n"
    assert process.returncode == 0


def test_a_process_ends_with_the_one_that_started_it_even_if_that_is_killed() -> None:
    command = [sys.executable, "-c", STARTER]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as starter:
        assert starter.stdout is not None
        assert starter.stdout.readline() == "here\n"
        starter.kill()
        assert starter.stdout.readline() == "ends\n"


def test_a_process_that_hangs_is_ended_all_the_same() -> None:
    line = Lifeline()
    with tied(HANGS, line) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        line.cut()
    assert process.returncode == 1


def test_without_a_line_nothing_is_cut() -> None:
    code = "from octoverse.servers.lifeline import when_cut; when_cut(lambda: print('cut'))"
    done = subprocess.run(
        [sys.executable, "-c", code], env={}, capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert (done.stdout, done.stderr) == ("", "")
    assert VARIABLE.isupper()
