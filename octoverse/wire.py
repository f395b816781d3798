"""The server's messages, version 1, as msgpack headers; packing.py has the arrays beside them.

Server and client both import this file, so they cannot drift apart; docs/wire.md says the same
for other languages. Nothing is ever unpickled, and every size is checked before it is believed.
"""

from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from octoverse.embodiment import ActionGroup, Embodiment
from octoverse.episode import Calibration
from octoverse.errors import BadMessage

PROTOCOL = 1
HEADER_BYTES = 64 * 1024

Name = Annotated[str, Meta(min_length=1, max_length=64)]
Words = Annotated[str, Meta(max_length=4096)]
SessionId = Annotated[str, Meta(min_length=32, max_length=32)]
"""128 random bits, in hexadecimal."""
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Dtype = Literal["uint8", "int64", "float32", "bool"]
FaultCode = Literal[
    "bad_message",  # not a message of this protocol, or one that breaks a limit
    "protocol",  # another version of the protocol
    "unknown_body",  # no body of this name
    "spec_mismatch",  # the body's spec differs from the policy's
    "bad_observation",  # a frame that does not fit the body's spec
    "no_session",  # unknown or expired; say Hello again
    "too_many_sessions",
    "overloaded",  # the queue is full
    "stale",  # the deadline passed, or a Reset came, before it was computed
    "policy_failed",  # the policy raised, hung, or gave what is not a chunk
    "worker_lost",  # the worker that held the session died; say Hello again
    "not_allowed",  # this key may not
    "stopping",  # the server is going down
]


class ArraySpec(msgspec.Struct, frozen=True, kw_only=True):
    """Where one array lies in the body, and what it is."""

    name: Name
    dtype: Dtype
    shape: Annotated[tuple[Count, ...], Meta(max_length=4)]
    encoding: Literal["raw", "jpeg"] = "raw"
    """raw: C order, little-endian. jpeg: an image of this shape, (height, width, 3)."""
    offset: Count
    """From the start of the body [bytes], a multiple of 8; arrays lie in order."""
    size: Count
    """In the body [bytes]."""
    at_ns: Count | None = None
    """When it was seen, by the client's monotonic clock; with its frame if not given."""


Arrays = Annotated[tuple[ArraySpec, ...], Meta(max_length=32)]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What the server takes; more is refused."""

    message_bytes: int = 64 * 2**20
    """Largest frame; a larger one costs the connection."""
    image_bytes: int = 64 * 2**20
    """All arrays of one message, once decoded."""
    sessions: int = 1024
    connections: int = 2048
    unread: int = 4
    """Messages of one connection that wait to be read."""
    rate: float = 5000.0
    """Messages per second of one session."""
    queue: int = 256
    """Requests that wait for the policy, of all sessions."""
    session_s: float = 600.0
    """After so long without a message a session is forgotten."""
    memory_bytes: int = 64 * 2**20
    """What a policy may remember of one robot."""


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """Where the time of one answer went, inside the server."""

    prepared_ms: float
    """From receipt until the window was ready."""
    queued_ms: float
    inference_ms: float
    total_ms: float
    batch: int
    """How many windows were computed together."""
    received_at_ns: int = 0
    """When the request came, by the server's monotonic clock."""
    sent_at_ns: int = 0
    """When the answer left, by the same clock."""


class Hello(msgspec.Struct, frozen=True, kw_only=True, tag="hello"):
    """Client: who I am; asks for a session."""

    protocol: int
    embodiment: Embodiment
    client: Annotated[str, Meta(max_length=64)] = ""
    calibration: dict[Name, Calibration] = {}
    resume: SessionId | None = None
    """A session to go on with, if the server still knows it."""
    request: Count = 0


class Observe(msgspec.Struct, frozen=True, kw_only=True, tag="observe"):
    """Client: one frame, and whether an action is asked for."""

    session: SessionId
    request: Count
    """Any number that tells the client's messages apart; the answer repeats it."""
    observed_at_ns: Count
    """By the client's monotonic clock; orders the window, and is repeated in the answer."""
    act: bool = True
    step: Count = 0
    """With the seed, decides the noise of a sampled action."""
    seed: Count = 0
    deadline_ms: Annotated[float, Meta(gt=0)] | None = None
    """From receipt, less `uplink_ms`; later than that the answer is of no use."""
    uplink_ms: Annotated[float, Meta(ge=0, le=1e9)] = 0.0
    """How long the way to the server takes, as the client estimates it."""
    chunk_ns: Count | None = None
    """The observation of the chunk that the robot is playing."""
    executed_steps: Count = 0
    """How many rows of it had been executed when this frame was seen."""
    frozen_steps: Count = 0
    """How many rows after those will be executed whatever comes: the new chunk begins with them."""
    arrays: Arrays = ()
    words: Annotated[dict[Name, Words], Meta(max_length=32)] = {}
    """Instruction stream to its text."""


class Reset(msgspec.Struct, frozen=True, kw_only=True, tag="reset"):
    """Client: a new episode begins; forget the window and the memory. Not answered."""

    session: SessionId
    calibration: dict[Name, Calibration] = {}
    request: Count = 0


class Ping(msgspec.Struct, frozen=True, kw_only=True, tag="ping"):
    """Client: are you there?"""

    request: Count = 0


class Bye(msgspec.Struct, frozen=True, kw_only=True, tag="bye"):
    """Client: forget this session. Not answered."""

    session: SessionId
    request: Count = 0


class Welcome(msgspec.Struct, frozen=True, kw_only=True, tag="welcome"):
    """Server: your session, and what to expect of the policy."""

    request: int
    session: str
    protocol: int
    model: str
    statistics: str
    action: dict[str, ActionGroup]
    horizons: dict[str, int]
    """Rows that a chunk has, for each action group."""
    control_hz: float
    resumed: bool = False
    """Whether it is the session that was to be resumed, with its window."""
    frames: int
    """Frames in a window."""
    spacing: float
    """Seconds between them."""
    camera_sizes: dict[str, tuple[int, int]]
    """(height, width) that the policy sees; send exactly this to spare the server resizing."""
    limits: Limits


class Act(msgspec.Struct, frozen=True, kw_only=True, tag="act"):
    """Server: the next chunk; the body holds one float32 array for each action group."""

    request: int
    step: int
    observed_at_ns: int
    timing: Timing
    arrays: Arrays = ()
    text: str | None = None


class Pong(msgspec.Struct, frozen=True, kw_only=True, tag="pong"):
    """Server: I am here."""

    request: int
    model: str
    uptime_s: float
    sessions: int
    queue: int
    """Requests waiting."""
    load: float
    """Share of the last seconds that the policy was busy, 0 to 1."""
    at_ns: int = 0
    """When this was said, by the server's monotonic clock."""
    bodies: tuple[str, ...] = ()
    """Bodies that the policy knows."""


class Closing(msgspec.Struct, frozen=True, kw_only=True, tag="closing"):
    """Server, unasked: I stop; what is not answered by now will not be."""

    reason: str
    request: int | None = None


class Fault(msgspec.Struct, frozen=True, kw_only=True, tag="fault"):
    """Server: why there is no answer, and what helps."""

    code: Name
    """A FaultCode; a newer server may have more."""
    message: str
    remedy: str = ""
    request: int | None = None
    """None where the message could not be read so far."""
    retry_after_ms: float | None = None


Request = Hello | Observe | Reset | Ping | Bye
Reply = Welcome | Act | Pong | Closing | Fault


encode: Callable[[Request | Reply], bytes] = msgspec.msgpack.Encoder().encode
_decode_request = msgspec.msgpack.Decoder(Request).decode
_decode_reply = msgspec.msgpack.Decoder(Reply).decode


def read_request(header: bytes) -> Request:
    """Read what a client sent.

    Raises:
        BadMessage: in words, for whatever is not a message of this protocol.
    """
    message: Request = _read(header, _decode_request)
    if isinstance(message, Hello) and message.protocol != PROTOCOL:
        raise _other_protocol(message.protocol, message.request)
    return message


def read_reply(header: bytes) -> Reply:
    """Read what a server sent.

    Raises:
        BadMessage: in words, for whatever is not a message of this protocol.
    """
    message: Reply = _read(header, _decode_reply)
    return message


class _Envelope(msgspec.Struct):
    """What may still be read of a message that cannot be read."""

    type: str = ""
    protocol: int = PROTOCOL
    request: int | None = None


_decode_envelope = msgspec.msgpack.Decoder(_Envelope).decode


def _read(header: bytes, decode: Callable[[bytes], Any]) -> Any:
    if len(header) > HEADER_BYTES:
        raise BadMessage(f"header: expected at most {HEADER_BYTES} bytes, got {len(header)}.")
    try:
        return decode(header)
    except RecursionError:
        raise BadMessage("header: expected a flat message, got one nested too deeply.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        try:
            envelope = _decode_envelope(header)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            envelope = _Envelope()
        if envelope.protocol != PROTOCOL:
            raise _other_protocol(envelope.protocol, envelope.request) from error
        raise BadMessage(
            f"header: expected a message of protocol {PROTOCOL}, got one that is not: {error}.",
            request=envelope.request,
        ) from error


def _other_protocol(theirs: int, request: int | None) -> BadMessage:
    return BadMessage(
        f"protocol: expected version {PROTOCOL}, got {theirs}. "
        "Install the same octoverse on the robot and on the server.",
        code="protocol",
        request=request,
    )
