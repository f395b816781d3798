"""The one thread that runs a policy: batch in, chunks out, faults where it fails."""

import logging
import threading
import time
from collections import deque

from octoverse import wire
from octoverse.acting import ActingPolicy, check_chunk
from octoverse.episode import ActionChunk
from octoverse.errors import OctoverseError, SpecMismatch
from octoverse.servers.batcher import Batcher, Waiting
from octoverse.servers.faults import Faults

logger = logging.getLogger(__name__)

FAILED = "The policy failed; the server's log says why."
_LOAD_S = 10.0


class Engine:
    """Computes what a batcher holds until it is stopped."""

    def __init__(self, policy: ActingPolicy, batcher: Batcher, faults: Faults) -> None:
        self.batcher = batcher
        self.answered = self.batches = 0
        self._policy, self._faults = policy, faults
        self._busy: deque[tuple[float, float]] = deque()
        self._thread = threading.Thread(target=self._run, name="policy", daemon=True)

    def start(self) -> None:
        """Begin to compute."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the batch at work, and answer those that wait that it is over."""
        self.batcher.close()
        for request in self.batcher.clear():
            self._faults.send(request.reply, "stopping", "The server stops.", request.number)
        self._thread.join()

    @property
    def load(self) -> float:
        """Share of the last ten seconds that the policy was busy, 0 to 1."""
        since = time.monotonic() - _LOAD_S
        return min(1.0, sum(took for end, took in list(self._busy) if end > since) / _LOAD_S)

    def _run(self) -> None:
        while (taken := self.batcher.take()) is not None:
            batch, stale = taken
            for request in stale:
                self._faults.send(
                    request.reply, "stale", "The deadline passed before its turn.", request.number
                )
            if batch:
                self._compute(batch)

    def _compute(self, batch: list[Waiting]) -> None:
        began = time.monotonic()
        try:
            chunks = self._policy.act([r.observation for r in batch], [r.memory for r in batch])
            if len(chunks) != len(batch):
                raise SpecMismatch(f"chunks: expected {len(batch)} of them, got {len(chunks)}.")
        except Exception as error:
            logger.exception("the policy failed on a batch of %d", len(batch))
            for request in batch:
                self._fail(request, error)
            return
        finally:
            ended = time.monotonic()
            self.batches += 1
            self._busy.append((ended, ended - began))
            while self._busy[0][0] < ended - _LOAD_S:
                self._busy.popleft()
            self.batcher.computed(batch, ended - began)
        for request, chunk in zip(batch, chunks, strict=True):
            self._answer(request, chunk, began, ended, len(batch))

    def _answer(
        self, request: Waiting, chunk: ActionChunk, began: float, ended: float, batch: int
    ) -> None:
        body = self._policy.bodies[request.observation.embodiment]
        at_ns = request.observation.observed_at_ns
        try:
            check_chunk(body, self._policy.horizons[body.name], chunk, at_ns)
        except SpecMismatch as error:
            logger.error("%s: %s", request.robot.name, error)
            self._fail(request, error)
            return
        self.answered += 1
        total_ms = 1000 * (time.monotonic() - request.received)
        request.robot.answered(total_ms)
        act = wire.Act(
            request=request.number,
            step=request.observation.step,
            observed_at_ns=at_ns,
            timing=wire.Timing(
                prepared_ms=1000 * (request.ready - request.received),
                queued_ms=1000 * (began - request.ready),
                inference_ms=1000 * (ended - began),
                total_ms=total_ms,
                batch=batch,
                received_at_ns=round(1e9 * request.received),
                sent_at_ns=round(1e9 * time.monotonic()),
            ),
            text=chunk.text,
        )
        request.reply(act, chunk.action)

    def _fail(self, request: Waiting, error: Exception) -> None:
        request.robot.session.forget()
        words = str(error) if isinstance(error, OctoverseError) else FAILED
        self._faults.send(request.reply, "policy_failed", words, request.number)
