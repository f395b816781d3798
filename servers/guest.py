"""One robot whose client speaks another protocol: its session, and its questions in our words."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from octoverse import wire
from octoverse.errors import RemoteError, SpecMismatch
from octoverse.servers.key_map import KeyMap
from octoverse.servers.service import Service

Answer = Callable[[Mapping[str, np.ndarray] | RemoteError], None]
"""Takes actions by the client's keys, or why there are none; called from any thread."""
_LOST = ("no_session", "worker_lost")


@dataclass(frozen=True, kw_only=True)
class _Question:
    number: int
    step: int
    at_ns: int
    arrays: Mapping[str, np.ndarray]
    words: dict[str, str]
    size: int
    answer: Answer


class Guest:
    """Asks a service on behalf of one robot, one question at a time; never waits.

    Args:
        service: Answers.
        key_map: Between the client's keys and the body.
        client: What the log calls it.
    """

    def __init__(self, service: Service, key_map: KeyMap, client: str) -> None:
        self._service, self._map, self._client = service, key_map, client
        self._lock = threading.Lock()
        self._question: _Question | None = None
        self._session: str | None = None
        self._was_lost = False
        self._asked = self._step = 0

    def ask(self, observation: Mapping[str, Any], size: int, answer: Answer) -> None:
        """Ask what to do.

        Args:
            observation: By the client's keys.
            size: What it takes up [bytes].
            answer: Is called once, unless the guest leaves first.

        Raises:
            SpecMismatch: in words, if the observation does not fit the body, or the one before
                has not been answered yet.
        """
        arrays, words = self._map.frame(observation)
        with self._lock:
            if self._question is not None:
                raise SpecMismatch(
                    "observation: expected it after the answer to the one before, got it earlier. "
                    "Wait for each answer."
                )
            self._question = question = _Question(
                number=self._asked,
                step=self._step,
                at_ns=time.monotonic_ns(),
                arrays=arrays,
                words=words,
                size=size,
                answer=answer,
            )
            self._asked, self._step, self._was_lost = self._asked + 1, self._step + 1, False
        if self._session is None:
            self._greet(question)
        else:
            self._send(question, self._session)

    def reset(self) -> None:
        """Begin a new episode."""
        self._step = 0
        if self._session is not None:
            self._service.handle(wire.Reset(session=self._session), {}, self._take)

    def leave(self) -> None:
        """Give the session up; nothing is answered any more."""
        with self._lock:
            session, self._session, self._question = self._session, None, None
        if session is not None:
            self._service.handle(wire.Bye(session=session), {}, self._take)

    def _greet(self, question: _Question) -> None:
        hello = wire.Hello(
            protocol=wire.PROTOCOL,
            embodiment=self._map.seen_by(question.arrays),
            client=self._client,
            request=question.number,
        )
        self._service.handle(hello, {}, self._take)

    def _send(self, question: _Question, session: str) -> None:
        message = wire.Observe(
            session=session,
            request=question.number,
            observed_at_ns=question.at_ns,
            step=question.step,
            words=question.words,
        )
        self._service.handle(message, question.arrays, self._take, size=question.size)

    def _take(self, message: wire.Reply, arrays: Mapping[str, np.ndarray]) -> None:
        question = self._question
        if isinstance(message, wire.Welcome) and question is None:
            self._service.handle(wire.Bye(session=message.session), {}, self._take)
        if question is None or message.request not in (None, question.number):
            return
        match message:
            case wire.Welcome():
                self._session = message.session
                self._send(question, message.session)
            case wire.Act():
                self._answer(question, self._map.actions(arrays))
            case wire.Fault() if message.code in _LOST and not self._was_lost:
                self._was_lost, self._session = True, None
                self._greet(question)
            case wire.Fault():
                self._answer(question, RemoteError(message.code, message.message, message.remedy))
            case wire.Closing():
                self._answer(question, RemoteError("stopping", message.reason))

    def _answer(self, question: _Question, answer: Mapping[str, np.ndarray] | RemoteError) -> None:
        with self._lock:
            if self._question is not question:
                return
            self._question = None
        question.answer(answer)
