"""The live figures of several workers, as those of one server."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from octoverse.servers.histogram import Histogram, seconds, sizes
from octoverse.servers.status import ServerStatus

SEATS = 100
"""Workers that a broker takes."""


@dataclass(frozen=True, kw_only=True)
class WorkerStatus:
    """One worker of a broker."""

    number: int
    """From 1; that of one which is gone is given to the next."""
    name: str
    """As the logs call it."""
    model: str
    healthy: bool
    trouble: str
    robots: int
    queue: int
    answered: int
    """Chunks given since its start."""
    inference_ms: float
    """What a batch takes, lately."""
    load: float
    """Share of the last ten seconds that its policy was busy, 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class BrokerStatus(ServerStatus):
    """A broker with its workers; a robot's number ends in that of its worker, of two digits."""

    workers: tuple[WorkerStatus, ...]


def number_of(robot: int, worker: int) -> int:
    """Give the number of a robot at the broker; `divmod(number, SEATS)` gives both back."""
    return robot * SEATS + worker


def together(
    seats: Mapping[int, tuple[str, ServerStatus]],
    gone: Sequence[ServerStatus],
    *,
    address: str = "",
    uptime_s: float = 0.0,
    faults: Mapping[str, int] | None = None,
    unsent: int = 0,
    connections: int = 0,
    cut: int = 0,
) -> BrokerStatus:
    """Add up.

    Args:
        seats: Number of each worker to its name and status.
        gone: Last words of workers that are gone: what they counted still counts.
        address: Where robots find the broker.
        uptime_s: Since it began.
        faults: That it has answered itself.
        unsent: Answers that clients did not take from it.
        connections: Of clients.
        cut: Those that it has cut.
    """
    here = [status for _, status in seats.values()]
    everything = [*here, *gone]

    def total(name: str, of: Iterable[ServerStatus] = everything) -> Any:
        return sum(getattr(status, name) for status in of)

    def each(name: str) -> str:
        return ", ".join(dict.fromkeys(getattr(status, name) for status in here))

    answered, batches = total("answered"), total("batches")
    busy = sum(status.inference_ms * status.load for status in here)
    well = [status for status in here if status.healthy]
    return BrokerStatus(
        address=address,
        uptime_s=uptime_s,
        connections=connections,
        cut=cut,
        model=each("model"),
        model_s=min((status.model_s for status in here), default=0.0),
        statistics=each("statistics"),
        healthy=bool(well),
        trouble="" if well else each("trouble") or "no worker is there",
        bodies=tuple(dict.fromkeys(body for status in here for body in status.bodies)),
        robots=tuple(
            replace(robot, number=number_of(robot.number, number))
            for number, (_, status) in seats.items()
            for robot in status.robots
        ),
        window_bytes=total("window_bytes", here),
        queue=total("queue", here),
        requests=total("requests"),
        answered=answered,
        batches=batches,
        mean_batch=answered / max(batches, 1),
        inference_ms=busy / load if (load := total("load", here)) else 0.0,
        load=load / max(len(here), 1),
        faults=sum((Counter(s.faults) for s in everything), Counter(faults or {})),
        unsent=unsent + total("unsent"),
        reloads=total("reloads"),
        reload_failures=total("reload_failures"),
        hung=total("hung"),
        timings=_timings(everything),
        workers=tuple(_worker(number, *seat) for number, seat in seats.items()),
    )


def _timings(everything: Sequence[ServerStatus]) -> dict[str, Histogram]:
    sums = {name: seconds() for name in ("total", "queued", "prepared", "inference")}
    sums["batch"] = sizes()
    for status in everything:
        for name, added in status.timings.items():
            if name in sums and added.bounds == sums[name].bounds:
                sums[name] = sums[name].plus(added)
    return sums


def _worker(number: int, name: str, status: ServerStatus) -> WorkerStatus:
    return WorkerStatus(
        number=number,
        name=name,
        model=status.model,
        healthy=status.healthy,
        trouble=status.trouble,
        robots=len(status.robots),
        queue=status.queue,
        answered=status.answered,
        inference_ms=status.inference_ms,
        load=status.load,
    )
