"""A server process for tests: python -m tests.servers.served ADDRESS [HANG]

It tells its address, and then its figures whenever it is asked by a line. While there is a file
HANG its policy hangs, and says so.
"""

import json
import logging
import os
import resource
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

from octoverse.episode import ActionChunk, Observation
from octoverse.servers.zeromq import Server
from octoverse.wire import Limits
from tests.servers.conftest import Servo
from tests.servers.survivors import noted

LIMITS = Limits(message_bytes=10**6, image_bytes=10**6, rate=1e9)
FIGURES = ("unsent", "cut", "connections", "answered", "faults")


class Hangs(Servo):
    """Hangs while there is a file."""

    def act(
        self, observations: Sequence[Observation], memories: Sequence[dict[str, Any]]
    ) -> list[ActionChunk]:
        if sys.argv[2:] and os.path.exists(sys.argv[2]):
            print("hanging", flush=True)
            time.sleep(600)
        self.batches.clear()  # it may be asked for long
        return super().act(observations, memories)


def tell(server: Server, troubles: list[str]) -> None:
    """Print the address, and figures for each line that is read; `peak` of memory in MB."""
    print(server.address, flush=True)
    for _ in sys.stdin:
        status = server.status()
        figures = {name: getattr(status, name) for name in FIGURES}
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000
        print(json.dumps({**figures, "peak": peak, "troubles": troubles}), flush=True)


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    with noted() as troubles:
        served = Server(Hangs(), address=sys.argv[1], limits=LIMITS)
        teller = threading.Thread(target=tell, args=(served, troubles), daemon=True)
        served.run(teller.start)
