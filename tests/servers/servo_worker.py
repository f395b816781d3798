"""A worker process for tests: python -m tests.servers.servo_worker ADDRESS [FILE]

The first robot that is told to "wait here" is computed for ever; FILE tells that this has begun.
"""

import logging
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from octoverse.episode import ActionChunk, Observation
from octoverse.servers.service import Service
from octoverse.servers.worker import Worker
from tests.servers.conftest import Servo


class Waits(Servo):
    """Never answers the first robot that is told to wait."""

    def act(
        self, observations: Sequence[Observation], memories: Sequence[dict[str, Any]]
    ) -> list[ActionChunk]:
        told = any(o.streams["instruction"] == "wait here" for o in observations)
        if told and not (file := Path(sys.argv[2])).exists():
            file.touch()
            threading.Event().wait()
        return super().act(observations, memories)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    Worker(Service(Waits()), sys.argv[1]).run()
