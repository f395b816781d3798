"""Keep worker processes running: start them, start those that die again, end them all."""

import logging
import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Sequence

from octoverse.servers.lifeline import Lifeline

logger = logging.getLogger(__name__)

_LONGEST_PAUSE_S = 30.0
_LATELY_S = 60.0
_OFTEN = 3
_FINISH_S = 15.0


class Deaths:
    """How often one worker has died lately, and what follows from it."""

    def __init__(self) -> None:
        self._times: deque[float] = deque()

    def add(self, now: float) -> float:
        """Count one, at this monotonic time; gives how long to wait before the next start [s]."""
        self._times.append(now)
        while now - self._times[0] > _LATELY_S:
            self._times.popleft()
        return min(_LONGEST_PAUSE_S, 0.5 * 2 ** (len(self._times) - 1))

    @property
    def often(self) -> bool:
        """Whether something must be wrong that another start does not cure."""
        return len(self._times) >= _OFTEN


class Fleet:
    """Worker processes of this machine.

    Args:
        commands: Of each worker, program first. They obey their lifeline (lifeline.py).
    """

    def __init__(self, commands: Sequence[Sequence[str]]) -> None:
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._running: dict[int, tuple[subprocess.Popen[bytes], Lifeline]] = {}
        self._keepers = [
            threading.Thread(
                target=self._keep, args=(i + 1, c), name=f"worker {i + 1}", daemon=True
            )
            for i, c in enumerate(commands)
        ]

    @property
    def processes(self) -> dict[int, int]:
        """Number of each worker that runs, from 1, to its process."""
        with self._lock:
            return {number: process.pid for number, (process, _) in self._running.items()}

    def start(self) -> "Fleet":
        """Start all workers, each with a thread that watches it."""
        for keeper in self._keepers:
            keeper.start()
        return self

    def stop(self) -> None:
        """Let the workers finish what they do, and end them."""
        with self._lock:
            self._stopping.set()
            running = list(self._running.values())
        for _, lifeline in running:
            lifeline.cut()
        give_up = time.monotonic() + _FINISH_S
        for keeper in self._keepers:
            if keeper.ident is not None:
                keeper.join(max(0.0, give_up - time.monotonic()))
        for process, _ in running:
            process.kill()  # does nothing to one that has ended
        for keeper in self._keepers:
            if keeper.ident is not None:
                keeper.join()

    def reload(self) -> None:
        """Tell the workers to look for a newer model."""
        with self._lock:
            for process, _ in self._running.values():
                process.send_signal(signal.SIGHUP)

    def __enter__(self) -> "Fleet":
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()

    def _keep(self, number: int, command: Sequence[str]) -> None:
        deaths = Deaths()
        while (begun := self._begin(number, command)) is not None:
            process, lifeline = begun
            code = process.wait()
            with self._lock:
                del self._running[number]
            lifeline.cut()
            if self._stopping.is_set():
                return
            pause = deaths.add(time.monotonic())
            logger.error(
                "worker %d (process %d) %s; starting it again in %g s",
                *(number, process.pid, _how(code), pause),
            )
            if deaths.often:
                logger.error(
                    "worker %d dies again and again. Its last words stand above; try its command "
                    "alone: %s. Killed without a word it is often memory: take fewer workers.",
                    *(number, " ".join(command)),
                )
            self._stopping.wait(pause)

    def _begin(
        self, number: int, command: Sequence[str]
    ) -> tuple[subprocess.Popen[bytes], Lifeline] | None:
        with self._lock:
            if self._stopping.is_set():
                return None
            lifeline = Lifeline()
            # Of a session of its own: Ctrl-C is for the one that started it, who tells it to end.
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                pass_fds=(lifeline.end,),
                env=os.environ | lifeline.environment,
                start_new_session=True,
            )
            lifeline.passed_on()
            self._running[number] = process, lifeline
            return self._running[number]


def _how(code: int) -> str:
    if code >= 0:
        return f"ended with code {code}"
    return f"was ended by {signal.Signals(-code).name}"
