import asyncio
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq
from zmq.utils.monitor import parse_monitor_message

from octoverse import wire
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.errors import BadKey, RemoteError, ServerError, ServerUnreachable
from octoverse.servers.allow_list import allow, revoke
from octoverse.servers.asynchronous import AsyncClient
from octoverse.servers.client import Client
from octoverse.servers.curve import Curve
from octoverse.servers.keys import ClientKeys, make_pair, read_public
from octoverse.servers.zeromq import Server
from octoverse.synthetic import random_frame

Serve = Callable[..., Server]
Until = Callable[[Callable[[], bool]], None]
FRAME = random_frame(TABLETOP_ARM, np.random.default_rng(0))
HURRIED_S = 2.0
"""How long one waits who will not be let in."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Keys of a server and of three robots, two of which are allowed."""
    for name in ("server", "arm", "car", "stranger"):
        make_pair(name, tmp_path)
    for name in ("arm", "car"):
        allow(tmp_path / "allowed.toml", read_public(tmp_path / f"{name}.pub"))
    return tmp_path


@pytest.fixture
def server(servo: Any, serve: Serve, folder: Path) -> Server:
    curve = Curve.load(str(folder / "server.key"), folder / "allowed.toml")
    return serve(servo(), curve=curve)


def keys(folder: Path, name: str, server: str = "server") -> ClientKeys:
    return ClientKeys.load(folder / f"{name}.key", folder / f"{server}.pub")


def connected(server: Server, folder: Path, name: str) -> Client:
    return Client(server.address, TABLETOP_ARM, keys=keys(folder, name))


def test_those_who_are_allowed_are_answered(server: Server, folder: Path) -> None:
    for name in ("arm", "car"):
        with connected(server, folder, name) as client:
            assert client.act(FRAME).action["arm"].shape == (6, 4)
    assert server.status().faults == {}


async def _ask(address: str, known: ClientKeys) -> Any:
    async with AsyncClient(address, TABLETOP_ARM, keys=known, timeout=60) as client:
        return await client.act(FRAME)


def test_so_are_those_who_await(server: Server, folder: Path) -> None:
    assert asyncio.run(_ask(server.address, keys(folder, "arm"))).action


def relay(port: int, heard: list[bytes]) -> int:
    """Stand between a client and the server of this port, and listen."""
    listener = socket.create_server(("127.0.0.1", 0))

    def pass_on(source: socket.socket, target: socket.socket) -> None:
        with source, target, suppress(OSError):  # either side may end it
            while data := source.recv(65536):
                heard.append(data)
                target.sendall(data)

    def meet() -> None:
        with listener:
            client, _ = listener.accept()
            server = socket.create_connection(("127.0.0.1", port))
            back = threading.Thread(target=pass_on, args=(server.dup(), client.dup()))
            back.start()
            pass_on(client, server)
            server.close()

    threading.Thread(target=meet, daemon=True).start()
    return listener.getsockname()[1]


@pytest.mark.parametrize("secured", [True, False])
def test_nothing_can_be_read_on_the_way(
    servo: Any, serve: Serve, folder: Path, secured: bool
) -> None:
    curve = Curve.load(folder / "server.key", folder / "allowed.toml") if secured else None
    server, heard = serve(servo(), curve=curve), list[bytes]()
    port = relay(int(server.address.rpartition(":")[2]), heard)
    own = keys(folder, "arm") if secured else None
    with Client(f"tcp://127.0.0.1:{port}", TABLETOP_ARM, keys=own) as client:
        assert client.act(FRAME | {"instruction": "lift the secret thing"}).action
    assert (b"lift the secret thing" in b"".join(heard)) is not secured


def test_a_key_that_is_not_allowed_is_turned_away_in_words(
    server: Server, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ServerUnreachable, match=r"not allow this client's key\. Allow it"):
        Client(server.address, TABLETOP_ARM, keys=keys(folder, "stranger"), timeout=HURRIED_S)
    assert read_public(folder / "stranger.pub").key in caplog.text
    with connected(server, folder, "arm") as client:
        assert client.act(FRAME).action


def test_one_without_keys_is_turned_away_in_words(server: Server, folder: Path) -> None:
    with pytest.raises(ServerUnreachable, match=r"hung up: it wants keys \(see `octoverse keys`\)"):
        Client(server.address, TABLETOP_ARM, timeout=HURRIED_S)
    with connected(server, folder, "arm") as client:
        assert client.act(FRAME).action


def test_one_who_takes_it_for_another_server_does_not_talk_to_it(
    server: Server, folder: Path
) -> None:
    wrong = keys(folder, "arm", server="stranger")
    with pytest.raises(ServerUnreachable, match="it is not the server whose public key was given"):
        Client(server.address, TABLETOP_ARM, keys=wrong, timeout=HURRIED_S)


def test_a_server_without_keys_is_not_talked_to(servo: Any, serve: Serve, folder: Path) -> None:
    server = serve(servo())
    with pytest.raises(ServerUnreachable, match="or it uses no keys"):
        Client(server.address, TABLETOP_ARM, keys=keys(folder, "arm"), timeout=HURRIED_S)


def test_one_who_is_revoked_is_refused_though_its_connection_stands(
    server: Server, folder: Path, until: Until
) -> None:
    with connected(server, folder, "arm") as arm, connected(server, folder, "car") as car:
        assert arm.act(FRAME).action
        revoke(folder / "allowed.toml", "arm")
        key = read_public(folder / "arm.pub").key
        assert server._curve is not None
        until(lambda: key not in server._curve.allowed)  # type: ignore[union-attr]
        with pytest.raises(RemoteError, match=r"one that was revoked\. Let it in again") as no:
            arm.act(FRAME)
        assert no.value.code == "not_allowed"
        assert car.act(FRAME).action
        allow(folder / "allowed.toml", read_public(folder / "arm.pub"))
        until(lambda: key in server._curve.allowed)  # type: ignore[union-attr]
        assert arm.act(FRAME).action
    assert server.status().faults == {"not_allowed": 1}


def test_one_who_is_allowed_later_is_let_in(server: Server, folder: Path, until: Until) -> None:
    allow(folder / "allowed.toml", read_public(folder / "stranger.pub"))
    assert server._curve is not None
    key = read_public(folder / "stranger.pub").key
    until(lambda: key in server._curve.allowed)  # type: ignore[union-attr]
    with connected(server, folder, "stranger") as client:
        assert client.act(FRAME).action


def test_a_session_of_another_robot_s_key_is_of_no_use(server: Server, folder: Path) -> None:
    with connected(server, folder, "arm") as arm, connected(server, folder, "car") as car:
        assert arm.act(FRAME).action
        message = wire.Bye(session=arm.session)
        observe = wire.Observe(session=arm.session, request=7, observed_at_ns=1, act=False)
        for stolen in (message, observe):
            car._line.sockets[0].send_multipart([wire.encode(stolen), b""])
        with Client(
            server.address, TABLETOP_ARM, keys=keys(folder, "car"), resume=arm.session
        ) as thief:
            assert thief.session != arm.session
            assert not thief.welcome.resumed
        assert arm.act(FRAME).action
        assert car.act(FRAME).action
        assert arm.restarts == car.restarts == 0
    assert server.status().faults == {"no_session": 1}


def test_the_robots_of_the_status_are_told_by_their_keys(server: Server, folder: Path) -> None:
    with connected(server, folder, "arm") as client:
        assert client.act(FRAME).action
        [robot] = server.status().robots
        assert robot.peer == read_public(folder / "arm.pub").key


def test_other_machines_are_served_with_keys_only(servo: Any, serve: Serve, folder: Path) -> None:
    with pytest.raises(ServerError, match=r"loopback .* or keys, got tcp://0\.0\.0\.0:0 without"):
        Server(servo(), address="tcp://0.0.0.0:0")
    curve = Curve.load(folder / "server.key", folder / "allowed.toml")
    server = serve(servo(), address="tcp://0.0.0.0:0", curve=curve)
    address = server.address.replace("0.0.0.0", "127.0.0.1")
    with Client(address, TABLETOP_ARM, keys=keys(folder, "arm")) as client:
        assert client.act(FRAME).action


def test_a_port_in_use_leaves_nothing_open(servo: Any, server: Server, folder: Path) -> None:
    curve = Curve.load(folder / "server.key", folder / "allowed.toml")
    with pytest.raises(ServerError, match="expected a free port"):
        Server(servo(), address=server.address, curve=curve).start()


def test_keys_that_others_can_read_start_no_server(folder: Path) -> None:
    (folder / "server.key").chmod(0o644)
    with pytest.raises(BadKey, match=r"got mode 644\. Run: chmod 600"):
        Curve.load(folder / "server.key", folder / "allowed.toml")
    (folder / "server.key").chmod(0o600)
    with pytest.raises(BadKey, match=r"other\.toml: expected an allow-list"):
        Curve.load(folder / "server.key", folder / "other.toml")


def test_nobody_is_let_in_where_nobody_looks_at_keys(folder: Path) -> None:
    curve = Curve.load(folder / "server.key", folder / "allowed.toml")
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        curve.secure(router)
        events = router.get_monitor_socket(
            zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
        )
        port = router.bind_to_random_port("tcp://127.0.0.1")
        curve.close()
        with zmq.Context() as elsewhere, elsewhere.socket(zmq.DEALER) as peer:
            keys(folder, "arm").secure(peer)
            peer.connect(f"tcp://127.0.0.1:{port}")
            assert events.poll(60_000)
            event = parse_monitor_message(events.recv_multipart())["event"]
            assert event == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
        router.disable_monitor()
        events.close()
