"""What a broker reads of messages that it passes on: where they go, and nothing else."""

import msgspec

from octoverse import wire
from octoverse.errors import BadMessage
from octoverse.wire import Count


class _Named(msgspec.Struct):
    name: str = ""


class Envelope(msgspec.Struct):
    """Of a robot's message."""

    type: str = ""
    session: str = ""
    request: Count = 0
    act: bool = True
    resume: str | None = None
    embodiment: _Named | None = None

    @property
    def asks(self) -> bool:
        """Whether its worker is to answer it."""
        return self.type == "hello" or (self.type == "observe" and self.act)


class Answer(msgspec.Struct):
    """Of a worker's answer."""

    type: str = ""
    request: int | None = None
    session: str = ""
    code: str = ""


_TYPES = {"hello", "observe", "reset", "bye", "ping"}
_decode_envelope = msgspec.msgpack.Decoder(Envelope).decode
_decode_answer = msgspec.msgpack.Decoder(Answer).decode
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def read_envelope(header: bytes) -> Envelope:
    """Read where a robot's message goes; whether the rest of it is sound its worker will say.

    Raises:
        BadMessage: in words, for whatever is not a message of the wire.
    """
    if len(header) <= wire.HEADER_BYTES:
        try:
            envelope = _decode_envelope(header)
        except _UNREADABLE:
            pass
        else:
            if envelope.type in _TYPES:
                return envelope
    wire.read_request(header)
    raise BadMessage("header: expected a message of the wire, got one that is not.")


def read_answer(header: bytes) -> Answer:
    """Read whose answer it is.

    Raises:
        BadMessage: for whatever is no answer.
    """
    try:
        return _decode_answer(header)
    except _UNREADABLE as error:
        raise BadMessage(f"header: expected an answer of the wire, got none: {error}.") from error
