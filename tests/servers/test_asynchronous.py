import asyncio
import logging
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest

from octoverse.acting import LocalPolicy
from octoverse.embodiment import Embodiment
from octoverse.embodiments.road_car import ROAD_CAR
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.episode import ActionChunk
from octoverse.errors import RemoteError, ServerUnreachable
from octoverse.servers.client import AsyncClient, Client
from octoverse.servers.zeromq import Server
from octoverse.synthetic import random_frame

Serve = Callable[..., Server]
Drive = Callable[..., list[ActionChunk]]
FRAME = random_frame(TABLETOP_ARM, np.random.default_rng(0))


def same(left: list[ActionChunk], right: list[ActionChunk]) -> bool:
    return len(left) == len(right) > 0 and all(
        a.observed_at_ns == b.observed_at_ns
        and all(a.action[name].tobytes() == b.action[name].tobytes() for name in a.action)
        for a, b in zip(left, right, strict=True)
    )


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.001)


class Driver:
    """Calls an AsyncClient as `drive` calls a RobotPolicy, from a thread beside its loop."""

    def __init__(self, client: AsyncClient) -> None:
        self.body, self._client, self._loop = client.body, client, asyncio.get_running_loop()

    def _await(self, what: Awaitable[Any]) -> Any:
        async def wait() -> Any:
            return await what

        return asyncio.run_coroutine_threadsafe(wait(), self._loop).result(60)

    def reset(self, seed: int) -> None:
        self._await(self._client.reset(seed))

    def observe(self, frame: Any, **told: Any) -> None:
        self._await(self._client.observe(frame, **told))

    def act(self, frame: Any, **told: Any) -> Any:
        return self._await(self._client.act(frame, **told))


def test_it_acts_as_a_local_policy_many_robots_in_one_loop(
    servo: Any, serve: Serve, drive: Drive
) -> None:
    address = serve(servo()).address
    jobs = [(body, seed) for seed in range(2) for body in (TABLETOP_ARM, ROAD_CAR)]

    async def one(body: Embodiment, seed: int) -> list[ActionChunk]:
        async with AsyncClient(address, body) as client:
            return await asyncio.to_thread(drive, Driver(client), seed, steps=20)

    async def play() -> list[list[ActionChunk]]:
        return await asyncio.gather(*(one(*job) for job in jobs))

    for (body, seed), chunks in zip(jobs, asyncio.run(play()), strict=True):
        assert same(chunks, drive(LocalPolicy(servo(), body), seed, steps=20))


def test_both_clients_are_found_in_one_place_and_take_the_same() -> None:
    assert AsyncClient.act.__kwdefaults__ == Client.act.__kwdefaults__
    assert AsyncClient.__init__.__kwdefaults__ == Client.__init__.__kwdefaults__
    from octoverse.servers import client

    with pytest.raises(AttributeError, match=r"client' has no attribute 'SlowClient'"):
        client.SlowClient  # noqa: B018


def test_a_client_that_blocks_does_not_import_asyncio() -> None:
    code = "import sys, octoverse.servers.client; print(sorted({'asyncio'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_the_loop_goes_on_while_the_policy_works_and_calls_are_answered_in_turn(
    servo: Any, serve: Serve
) -> None:
    policy = servo()
    server = serve(policy)

    async def play() -> None:
        async with AsyncClient(server.address, TABLETOP_ARM) as client:
            policy.hold.clear()
            acting = asyncio.create_task(client.act(FRAME))
            pinging = asyncio.create_task(client.ping())
            await until(lambda: len(policy.batches) == 1)
            assert not acting.done() and not pinging.done()
            policy.hold.set()
            assert (await acting).action["arm"].shape == (6, 4)
            assert (await pinging).model == "servo-1"

    asyncio.run(play())


def test_a_call_that_is_cancelled_is_given_up_and_its_answer_is_late(
    servo: Any, serve: Serve
) -> None:
    policy = servo()
    server = serve(policy)

    async def play() -> None:
        async with AsyncClient(server.address, TABLETOP_ARM) as client:
            policy.hold.clear()
            acting = asyncio.create_task(client.act(FRAME, observed_at_ns=1))
            await until(lambda: len(policy.batches) == 1)
            acting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await acting
            policy.hold.set()
            assert (await client.act(FRAME, observed_at_ns=2)).observed_at_ns == 2
            assert client.late == 1

    asyncio.run(play())


def test_a_server_that_is_not_there_is_reported_in_time(puppet: Any) -> None:
    peer = puppet()
    peer.die()

    async def play() -> None:
        with pytest.raises(ServerUnreachable, match=r"got no connection within 0\.2 s"):
            async with AsyncClient(peer.address, TABLETOP_ARM, timeout=0.2):
                pass

    asyncio.run(play())


def test_a_policy_that_takes_too_long_is_given_up(servo: Any, serve: Serve) -> None:
    policy = servo()
    server = serve(policy)

    async def play() -> None:
        async with AsyncClient(server.address, TABLETOP_ARM) as client:
            policy.hold.clear()
            client.timeout = 0.2
            with pytest.raises(ServerUnreachable, match=r"answer within 0.2 s, got none, though"):
                await client.act(FRAME)
            policy.hold.set()
            client.timeout = 60.0
            assert (await client.ping()).sessions == 1

    asyncio.run(play())


def test_it_survives_a_server_that_is_started_again(
    servo: Any, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    server = serve(servo())

    async def play() -> None:
        async with AsyncClient(server.address, TABLETOP_ARM) as client:
            await client.act(FRAME)
            await asyncio.to_thread(server.stop)
            acting = asyncio.create_task(client.act(FRAME))
            await until(lambda: "lost the policy server" in caplog.text)
            await asyncio.to_thread(serve, servo(), address=server.address)
            assert (await acting).action["arm"].shape == (6, 4)
            assert client.restarts == 1

    with caplog.at_level(logging.WARNING):
        asyncio.run(play())
    assert "the server forgot this robot; saying hello again, the window starts anew" in caplog.text


def test_a_robot_that_is_refused_leaves_nothing_behind(
    servo: Any, serve: Serve, other_arm: Embodiment
) -> None:
    server = serve(servo())

    async def play() -> None:
        client = AsyncClient(server.address, other_arm)
        with pytest.raises(RemoteError, match=r"control_hz: 10.0 here, 20.0 there"):
            await client.__aenter__()
        assert client._line._context.closed
        await client.close()

    asyncio.run(play())


def test_a_full_line_is_waited_for(puppet: Any, servo: Any, serve: Serve) -> None:
    from octoverse.servers.asynchronous import AsyncConnection
    from octoverse.servers.conversation import Conversation
    from octoverse.servers.line import Line
    from octoverse.servers.talk import SENT, Message, say

    peer, count = puppet(RCVHWM=1), 40

    async def play() -> None:
        line = Line(peer.address, 60.0, Conversation(TABLETOP_ARM).read)
        connection = AsyncConnection(line)

        async def tell() -> None:
            for _ in range(count):
                _, answer = await connection.carry(say(lambda: Message(b"told", bytes(10**6))))
                assert answer is SENT

        hearing = asyncio.to_thread(lambda: [peer.hear()[0] for _ in range(count)])
        _, heard = await asyncio.gather(tell(), hearing)
        assert heard == [b"told"] * count
        await connection.close(None)

    asyncio.run(play())
