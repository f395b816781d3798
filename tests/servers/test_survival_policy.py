"""Policies that raise, hang or answer nonsense, and clocks that jump: one robot pays, or nobody."""

import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from octoverse.acting import LocalPolicy
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.episode import ActionChunk
from octoverse.errors import RemoteError
from octoverse.servers.client import Client
from tests.servers.survivors import FRAME, Survivors

Until = Callable[[Callable[[], bool]], None]


def told(policy: Any, words: str, what: Callable[[], object]) -> None:
    """Let something happen whenever a robot of a batch is given such an instruction."""
    working = policy.act

    def act(observations: Any, memories: Any) -> Any:
        if any(seen.streams["instruction"] == words for seen in observations):
            what()
        return working(observations, memories)

    policy.act = act


def test_one_robot_that_makes_the_policy_raise_fails_alone(
    survivors: Survivors, servo: Any, until: Until
) -> None:
    policy = servo()

    def fail() -> None:
        raise RuntimeError("secret of the house")

    told(policy, "fail", fail)
    server = survivors.server(policy)

    def act(words: str) -> ActionChunk | str:
        with Client(server.address, TABLETOP_ARM, name=words) as client:
            try:
                return client.act({**FRAME, "instruction": words})
            except RemoteError as error:
                return f"{error.code}: {error}"

    policy.hold.clear()
    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(act, "go")
        until(lambda: len(policy.batches) == 1)
        others = [pool.submit(act, words) for words in ("go", "fail", "lift", "put")]
        until(lambda: server.status().queue == 4)
        policy.hold.set()
        answers = [one.result() for one in (first, *others)]
    failed = "policy_failed: The policy failed; the server's log says why."
    assert [one for one in answers if isinstance(one, str)] == [failed]
    assert answers[2] == failed
    # What raised is not counted by the policy.
    assert [len(batch) for batch in policy.batches] == [1, 1, 1, 1]
    assert server.status().batches == 2


def test_a_policy_that_hangs_for_one_robot_is_given_up_and_the_others_are_served(
    survivors: Survivors, servo: Any
) -> None:
    policy, release = servo(), threading.Event()
    told(policy, "hang", release.wait)
    server = survivors.server(policy, watchdog_s=0.5)
    with Client(server.address, TABLETOP_ARM) as bad, Client(server.address, TABLETOP_ARM) as good:
        good.act(FRAME)
        with pytest.raises(RemoteError, match=r"did not answer within 0\.5 s") as caught:
            bad.act({**FRAME, "instruction": "hang"})
        assert caught.value.code == "policy_failed"
        assert good.act(FRAME).action  # while that still hangs
        release.set()
        assert bad.act(FRAME).action
    assert server.status().hung == 1


@pytest.mark.parametrize("nonsense", [None, [None], 3, "chunk", [{"arm": 1}]])
def test_a_policy_that_answers_nonsense_is_asked_again(
    survivors: Survivors, servo: Any, nonsense: Any
) -> None:
    policy = servo()
    working, policy.act = policy.act, lambda observations, memories: nonsense
    with Client(survivors.server(policy).address, TABLETOP_ARM) as client:
        with pytest.raises(RemoteError) as caught:
            client.act(FRAME)
        assert caught.value.code == "policy_failed"
        policy.act = working
        assert client.act(FRAME).action


def test_the_clock_on_the_wall_may_jump(
    survivors: Survivors, servo: Any, drive: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    jumps = itertools.cycle([0, 4 * 10**18, 10**9, 2 * 10**18])
    monkeypatch.setattr(time, "time_ns", lambda: next(jumps))
    monkeypatch.setattr(time, "time", lambda: next(jumps) / 1e9)
    server = survivors.server(servo())
    with Client(server.address, TABLETOP_ARM) as client:
        session = client.session
        served = drive(client, 1)
        server.service.expire()
        assert (client.session, client.restarts) == (session, 0)
    local = drive(LocalPolicy(servo(), TABLETOP_ARM), 1)
    for one, other in zip(served, local, strict=True):
        assert np.array_equal(one.action["arm"], other.action["arm"])


def test_the_clock_of_a_robot_may_jump(survivors: Survivors, servo: Any) -> None:
    with Client(survivors.server(servo()).address, TABLETOP_ARM) as client:
        for before, after in ((10**15, 5), (2**63 - 1, 10**9)):
            client.reset()
            client.act(FRAME, observed_at_ns=before)
            with pytest.raises(RemoteError, match="expected frames in order of time") as caught:
                client.act(FRAME, observed_at_ns=after)
            assert caught.value.code == "bad_observation"
            client.reset()
            assert client.act(FRAME, observed_at_ns=after).observed_at_ns == after
        with pytest.raises(RemoteError, match=r"observed_at_ns`?") as caught:
            client.act(FRAME, observed_at_ns=2**63)
        assert caught.value.code == "bad_message"
