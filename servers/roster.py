"""Who works for a broker: which sessions each worker has, and what it has not answered yet."""

import logging
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import Any

from octoverse.errors import BadMessage
from octoverse.servers.backend_messages import Beat, read_status
from octoverse.servers.status import ServerStatus
from octoverse.servers.together import SEATS, BrokerStatus, together

logger = logging.getLogger(__name__)

SILENT_S = 2.0
"""A worker that has not been heard of for so long is taken for dead."""
_UNANSWERED_S = 120.0
"""A request is no longer counted when its answer has not come for so long."""
_REMEMBERED = 64
"""Workers that are gone whose figures are kept apart, in case they come back."""
_LOST = 2**16
"""Sessions of dead workers that are remembered, to say what became of them."""


@dataclass(kw_only=True, eq=False)
class Worker:
    """One worker."""

    number: int
    """What people call it, from 1; the next worker gets that of one which is gone."""
    route: bytes
    """As the broker's socket names it."""
    fd: int
    """Its connection."""
    beat: Beat
    """What it said last of itself."""
    heard: float
    """Monotonic time [s]."""
    sessions: dict[str, bytes] = field(default_factory=dict)
    """Session to the route of its robot, empty before it has been heard of."""
    unanswered: "OrderedDict[tuple[bytes, int], float]" = field(default_factory=OrderedDict)
    """Route and number of requests under way, oldest first, to when they came [s]."""

    def __str__(self) -> str:
        """What the log calls it."""
        return f"worker {self.number} ({self.beat.name})"

    @property
    def burden(self) -> int:
        """Robots that it has or is about to have, and what they wait for."""
        return len(self.sessions) + len(self.unanswered)


class Roster:
    """The workers, and which of them has which session; used by one thread."""

    def __init__(self) -> None:
        self.workers: dict[str, Worker] = {}
        """By the name that they gave themselves."""
        self._routes: dict[bytes, Worker] = {}
        self._sessions: dict[str, Worker] = {}
        self._lost: OrderedDict[str, None] = OrderedDict()
        self._gone: OrderedDict[str, ServerStatus] = OrderedDict()

    def beat(self, beat: Beat, route: bytes, fd: int, now: float) -> Worker | None:
        """Note that a worker is there and how it fares; it joins with its first beat.

        One that comes over another connection than before keeps what it had.

        Returns:
            The worker, None if there are too many.
        """
        worker = self.workers.get(beat.name)
        if worker is None:
            taken = {w.number for w in self.workers.values()}
            number = next((n for n in range(1, SEATS) if n not in taken), None)
            if number is None:
                return None
            worker = Worker(number=number, route=route, fd=fd, beat=beat, heard=now)
            self.workers[beat.name] = self._routes[route] = worker
            self._gone.pop(beat.name, None)
        elif worker.route != route:
            self._routes[route] = self._routes.pop(worker.route)
            worker.route, worker.fd = route, fd
        worker.beat, worker.heard = beat, now
        self._has(worker, beat.sessions)
        while worker.unanswered and now - next(iter(worker.unanswered.values())) > _UNANSWERED_S:
            worker.unanswered.popitem(last=False)
        return worker

    def at(self, route: bytes) -> Worker | None:
        """Give the worker at the end of a route."""
        return self._routes.get(route)

    def of(self, session: str) -> Worker | None:
        """Give the worker that has a session."""
        return self._sessions.get(session)

    def lightest(self, body: str) -> Worker | None:
        """Give the worker with the least to do that knows a body, or of any if none does."""

        def rank(worker: Worker) -> tuple[bool, bool, int, float]:
            told = worker.beat
            return body not in told.bodies, not told.healthy, worker.burden, told.load

        staying = (w for w in self.workers.values() if not w.beat.leaving)
        return min(staying, key=rank, default=None)

    def seat(self, session: str, worker: Worker, route: bytes) -> None:
        """Note that a worker has a session, and where its robot is; it keeps whose it is."""
        if worker.beat.leaving:
            self._lose(session)
        elif self._sessions.setdefault(session, worker) is worker:
            worker.sessions[session] = route
            self._lost.pop(session, None)

    def lost(self, session: str) -> bool:
        """Whether the worker of a session is gone."""
        return session in self._lost

    def remove(self, worker: Worker) -> None:
        """Forget a worker; its sessions are lost."""
        del self.workers[worker.beat.name], self._routes[worker.route]
        for session in worker.sessions:
            del self._sessions[session]
            self._lose(session)
        if (status := _status(worker)) is not None:
            self._gone[worker.beat.name] = replace(status, robots=())
        if len(self._gone) > _REMEMBERED:
            (_, one), (name, two) = self._gone.popitem(last=False), self._gone.popitem(last=False)
            self._gone[name] = together({}, [one, two])
            self._gone.move_to_end(name, last=False)

    def silent(self, now: float) -> list[Worker]:
        """Give those that have not been heard of for too long."""
        return [w for w in self.workers.values() if now - w.heard > SILENT_S]

    def behind(self, fd: int) -> Worker | None:
        """Give the worker of a connection; of two the older, as numbers are used again."""
        return next((w for w in self.workers.values() if w.fd == fd), None)

    def status(self, **own: Any) -> BrokerStatus:
        """Add up the figures of all workers; may be called from another thread.

        Args:
            own: Figures that are the broker's own, see `together`.
        """
        told = [(worker, _status(worker)) for worker in list(self.workers.values())]
        seats = {worker.number: (worker.beat.name, status) for worker, status in told if status}
        return together(seats, list(self._gone.values()), **own)

    def _has(self, worker: Worker, sessions: tuple[str, ...]) -> None:
        """Believe a worker which sessions it has."""
        before, worker.sessions = worker.sessions, {}
        for session in before:
            del self._sessions[session]
        for session in sessions:
            self.seat(session, worker, before.get(session, b""))

    def _lose(self, session: str) -> None:
        self._lost[session] = None
        if len(self._lost) > _LOST:
            self._lost.popitem(last=False)


def _status(worker: Worker) -> ServerStatus | None:
    try:
        return read_status(worker.beat.status)
    except BadMessage as error:
        logger.warning("%s: %s", worker, error)
        return None
