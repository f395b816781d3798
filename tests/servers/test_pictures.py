import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from octoverse.servers.backend_messages import Beat, Picture, Show, Shown, encode, write_status
from octoverse.servers.pictures import PictureDesk, show
from octoverse.servers.roster import Roster, Worker
from octoverse.servers.together import together

IMAGE = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)
Until = Callable[[Callable[[], bool]], None]


@pytest.fixture
def roster() -> Roster:
    return Roster()


def join(roster: Roster, name: str) -> Worker:
    beat = Beat(
        name=name,
        sessions=(),
        leaving=False,
        model="m",
        bodies=(),
        queue=0,
        load=0.0,
        healthy=True,
        status=write_status(together({}, [])),
    )
    worker = roster.beat(beat, name.encode(), 0, 0.0)
    assert worker is not None
    return worker


def test_the_worker_of_the_robot_is_asked_and_its_answer_handed_out(
    roster: Roster, until: Until
) -> None:
    rung, sent, got = list[int](), list[Any](), list[Any]()
    desk = PictureDesk(lambda: rung.append(1))
    join(roster, "a")
    b = join(roster, "b")
    askers = [threading.Thread(target=lambda: got.append(desk.ask(702))) for _ in range(2)]
    for asker in askers:
        asker.start()
    until(lambda: len(rung) == 2)

    def to_worker(*frames: bytes) -> bool:
        sent.append(frames)
        return True

    desk.send(roster, to_worker)
    assert sent == [(b"b", b"", encode(Show(robot=7)))] * 2
    desk.take(b, show(8, {"table": IMAGE}))
    assert got == []
    desk.take(b, show(7, {"table": IMAGE}))
    for asker in askers:
        asker.join()
    for pictures in got:
        np.testing.assert_array_equal(pictures["table"], IMAGE)
    desk.take(b, show(7, {}))  # nobody waits any more


@pytest.mark.parametrize("full", [False, True])
def test_there_are_none_where_nobody_can_be_asked(roster: Roster, full: bool) -> None:
    desk = PictureDesk(lambda: desk.send(roster, lambda *frames: not full))
    if full:
        join(roster, "a")
    assert desk.ask(701) == {}


def test_a_worker_that_does_not_answer_is_not_waited_for(
    roster: Roster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("octoverse.servers.pictures._PATIENCE_S", 0.01)
    join(roster, "a")
    desk = PictureDesk(lambda: desk.send(roster, lambda *frames: True))
    for _ in range(100):
        assert desk.ask(701) == {}
    assert len(desk._waiting) == 64


def test_pictures_are_made_small_enough_to_travel() -> None:
    shown = show(1, {"large": np.zeros((480, 640, 3), np.uint8), "small": IMAGE})
    assert {name: picture.shape for name, picture in shown.pictures.items()} == {
        "large": (240, 320, 3),
        "small": (3, 4, 3),
    }
    assert shown.pictures["small"] == Picture(shape=(3, 4, 3), data=IMAGE.tobytes())
    assert isinstance(shown, Shown)
