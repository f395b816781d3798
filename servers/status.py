"""The live figures of a server, for a table in a terminal or a log."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class RobotStatus:
    """One robot with a session."""

    number: int
    """What people call it; its session is a secret."""
    body: str
    client: str
    """What the client calls itself."""
    peer: str
    """Public key of its client, "" without one."""
    instruction: str
    requests: int
    """How often it has asked for actions."""
    hz: float
    """How often it asks, lately."""
    latency_ms: float
    """From receipt to answer, lately."""
    silent_s: float
    """Since it was last heard of."""


@dataclass(frozen=True, kw_only=True)
class ServerStatus:
    """The whole server."""

    model: str
    uptime_s: float
    robots: tuple[RobotStatus, ...]
    queue: int
    """Requests that wait to be computed."""
    answered: int
    """Chunks given since the start."""
    batches: int
    mean_batch: float
    """Requests in a batch, on average since the start."""
    inference_ms: float
    """What a batch takes, lately."""
    load: float
    """Share of the last ten seconds that the policy was busy, 0 to 1."""
    faults: Mapping[str, int]
    """Fault code to how often it was answered."""
