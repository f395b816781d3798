import msgspec
import pytest

from octoverse import wire
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.errors import BadMessage
from octoverse.servers.envelopes import read_answer, read_envelope

ID = "0" * 32
OBSERVE = wire.Observe(session=ID, request=7, observed_at_ns=0)
HELLO = wire.Hello(protocol=1, embodiment=TABLETOP_ARM, resume=ID, request=3)


def test_it_tells_where_a_message_goes_and_whether_it_is_to_be_answered() -> None:
    envelope = read_envelope(wire.encode(OBSERVE))
    assert (envelope.type, envelope.session, envelope.request) == ("observe", ID, 7)
    assert envelope.asks
    assert not read_envelope(wire.encode(msgspec.structs.replace(OBSERVE, act=False))).asks
    assert not read_envelope(wire.encode(wire.Reset(session=ID))).asks
    assert not read_envelope(wire.encode(wire.Bye(session=ID))).asks
    assert not read_envelope(wire.encode(wire.Ping())).asks


def test_a_hello_tells_the_body_and_the_session_to_go_on_with() -> None:
    envelope = read_envelope(wire.encode(HELLO))
    assert envelope.asks
    assert envelope.embodiment is not None
    assert (envelope.embodiment.name, envelope.resume) == ("tabletop_arm", ID)


@pytest.mark.parametrize(
    ("header", "code", "words"),
    [
        (b"", "bad_message", "expected a message of protocol 1"),
        (b"\xc1", "bad_message", "expected a message of protocol 1"),
        (b"\x81\xa1x" + b"\x91" * 60_000, "bad_message", "nested too deeply"),
        (bytes(65_537), "bad_message", "at most 65536 bytes"),
        (msgspec.msgpack.encode({"type": "teapot"}), "bad_message", "Invalid value 'teapot'"),
        (msgspec.msgpack.encode({"type": "ping", "request": -1}), "bad_message", ">= 0"),
        (msgspec.msgpack.encode({"type": "observe", "session": 3}), "bad_message", "`str`, got"),
        (msgspec.msgpack.encode({"type": "hi", "protocol": 2}), "protocol", "version 1, got 2"),
        (b"\x81\xa4type\xa1\xff", "bad_message", "expected a message"),
    ],
)
def test_what_is_not_a_message_is_refused_in_words(header: bytes, code: str, words: str) -> None:
    with pytest.raises(BadMessage) as caught:
        read_envelope(header)
    assert caught.value.code == code
    assert words in str(caught.value)


def test_it_tells_whose_an_answer_is() -> None:
    fault = wire.Fault(code="stopping", message="", request=7)
    answer = read_answer(wire.encode(fault))
    assert (answer.type, answer.code, answer.request) == ("fault", "stopping", 7)
    assert read_answer(wire.encode(wire.Closing(reason="x"))).request is None


@pytest.mark.parametrize("header", [b"", b"\xc1", b"\x91" * 60_000])
def test_what_is_no_answer_is_refused_in_words(header: bytes) -> None:
    with pytest.raises(BadMessage, match="expected an answer of the wire, got none: "):
        read_answer(header)
