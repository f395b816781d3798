"""A short run of the fuzzer: whatever is said, the fault is the peer's, and a good one is answered.

Run it long with python -m tests.servers.fuzz.
"""

import psutil
import pytest

from tests.servers.fuzz import IN_THIS_PROCESS, through_socket
from tests.servers.fuzzed import Memory
from tests.servers.survivors import Survivors, noted

NOT_OURS = {"policy_failed", "stopping"}
"""What nobody's message may bring about."""


@pytest.mark.parametrize("way", IN_THIS_PROCESS)
def test_random_messages(way: str) -> None:
    if way == "openpi":
        pytest.importorskip("websockets", reason="needs the extra 'openpi'")
    with noted() as troubles:
        counts = IN_THIS_PROCESS[way](3000, 1, Memory(psutil.Process(), 3000))
    assert troubles == []
    assert not NOT_OURS & set(counts)
    assert counts.total() > 1000


def test_random_messages_through_a_socket(survivors: Survivors) -> None:
    process = survivors.process()
    socket = survivors.dealer(process.address)
    counts = through_socket(1000, 2, socket, Memory(process.memory, 1000))
    assert process.figures()["troubles"] == []
    assert not NOT_OURS & set(counts)
    assert {"act", "pong", "welcome", "bad_message", "bad_observation", "no_session"} <= set(counts)
