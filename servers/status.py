"""The live figures of a server, for a page, a table in a terminal or a log."""

from collections.abc import Mapping
from dataclasses import dataclass

from octoverse.servers.histogram import Histogram


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
    missed: int
    """Requests whose deadline passed before they were computed."""
    refused: int
    """Messages answered with any other fault."""
    silent_s: float
    """Since it was last heard of."""
    queued: int
    """Messages that wait to be prepared."""


@dataclass(frozen=True, kw_only=True)
class ServerStatus:
    """The whole server. What counts since the start never goes down."""

    model: str
    model_s: float
    """Since when this model is in force."""
    statistics: str
    address: str
    """Where robots find it, "" if it listens nowhere itself."""
    uptime_s: float
    healthy: bool
    """Whether robots can be answered."""
    trouble: str
    """Why not, in words; "" if they can."""
    bodies: tuple[str, ...]
    """That the policy knows."""
    robots: tuple[RobotStatus, ...]
    window_bytes: int
    """Memory of the robots' windows."""
    queue: int
    """Requests that wait to be computed."""
    requests: int
    """Requests for action since the start."""
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
    unsent: int
    """Answers that the client did not take in time."""
    connections: int
    """Open now."""
    cut: int
    """Connections cut for what they sent."""
    reloads: int
    """Models put in force while serving."""
    reload_failures: int
    """Models that failed their trial."""
    hung: int
    """Batches given up by the watchdog."""
    timings: Mapping[str, Histogram]
    """total, queued, prepared and inference [s]; batch, in requests."""
