"""Connections that end badly or never end: whoever else is served notices nothing."""

import asyncio
import logging
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq

from octoverse import wire
from octoverse.embodiments.road_car import ROAD_CAR
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.servers.allow_list import allow
from octoverse.servers.client import AsyncClient, Client
from octoverse.servers.curve import Curve
from octoverse.servers.keys import ClientKeys, make_pair, read_public
from octoverse.synthetic import random_frame
from tests.servers.survivors import FRAME, ROOT, Survivors, free_address, is_well

Until = Callable[[Callable[[], bool]], None]
MEGABYTE = 10**6
PING = wire.encode(wire.Ping(request=7))
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
READY = b"\x04\x29\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER\x08Identity\x00\x00\x00\x00"


def greeted(address: str) -> socket.socket:
    """A bare connection that has shaken hands as a DEALER does."""
    raw = socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), timeout=60)
    raw.sendall(GREETING + READY)
    answer = b""
    while len(answer) < len(GREETING + READY):
        answer += (more := raw.recv(1000))
        assert more, "it was cut"
    return raw


def test_a_frame_that_is_too_large_and_hundreds_that_are_not_take_no_memory(
    survivors: Survivors,
) -> None:
    process = survivors.process()
    assert is_well(process.address)
    before = process.figures()["peak"]
    bad = survivors.dealer(process.address)
    lost = bad.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    bad.send_multipart([PING, bytes(MEGABYTE + 1)])
    assert lost.poll(60_000)
    bad.disable_monitor()
    lost.close()
    frame = bytes(MEGABYTE)
    with Client(process.address, TABLETOP_ARM) as good:
        while process.figures()["cut"] < 3:
            bad.send_multipart([frame] * 1000, copy=False)
            good.act(FRAME)
    assert process.figures()["peak"] - before < 500  # of 1000 in each message


def test_who_sends_and_never_reads_takes_no_memory(survivors: Survivors) -> None:
    process = survivors.process()
    assert is_well(process.address)
    before = process.megabytes
    deaf = survivors.dealer(process.address, RCVHWM=1, RCVBUF=4096)
    with Client(process.address, TABLETOP_ARM) as good:
        while process.figures()["unsent"] < 20_000:
            for _ in range(2000):
                deaf.send_multipart([b"", b""])
            good.act(FRAME)
    assert process.megabytes - before < 50


@pytest.mark.parametrize("kept", [5, 40, len(GREETING + READY) + 3])
def test_half_a_handshake_and_half_a_message(survivors: Survivors, kept: int) -> None:
    server = survivors.process()
    message = b"\x01" + bytes([len(PING)]) + PING + b"\x02" + struct.pack(">Q", MEGABYTE)
    raws = []
    for _ in range(20):
        raw = socket.create_connection(("127.0.0.1", int(server.address.rpartition(":")[2])))
        raw.sendall((GREETING + READY + message)[:kept])
        raws.append(raw)
    halves = [greeted(server.address) for _ in range(20)]
    for raw in halves:
        raw.sendall(message + bytes(MEGABYTE // 2))
    assert is_well(server.address)
    for raw in (*raws, *halves):
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raw.close()  # with a reset, as a machine does that loses power


def test_a_server_killed_at_work_and_started_again_is_found_by_both_kinds_of_clients(
    survivors: Survivors, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    address, hang = free_address(), tmp_path / "hang"
    process = survivors.process(address, str(hang))
    scene = random_frame(ROAD_CAR, np.random.default_rng(0))

    async def play() -> None:
        with Client(address, TABLETOP_ARM) as arm:
            async with AsyncClient(address, ROAD_CAR) as car:
                before = [arm.act(FRAME), await car.act(scene)]
                sessions = [arm.session, car.session]
                hang.touch()
                acting = asyncio.create_task(asyncio.to_thread(arm.act, FRAME))
                assert await asyncio.to_thread(process.hear) == "hanging"
                driving = asyncio.create_task(car.act(scene))
                process.kill()
                hang.unlink()
                await asyncio.to_thread(survivors.process, address)
                after = [await acting, await driving]
                assert [one.embodiment for one in after] == [one.embodiment for one in before]
                assert (arm.restarts, car.restarts) == (1, 1)
                assert not {arm.session, car.session} & set(sessions)

    with caplog.at_level(logging.WARNING):
        asyncio.run(play())
    for body in ("tabletop_arm", "road_car"):
        words = f"{body}: the server forgot this robot; saying hello again, the window starts anew"
        assert words in caplog.messages
    assert f"{address}: the policy server is back" in caplog.messages


ROBOT = """
import sys
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.servers.client import Client
from tests.servers.survivors import FRAME

client = Client(sys.argv[1], TABLETOP_ARM, timeout=60.0)
client.act(FRAME, observed_at_ns=10**8)
print(client.session, flush=True)
sys.stdin.readline()
client.act(FRAME, observed_at_ns=2 * 10**8)
"""


def test_a_client_killed_while_it_waits_costs_its_answer_and_its_next_one_goes_on(
    survivors: Survivors, servo: Any, until: Until
) -> None:
    policy = servo()
    server = survivors.server(policy)
    with subprocess.Popen(
        [sys.executable, "-c", ROBOT, server.address],
        cwd=ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as robot:
        assert robot.stdout is not None
        session = robot.stdout.readline().strip()
        policy.hold.clear()
        assert robot.stdin is not None
        robot.stdin.write("\n")
        robot.stdin.flush()
        until(lambda: len(policy.batches) == 2)
        robot.kill()
    until(lambda: server.status().connections == 0)
    policy.hold.set()
    until(lambda: server.status().unsent == 1)
    with Client(server.address, TABLETOP_ARM, resume=session) as client:
        assert client.welcome.resumed
        assert client.act(FRAME, observed_at_ns=3 * 10**8).action
        assert (client.session, client.restarts) == (session, 0)
        assert len(server.status().robots) == 1


CURVE_GREETING = GREETING[:12] + b"CURVE".ljust(20, b"\0") + bytes(32)
CURVE_HELLO = b"\x04\xc8\x05HELLO\x01\x00" + bytes(192)  # with a key and a box of nobody's


def test_a_crowd_without_keys_or_with_the_wrong_ones_keeps_nobody_out(
    survivors: Survivors, servo: Any, tmp_path: Path, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("server", "arm", "stranger"):
        make_pair(name, tmp_path)
    allow(tmp_path / "allowed.toml", read_public(tmp_path / "arm.pub"))
    arm, stranger, lost = (
        ClientKeys.load(tmp_path / f"{own}.key", tmp_path / f"{other}.pub")
        for own, other in (("arm", "server"), ("stranger", "server"), ("arm", "stranger"))
    )
    curve = Curve.load(tmp_path / "server.key", tmp_path / "allowed.toml")
    server = survivors.server(servo(), arm, curve=curve)
    for keys in (stranger, lost, None) * 10:
        survivors.dealer(server.address, keys).send_multipart([PING, b""])
    raws = []
    for said in (GREETING + READY, CURVE_GREETING, CURVE_GREETING + CURVE_HELLO) * 10:
        raw = socket.create_connection(("127.0.0.1", int(server.address.rpartition(":")[2])))
        raw.sendall(said)
        raws.append(raw)
    key = read_public(tmp_path / "stranger.pub").key
    until(lambda: caplog.text.count(f"key is not allowed: {key}") >= 10)
    with Client(server.address, TABLETOP_ARM, keys=arm) as good:
        assert good.act(FRAME).action
    assert (server.status().answered, server.status().faults) == (1, {})
    for raw in raws:
        raw.close()
