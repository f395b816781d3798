from collections.abc import Mapping
from typing import Any, cast

import msgspec
import numpy as np
import pytest

from octoverse import wire
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.errors import RemoteError, SpecMismatch
from octoverse.servers.faults import Reply
from octoverse.servers.frontend_settings import Settings
from octoverse.servers.guest import Guest
from octoverse.servers.key_map import KeyMap
from octoverse.servers.service import Service
from octoverse.synthetic import random_frame
from octoverse.wire import Act, Bye, Closing, Fault, Hello, Observe, Reset, Timing, Welcome

SESSION = "a" * 32
FRAME = random_frame(TABLETOP_ARM, np.random.default_rng(0))
CHUNK = {"arm": np.ones((6, 4), np.float32), "gripper": np.zeros((6, 1), np.float32)}
TIMING = Timing(prepared_ms=0, queued_ms=0, inference_ms=0, total_ms=0, batch=1)


class Desk:
    """Stands for a service: keeps what it is told, and answers when the test says so."""

    def __init__(self) -> None:
        self.told: list[wire.Request] = []
        self.arrays: Mapping[str, Any] = {}
        self.size = 0

    def handle(
        self, message: wire.Request, arrays: Any, reply: Reply, peer: str = "", size: int = 0
    ) -> None:
        self.told.append(message)
        self.arrays, self.reply, self.size = arrays, reply, size

    @property
    def last(self) -> Any:
        return self.told[-1]

    def welcome(self, session: str = SESSION) -> None:
        spec = {f.name: f for f in msgspec.structs.fields(Welcome)}
        values: dict[str, Any] = dict.fromkeys(spec)
        values |= {"request": self.last.request, "session": session, "resumed": False}
        self.reply(Welcome(**values), {})

    def act(self, number: int | None = None) -> None:
        number = self.last.request if number is None else number
        act = Act(request=cast(int, number), step=0, observed_at_ns=1, timing=TIMING)
        self.reply(act, CHUNK)

    def fault(self, code: str) -> None:
        self.reply(
            Fault(code=code, message="Too bad.", remedy="Wait.", request=self.last.request), {}
        )


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def guest(desk: Desk, servo: Any) -> Guest:
    told = {
        "frontend": "openpi",
        "body": "tabletop_arm",
        "address": "127.0.0.1:0",
        "observation": {name: name for name in FRAME},
        "action": {"actions": ["arm", "gripper"]},
    }
    key_map = KeyMap(msgspec.convert(told, Settings), servo())
    return Guest(cast(Service, desk), key_map, "a robot")


def test_it_says_hello_once_and_asks_with_every_observation(desk: Desk, guest: Guest) -> None:
    answers: list[Any] = []
    seen = FRAME | {"table": np.zeros((120, 160, 3), np.uint8)}
    guest.ask(seen, 123, answers.append)
    hello = desk.last
    assert isinstance(hello, Hello) and hello.client == "a robot"
    assert hello.embodiment.cameras["table"].height == 120
    desk.welcome()
    first = desk.last
    assert isinstance(first, Observe) and first.session == SESSION and desk.size == 123
    assert first.words == {"instruction": FRAME["instruction"]}
    assert desk.arrays.keys() == {"table", "wrist", "tool"}
    desk.act()
    assert answers.pop()["actions"].shape == (6, 5)
    guest.ask(seen, 123, answers.append)
    second = desk.last
    assert isinstance(second, Observe) and second.session == SESSION
    assert (first.step, second.step) == (0, 1) and second.request != first.request
    assert second.observed_at_ns > first.observed_at_ns
    desk.act()
    assert len(answers) == 1 and len(desk.told) == 3


def test_a_fault_is_handed_on_in_words_and_the_next_question_is_asked(
    desk: Desk, guest: Guest
) -> None:
    answers: list[Any] = []
    guest.ask(FRAME, 0, answers.append)
    desk.fault("too_many_sessions")
    assert isinstance(answers[0], RemoteError) and str(answers[0]) == "Too bad. Wait."
    guest.ask(FRAME, 0, answers.append)
    assert isinstance(desk.last, Hello)
    desk.welcome()
    desk.fault("overloaded")
    guest.ask(FRAME, 0, answers.append)
    assert isinstance(desk.last, Observe)
    assert [a.code for a in answers] == ["too_many_sessions", "overloaded"]


@pytest.mark.parametrize("code", ["no_session", "worker_lost"])
def test_a_lost_session_is_replaced_once_and_the_question_asked_again(
    desk: Desk, guest: Guest, code: str
) -> None:
    answers: list[Any] = []
    guest.ask(FRAME, 0, answers.append)
    desk.welcome()
    desk.fault(code)
    assert isinstance(desk.last, Hello) and not answers
    desk.welcome("b" * 32)
    assert desk.told[-1] == msgspec.structs.replace(desk.last, session="b" * 32)
    desk.fault(code)
    assert [a.code for a in answers] == [code]
    guest.ask(FRAME, 0, answers.append)
    desk.fault(code)
    assert isinstance(desk.last, Hello)


def test_a_question_before_the_answer_is_refused(desk: Desk, guest: Guest) -> None:
    answers: list[Any] = []
    guest.ask(FRAME, 0, answers.append)
    with pytest.raises(SpecMismatch, match="expected it after the answer to the one before"):
        guest.ask(FRAME, 0, answers.append)
    desk.welcome()
    desk.act()
    assert len(answers) == 1


def test_what_does_not_fit_is_refused_before_anybody_is_asked(desk: Desk, guest: Guest) -> None:
    with pytest.raises(SpecMismatch, match="'tool': expected the state"):
        guest.ask({k: v for k, v in FRAME.items() if k != "tool"}, 0, lambda answer: None)
    assert not desk.told
    guest.ask(FRAME, 0, lambda answer: None)
    assert desk.told


def test_an_answer_to_another_question_is_none(desk: Desk, guest: Guest) -> None:
    answers: list[Any] = []
    guest.ask(FRAME, 0, answers.append)
    desk.welcome()
    number = desk.last.request
    desk.act(number + 7)
    assert not answers
    desk.act(number)
    desk.act(number)
    assert len(answers) == 1


def test_a_server_that_closes_answers_who_waits(desk: Desk, guest: Guest) -> None:
    answers: list[Any] = []
    guest.ask(FRAME, 0, answers.append)
    desk.welcome()
    desk.reply(Closing(reason="The server stops."), {})
    desk.reply(Closing(reason="The server stops."), {})
    assert [(a.code, str(a)) for a in answers] == [("stopping", "The server stops.")]


def test_a_new_episode_forgets_the_window_and_counts_anew(desk: Desk, guest: Guest) -> None:
    guest.reset()
    assert not desk.told
    guest.ask(FRAME, 0, lambda answer: None)
    desk.welcome()
    desk.act()
    guest.reset()
    assert desk.last == Reset(session=SESSION)
    guest.ask(FRAME, 0, lambda answer: None)
    assert desk.last.step == 0


def test_who_leaves_gives_the_session_up_and_hears_nothing(desk: Desk, guest: Guest) -> None:
    answers: list[Any] = []
    guest.ask(FRAME, 0, answers.append)
    desk.welcome()
    number = desk.last.request
    guest.leave()
    assert desk.last == Bye(session=SESSION)
    desk.act(number)
    assert not answers


def test_a_welcome_that_comes_after_leaving_is_given_back(desk: Desk, guest: Guest) -> None:
    guest.ask(FRAME, 0, lambda answer: None)
    guest.leave()
    desk.welcome()
    assert desk.last == Bye(session=SESSION)
