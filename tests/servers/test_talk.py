import pytest

from octoverse.errors import RemoteError
from octoverse.servers.talk import Answer, Message, expect, say
from octoverse.wire import Fault, Pong, Welcome

PONG = Pong(request=2, model="servo-1", uptime_s=1.0, sessions=0, queue=0, load=0.0)


def answered(reply: Pong | Fault) -> Answer:
    return Answer(reply, memoryview(b""), 0)


def test_what_is_not_answered_is_made_anew() -> None:
    numbers = iter(range(9))
    talk = say(lambda: Message(b"header", request=next(numbers)))
    said = [talk.send(None), talk.send(None), talk.send(None)]
    assert [message.request for message in said] == [0, 1, 2]
    with pytest.raises(StopIteration) as end:
        talk.send(answered(PONG))
    assert end.value.value == (said[2], answered(PONG))


def test_the_answer_that_was_expected() -> None:
    assert expect(answered(PONG), Pong) is PONG


def test_a_fault_is_raised_with_all_that_it_says() -> None:
    fault = Fault(code="overloaded", message="Too many.", remedy="Wait.", retry_after_ms=250.0)
    with pytest.raises(RemoteError, match=r"^Too many\. Wait\.$") as caught:
        expect(answered(fault), Pong)
    assert (caught.value.code, caught.value.retry_after) == ("overloaded", 0.25)
    with pytest.raises(RemoteError) as caught:
        expect(answered(Fault(code="stale", message="Too late.")), Pong)
    assert caught.value.retry_after is None


def test_another_answer_than_was_expected_is_refused() -> None:
    with pytest.raises(RemoteError, match=r"answered with Pong, expected Welcome\.") as caught:
        expect(answered(PONG), Welcome)
    assert caught.value.code == "bad_message"
