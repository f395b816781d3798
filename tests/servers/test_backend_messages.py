from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from octoverse.errors import BadMessage
from octoverse.servers import backend_messages as messages
from octoverse.servers.backend_messages import Beat, Heard, Picture, Show, Shown, encode
from octoverse.servers.histogram import seconds
from octoverse.servers.status import ServerStatus

ID = "0" * 32
BEAT = Beat(
    name="w",
    sessions=(ID,),
    leaving=False,
    model="m",
    bodies=("arm",),
    queue=3,
    load=0.5,
    healthy=True,
    status=msgspec.Raw(b"\x80"),
)
PLAIN = msgspec.msgpack.decode(encode(BEAT))


def test_messages_arrive_as_they_were() -> None:
    assert encode(messages.read_worker(encode(BEAT))) == encode(BEAT)
    assert messages.read_broker(encode(Heard())) == Heard()
    assert messages.read_broker(encode(Show(robot=3))) == Show(robot=3)


def test_pictures_arrive_as_they_were() -> None:
    image = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    picture = Picture(shape=(2, 3, 3), data=image.tobytes())
    shown = messages.read_worker(encode(Shown(robot=3, pictures={"table": picture})))
    assert isinstance(shown, Shown)
    assert shown.robot == 3
    np.testing.assert_array_equal(shown.pictures["table"].array(), image)


@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 3, 1), (2**40, 2**40, 3), (0, 0, 3)])
def test_what_is_no_picture_is_refused_in_words(shape: tuple[int, int, int]) -> None:
    with pytest.raises(BadMessage, match=r"expected a shape \(height, width, 3\) of as many bytes"):
        Picture(shape=shape, data=bytes(18)).array()


def test_figures_arrive_as_they_were(figures: ServerStatus) -> None:
    took = seconds()
    took.add(0.02)
    told = replace(figures, timings={"total": took})
    beat = msgspec.structs.replace(BEAT, status=messages.write_status(told))
    heard = messages.read_worker(encode(beat))
    assert isinstance(heard, Beat)
    assert messages.read_status(heard.status) == told


def test_figures_that_are_none_are_refused_in_words(figures: ServerStatus) -> None:
    plain = msgspec.msgpack.decode(messages.write_status(figures))
    plain["timings"]["total"][1] = [1, 2]
    for spoiled in list[Any]([plain, {}, []]):
        with pytest.raises(BadMessage, match="between broker and worker, got one that is not: "):
            messages.read_status(msgspec.Raw(encode(spoiled)))


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\xc1",
        b"\x91" * 100_000,
        encode(Heard()),
        encode({"type": "beat"}),
        encode(PLAIN | {"name": ""}),
        encode(PLAIN | {"sessions": ["0"]}),
        encode(PLAIN | {"sessions": [ID] * (2**16 + 1)}),
        encode(PLAIN | {"queue": -1}),
    ],
)
def test_what_is_no_worker_s_message_is_refused_in_words(message: bytes) -> None:
    with pytest.raises(BadMessage, match="between broker and worker, got one that is not: "):
        messages.read_worker(message)


def test_what_is_no_broker_s_message_is_refused_with_the_cure() -> None:
    with pytest.raises(BadMessage, match="Install the same octoverse on both"):
        messages.read_broker(encode(BEAT))


def test_more_than_a_worker_can_have_to_say_is_not_even_read() -> None:
    with pytest.raises(BadMessage, match="expected at most 8388608 bytes, got 8388609"):
        messages.read_worker(b"\0" * (8 * 2**20 + 1))
