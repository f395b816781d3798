"""What a broker and its workers say to each other, beside the robots' messages that it passes on.

Broker to worker: [route, peer's key, header, body]; worker to broker: [route, header, body]. The
route is the robot's, as the broker's socket names it; header and body are those of the wire. Where
the route is empty, one frame follows, which is one of the messages below.
"""

from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta

from octoverse.errors import BadMessage
from octoverse.servers.histogram import Histogram
from octoverse.servers.status import ServerStatus
from octoverse.wire import Count, Name, SessionId

_MOST_BYTES = 8 * 2**20


class Beat(msgspec.Struct, frozen=True, kw_only=True, tag="beat"):
    """Worker, every half second: I am here, these sessions are mine, and so I fare."""

    name: Name
    """Chosen at random when its process starts."""
    sessions: Annotated[tuple[SessionId, ...], Meta(max_length=2**16)]
    leaving: bool
    """Whether it goes once it has answered what it took: it wants nothing new."""
    model: str
    bodies: Annotated[tuple[Name, ...], Meta(max_length=4096)]
    queue: Count
    """Requests that wait to be computed."""
    load: float
    """Share of the last seconds that the policy was busy, 0 to 1."""
    healthy: bool
    status: msgspec.Raw
    """All its figures, which are read when somebody asks for them."""


class Heard(msgspec.Struct, frozen=True, kw_only=True, tag="heard"):
    """Broker: the answer to a beat."""


class Show(msgspec.Struct, frozen=True, kw_only=True, tag="show"):
    """Broker: what does this robot see?"""

    robot: Count
    """Its number at the worker."""


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """One camera's newest image."""

    shape: tuple[Count, Count, Count]
    """(height, width, 3)"""
    data: bytes

    def array(self) -> np.ndarray:
        """Give uint8 (height, width, 3); raises BadMessage if it is none."""
        height, width, colours = self.shape
        if colours != 3 or height * width * colours != len(self.data):
            raise BadMessage(
                "picture: expected a shape (height, width, 3) of as many bytes as came, got "
                f"{self.shape} and {len(self.data)} bytes."
            )
        return np.frombuffer(self.data, np.uint8).reshape(self.shape)


class Shown(msgspec.Struct, frozen=True, kw_only=True, tag="shown"):
    """Worker: the answer to Show; no pictures if there is no such robot."""

    robot: Count
    pictures: dict[Name, Picture]


def _to_plain(value: Any) -> Any:
    if isinstance(value, Histogram):
        return value.bounds, value.counts, value.sum
    raise TypeError(f"expected a histogram, got {type(value).__name__}")


def _from_plain(kind: type, value: Any) -> Histogram:
    bounds, counts, total = msgspec.convert(value, tuple[list[float], list[int], float])
    histogram = Histogram(bounds)
    if len(counts) != len(histogram.counts):
        raise ValueError(f"expected {len(histogram.counts)} counts, got {len(counts)}")
    histogram.counts, histogram.sum = counts, total
    return histogram


encode = msgspec.msgpack.Encoder().encode
_from_worker = msgspec.msgpack.Decoder(Beat | Shown)
_from_broker = msgspec.msgpack.Decoder(Heard | Show)
_write_status = msgspec.msgpack.Encoder(enc_hook=_to_plain).encode
_status = msgspec.msgpack.Decoder(ServerStatus, dec_hook=_from_plain)


def read_worker(data: bytes) -> Beat | Shown:
    """Read what a worker says of itself; raises BadMessage in words."""
    return _read(data, _from_worker)


def read_broker(data: bytes) -> Heard | Show:
    """Read what a broker says; raises BadMessage in words."""
    return _read(data, _from_broker)


def write_status(status: ServerStatus) -> msgspec.Raw:
    """Put a worker's figures into a beat."""
    return msgspec.Raw(_write_status(status))


def read_status(data: msgspec.Raw) -> ServerStatus:
    """Read a worker's figures; raises BadMessage in words."""
    return _read(bytes(data), _status)


def _read(data: bytes, decoder: "msgspec.msgpack.Decoder[Any]") -> Any:
    if len(data) > _MOST_BYTES:
        raise BadMessage(f"message: expected at most {_MOST_BYTES} bytes, got {len(data)}.")
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadMessage(
            f"message: expected one between broker and worker, got one that is not: {error}. "
            "Install the same octoverse on both."
        ) from error
