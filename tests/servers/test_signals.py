import signal
import subprocess
import sys
import threading

import pytest

from octoverse.errors import ServerError
from octoverse.servers.signals import end_asked, wait


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_asks_and_is_then_handled_as_before(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with end_asked() as asked:
        assert not asked.is_set()
        signal.raise_signal(number)
        wait(asked, lambda: True)
    assert signal.getsignal(number) is before


def test_a_second_signal_ends_the_process_at_once() -> None:
    code = """
import signal
from octoverse.servers.signals import end_asked
with end_asked():
    signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGTERM)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 143


def test_what_breaks_meanwhile_is_said() -> None:
    with pytest.raises(ServerError, match="The server's socket broke; the log says why"):
        wait(threading.Event(), lambda: False)
