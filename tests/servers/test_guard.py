import resource
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress

import pytest
import zmq

from octoverse.servers import guard as guards
from octoverse.servers.guard import Guard
from octoverse.wire import Limits

Until = Callable[[Callable[[], bool]], None]
MEGABYTE = 10**6
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
READY = b"\x04\x29\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER\x08Identity\x00\x00\x00\x00"
SERVER = """
import resource, sys, zmq
from octoverse.servers.guard import Guard
from octoverse.wire import Limits

with zmq.Context() as context, context.socket(zmq.ROUTER) as socket:
    guard = Guard(Limits(message_bytes=10**6))
    guard.limit(socket)
    socket.bind("tcp://127.0.0.1:0")
    guard.start()
    print(socket.getsockopt_string(zmq.LAST_ENDPOINT), flush=True)
    while True:
        frames = socket.recv_multipart(copy=False)
        guard.delivered(frames[0].get(zmq.SRCFD), sum(map(len, frames)))
        megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000
        socket.send_multipart([frames[0].bytes, b"%d %d" % (guard.cut, megabytes)])
"""


class Bare:
    """A ROUTER that answers whoever completes a message, and its guard."""

    def __init__(self, limits: Limits) -> None:
        self._context = zmq.Context()
        self._socket: zmq.Socket[bytes] = self._context.socket(zmq.ROUTER)
        self.guard = Guard(limits)
        self.guard.limit(self._socket)
        self._socket.bind("tcp://127.0.0.1:0")
        self.guard.start()
        self.address = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self.reading = threading.Event()
        self.reading.set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self.reading.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.reading.wait()
            if not self._socket.poll(10):
                continue
            frames = self._socket.recv_multipart(copy=False)
            self.guard.delivered(int(frames[0].get(zmq.SRCFD)), sum(map(len, frames)))
            self._socket.send_multipart([frames[0].bytes, b"%d" % len(frames)])
        self.guard.close()
        self._context.destroy(linger=0)


@pytest.fixture
def bare() -> Iterator[Callable[..., Bare]]:
    servers: list[Bare] = []

    def start(**limits: int) -> Bare:
        servers.append(Bare(Limits(**{"message_bytes": MEGABYTE, **limits})))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def dealer() -> Iterator[Callable[[str], "zmq.Socket[bytes]"]]:
    context, peers = zmq.Context(), list["zmq.Socket[bytes]"]()

    def connect(address: str) -> "zmq.Socket[bytes]":
        peers.append(context.socket(zmq.DEALER))
        peers[-1].setsockopt(zmq.RCVTIMEO, 60_000)
        peers[-1].connect(address)
        return peers[-1]

    yield connect
    context.destroy(linger=0)


Dealer = Callable[[str], "zmq.Socket[bytes]"]


def connected(address: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), timeout=60)


def greeted(address: str) -> socket.socket:
    """A connection that has shaken hands as a DEALER does."""
    raw = connected(address)
    raw.sendall(GREETING + READY)
    answer = b""
    while len(answer) < len(GREETING + READY):
        answer += (more := raw.recv(1000))
        assert more, "it was cut"
    return raw


def send_until_cut(raw: socket.socket, data: bytes) -> None:
    """Send the same over and over, up to a gigabyte, until the connection breaks."""
    sent = 0
    with pytest.raises(OSError):
        while sent < 10**9:
            raw.sendall(data)
            sent += len(data)


def asked(peer: "zmq.Socket[bytes]") -> bytes:
    peer.send_multipart([b"header", b"body"])
    return peer.recv()


def test_frames_without_end_leave_the_memory_bounded(dealer: Dealer) -> None:
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True) as one:
        assert one.stdout
        address = one.stdout.readline().strip()
        good, bad = dealer(address), dealer(address)
        _, before = map(int, asked(good).split())
        for _ in range(5):
            bad.send_multipart([bytes(MEGABYTE)] * 300)
        cuts = 0
        while not cuts:
            cuts, after = map(int, asked(good).split())
        one.kill()
    assert after - before < 200  # six messages, and what comes between two looks


@pytest.mark.parametrize(
    "frame", [b"\x03" + MEGABYTE.to_bytes(8) + bytes(MEGABYTE), b"\x01\x00" * 50_000]
)
def test_a_message_without_end_is_cut_and_the_others_are_answered(
    bare: Callable[..., Bare], dealer: Dealer, frame: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    server = bare()
    good = dealer(server.address)
    with closing(greeted(server.address)) as raw:
        send_until_cut(raw, frame)
    assert asked(good) == b"3"
    assert server.guard.cut == 1
    assert "without completing a message" in caplog.text


def test_half_a_message_may_wait_and_costs_nobody_else_anything(
    bare: Callable[..., Bare], dealer: Dealer, until: Until
) -> None:
    server = bare()
    good = dealer(server.address)
    with closing(greeted(server.address)) as raw:
        raw.sendall(b"\x02" + MEGABYTE.to_bytes(8) + bytes(MEGABYTE // 2))
        assert asked(good) == b"3"
        assert server.guard.cut == 0
        raw.sendall(bytes(MEGABYTE // 2))
        answer = b""
        while not answer.endswith(b"\x00\x012"):
            answer += raw.recv(1000)
    until(lambda: server.guard.connections == 1)


def test_more_than_one_message_is_held_for_a_while_only(
    bare: Callable[..., Bare], until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guards, "_PATIENCE", 2)
    server = bare()
    with closing(greeted(server.address)) as raw:
        raw.sendall((b"\x03" + MEGABYTE.to_bytes(8) + bytes(MEGABYTE)) * 2)
        until(lambda: server.guard.cut == 1)


def test_all_together_may_not_hold_too_much(
    bare: Callable[..., Bare], dealer: Dealer, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guards, "_TOGETHER", 0)
    monkeypatch.setattr(guards, "_SMALL", 0)
    server = bare()
    half = b"\x02" + MEGABYTE.to_bytes(8) + bytes(MEGABYTE // 2)
    raws = [greeted(server.address) for _ in range(16)]
    for raw in raws:
        raw.sendall(half)
    until(lambda: server.guard.cut == 3)  # six messages and a little are allowed
    assert asked(dealer(server.address)) == b"3"
    for raw in raws:
        raw.close()


def test_one_who_sends_much_and_completes_it_is_never_cut(
    bare: Callable[..., Bare], dealer: Dealer, until: Until
) -> None:
    server = bare()
    peer = dealer(server.address)
    for _ in range(20):
        for _ in range(20):
            peer.send_multipart([bytes(60_000), bytes(900_000)])
        assert {peer.recv() for _ in range(20)} == {b"3"}
    assert server.guard.cut == 0


def test_what_waits_unread_is_not_held_against_a_client(
    bare: Callable[..., Bare], dealer: Dealer, until: Until
) -> None:
    server = bare()
    server.reading.clear()
    peer, looks = dealer(server.address), list[int]()
    weigh = server.guard._weigh
    server.guard._weigh = lambda fd, one: looks.append(fd) or weigh(fd, one)  # type: ignore
    for _ in range(20):
        peer.send_multipart([b"header", bytes(900_000)])
    until(lambda: len(looks) >= 5)
    server.reading.set()
    assert {peer.recv() for _ in range(20)} == {b"3"}
    assert server.guard.cut == 0


def test_the_newest_connections_beyond_the_limit_are_cut(
    bare: Callable[..., Bare], dealer: Dealer, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    server = bare(connections=2)
    first, second = dealer(server.address), dealer(server.address)
    assert asked(first) == asked(second) == b"3"
    for _ in range(2):
        with suppress(OSError), connected(server.address) as raw:
            while raw.recv(1000):
                pass
    until(lambda: server.guard.cut == 2)
    assert caplog.text.count("more than 2 connections: cut the newest") == 1
    second.close()
    until(lambda: server.guard.connections == 1)
    assert asked(dealer(server.address)) == asked(first) == b"3"


def test_a_descriptor_that_is_used_again_starts_from_nothing(
    bare: Callable[..., Bare], dealer: Dealer, until: Until
) -> None:
    server = bare()
    for _ in range(5):
        peer = dealer(server.address)
        peer.send_multipart([b"header", bytes(900_000)])
        assert peer.recv() == b"3"
        peer.close()
        until(lambda: server.guard.connections == 0)
    with closing(greeted(server.address)) as raw:
        send_until_cut(raw, b"\x03" + MEGABYTE.to_bytes(8) + bytes(MEGABYTE))
    assert server.guard.cut == 1


def test_a_client_that_never_reads_is_told_no_more(dealer: Dealer) -> None:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        guard = Guard(Limits())
        guard.limit(router)
        router.bind("tcp://127.0.0.1:0")
        guard.start()
        dealer(router.getsockopt_string(zmq.LAST_ENDPOINT)).send(b"")
        route, _ = router.recv_multipart()
        with pytest.raises(zmq.Again):
            while True:
                router.send_multipart([route, bytes(MEGABYTE)], zmq.NOBLOCK)
        with pytest.raises(zmq.ZMQError, match="Host unreachable"):
            router.send_multipart([b"gone", b""], zmq.NOBLOCK)
        guard.close()


def test_a_peer_that_is_silent_below_the_socket_goes(
    bare: Callable[..., Bare], until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    for option in (zmq.HEARTBEAT_IVL, zmq.HEARTBEAT_TIMEOUT, zmq.HANDSHAKE_IVL):
        monkeypatch.setitem(guards._OPTIONS, option, 20)
    server = bare()
    for raw in (greeted(server.address), connected(server.address)):
        with raw:
            while raw.recv(1000):
                pass
        until(lambda: server.guard.connections == 0)


def test_a_process_that_may_open_few_files_takes_few_connections(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (1024, 4096))
    assert guards._possible(896) == 896
    assert not caplog.text
    assert guards._possible(2048) == 896
    assert "may open 1024 files: expected 2048 connections, took 896" in caplog.text
    assert "`ulimit -n 2176`" in caplog.text


def test_a_system_that_does_not_count_says_so(
    bare: Callable[..., Bare],
    dealer: Dealer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(guards, "can_measure", lambda: False)
    server = bare()
    assert asked(dealer(server.address)) == b"3"
    assert "Serve only peers that you trust" in caplog.text


def test_a_guard_that_breaks_says_so(
    bare: Callable[..., Bare],
    dealer: Dealer,
    until: Until,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(link: socket.socket) -> int:
        raise OSError("no more files")

    monkeypatch.setattr(guards, "taken", broken)
    assert asked(dealer(bare().address)) == b"3"
    until(lambda: "the guard broke" in caplog.text)


def test_it_ends_before_it_began() -> None:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        guard = Guard(Limits())
        guard.limit(router)
        guard.close()
