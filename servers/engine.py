"""Runs a policy: batch in, chunks out, faults where it fails; and gives up what hangs.

One thread computes. When a batch has been at work for too long its requests are answered that it
failed, the thread is left alone with it, and another goes on with the policy: a module of torch
may be called from two threads. What the first thread answers later is dropped.

A policy that answers at once, as one that replays or is a formula does, may answer on the thread
that brings the request: handing it over would take longer.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from octoverse import wire
from octoverse.acting import ActingPolicy
from octoverse.episode import ActionChunk
from octoverse.errors import OctoverseError
from octoverse.servers.batcher import Batcher, Waiting
from octoverse.servers.blame import ask
from octoverse.servers.faults import Faults, deliver
from octoverse.servers.tally import Tally

logger = logging.getLogger(__name__)

FAILED = "The policy failed; the server's log says why."
_FIRST = 20
"""So many times longer may a policy be at work that has never answered yet: it may compile."""
_HANGING = 4
"""Threads that may hang before the policy is given up altogether."""
_LOST = f"The policy hangs in {_HANGING} threads; the server must be started again."
_AT_ONCE_S = 0.0003
"""A policy that takes less is asked on the spot."""
_MODEL = "model"
"""Where a robot's memory says which model made it."""


@dataclass(frozen=True, eq=False, slots=True)
class _Serving:
    policy: ActingPolicy
    number: int
    since: float
    """Monotonic time [s]."""


@dataclass(eq=False, slots=True)
class _Work:
    batch: list[Waiting]
    began: float
    thread: threading.Thread


class Engine:
    """Computes what a batcher holds until it is stopped.

    Args:
        policy: What computes.
        batcher: Where the requests wait.
        faults: Answers those that fail.
        watchdog_s: How long a batch may be at work.
    """

    def __init__(
        self, policy: ActingPolicy, batcher: Batcher, faults: Faults, watchdog_s: float = 30.0
    ) -> None:
        if not watchdog_s > 0:
            raise ValueError(f"watchdog_s must be above 0, got {watchdog_s}.")
        self.batcher, self.watchdog_s = batcher, watchdog_s
        self.tally = Tally()
        self.requests = self.hung = 0
        """Batches given up."""
        self.hangs = False
        """Whether the last batch was given up."""
        self.lost = ""
        """In words, why nothing is computed any more; empty while all is well."""
        self._faults = faults
        self._serving = _Serving(policy, 0, time.monotonic())
        self._proven = False
        """Whether the policy has answered yet."""
        self._lock = threading.Lock()
        self._work: _Work | None = None
        self._thread: threading.Thread | None = None
        self._turn = threading.Lock()
        """Whoever computes holds it."""
        self._lent: threading.Thread | None = None
        self._lent_id: int | None = None
        self._abandoned: Callable[[], None] = lambda: None
        self._hanging: list[threading.Thread] = []
        self._stopping = threading.Event()
        self._watch = threading.Thread(target=self._look, name="watchdog", daemon=True)

    @property
    def policy(self) -> ActingPolicy:
        """The one in force."""
        return self._serving.policy

    @property
    def model(self) -> int:
        """How often it was swapped; a robot that was let in for an earlier one may not fit."""
        return self._serving.number

    @property
    def since(self) -> float:
        """When this policy came into force, monotonic [s]."""
        return self._serving.since

    def start(self) -> None:
        """Begin to compute."""
        with self._lock:
            self._go_on()
        self._watch.start()

    def lend(self, thread: threading.Thread, abandoned: Callable[[], None]) -> None:
        """Let a thread that brings requests compute on the spot what takes no time.

        Args:
            thread: Which.
            abandoned: Is called if the policy hangs in it; that thread is then lost.
        """
        self._lent, self._lent_id, self._abandoned = thread, thread.ident, abandoned

    def ask(self, request: Waiting) -> Waiting | None:
        """Compute a request on the spot, or let it wait for its turn.

        Returns:
            Who has to leave the full line, as Batcher.put.
        """
        with self._lock:
            self.requests += 1
        turn = self._turn
        if (
            threading.get_ident() != self._lent_id
            or not self._proven
            or self.batcher.inference > _AT_ONCE_S
            or len(self.batcher)
            or not turn.acquire(blocking=False)
        ):
            return self.batcher.put(request)
        try:
            self._compute([request])
        finally:
            turn.release()
        return None

    def stop(self, within_s: float = 5.0) -> None:
        """Compute what waits, for so long at most; answer the others that it is over."""
        self._stopping.set()
        self.batcher.close()
        if self._watch.ident is not None:
            self._watch.join()
        if (thread := self._thread) is not None:
            thread.join(within_s)
        with self._lock:
            work, self._work = self._work, None
        for request in [*(work.batch if work else ()), *self.batcher.clear()]:
            self._faults.stopping(request.reply, request.number)

    def swap(self, policy: ActingPolicy) -> None:
        """Compute with another policy from the next batch on."""
        with self._lock:
            self._serving = _Serving(policy, self._serving.number + 1, time.monotonic())
            self._proven = False
            self._hanging.clear()
            was_lost, self.lost = self.lost, ""
            if was_lost:
                self._go_on()

    def watch(self, now: float) -> None:
        """Give up the batch at work if that was begun too long before now [s]."""
        with self._lock:
            self._hanging = [thread for thread in self._hanging if thread.is_alive()]
            limit = self.watchdog_s * (1 if self._proven else _FIRST)
            work = self._work if self._work and now - self._work.began > limit else None
            if work is not None:
                self._work = None
                self.hung += 1
                self.hangs = True
                self._hanging.append(work.thread)
                self._turn = threading.Lock()
            was_lost = self.lost
            self.lost = _LOST if len(self._hanging) >= _HANGING else ""
            if not self.lost and (was_lost or (work and work.thread is self._thread)):
                self._go_on()
        if work is not None:
            if work.thread is self._lent:
                self._lent = self._lent_id = None
                self._abandoned()
            logger.error("the policy hangs: gave up a batch of %d", len(work.batch))
            for request in work.batch:
                self._fail(request, f"The policy did not answer within {limit:g} s.")
        if self.lost:
            for request in self.batcher.clear():
                self._fail(request, self.lost)

    def _look(self) -> None:
        while not self._stopping.wait(min(1.0, self.watchdog_s / 4)):
            self.watch(time.monotonic())

    def _go_on(self) -> None:
        self._thread = threading.Thread(target=self._run, name="policy", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while (taken := self.batcher.take()) is not None:
            batch, stale = taken
            for request in stale:
                self._faults.send(
                    request.reply,
                    "stale",
                    "The deadline comes before an answer could.",
                    request.number,
                    robot=request.robot,
                )
            if batch:
                with self._turn:
                    still = self._compute(batch)
                if not still:
                    return

    def _compute(self, taken: list[Waiting]) -> bool:
        """Answer a batch; says whether this thread is still the one to go on."""
        serving = self._serving
        batch = [request for request in taken if request.robot.model >= serving.number]
        if len(batch) < len(taken):
            for request in taken:
                if request not in batch:
                    self._faults.outdated(request.reply, request.number, request.robot)
            if not batch:
                return True
        work = _Work(batch, time.monotonic(), threading.current_thread())
        with self._lock:
            self._work = work
        memories = [_memory(request, serving.number) for request in batch]
        outcomes = ask(serving.policy, batch, memories, lambda: self._work is work)
        ended = time.monotonic()
        with self._lock:
            if self._work is not work:
                logger.warning("a batch given up came to its end after %.1f s", ended - work.began)
                return False
            self._work = None
            self._proven = self._proven or any(
                isinstance(one, ActionChunk) for one in outcomes.values()
            )
        self.tally.batches += 1
        self.hangs = False
        for request, outcome in outcomes.items():
            if isinstance(outcome, Exception):
                self._fail(request, str(outcome) if isinstance(outcome, OctoverseError) else FAILED)
            else:
                self._answer(request, outcome, work, ended)
        self.tally.computed(len(batch), work.began, ended)
        # Who was answered on the spot did not wait, and nobody waits for it to come back.
        waited = [] if work.thread is self._lent else batch
        self.batcher.computed(waited, ended - work.began)
        return True

    def _answer(self, request: Waiting, chunk: ActionChunk, work: _Work, ended: float) -> None:
        request.robot.session.answered(chunk)
        timing = self.tally.timing(request, len(work.batch), work.began, ended)
        act = wire.Act(
            request=request.number,
            step=request.observation.step,
            observed_at_ns=chunk.observed_at_ns,
            timing=timing,
            text=chunk.text,
        )
        self.tally.answered += 1
        request.robot.answered(timing.total_ms)
        deliver(request.reply, act, chunk.action)
        self.tally.took(timing)

    def _fail(self, request: Waiting, words: str) -> None:
        request.robot.session.forget()
        self._faults.send(
            request.reply, "policy_failed", words, request.number, robot=request.robot
        )


def _memory(request: Waiting, model: int) -> dict[str, Any]:
    """What this model remembers of a robot; what another one left is forgotten first."""
    memory = request.memory
    if memory.setdefault(_MODEL, model) != model:
        request.robot.session.forget()
        memory = request.robot.session.memory
        memory[_MODEL] = model
    return memory
