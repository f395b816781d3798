"""Whatever a peer sends, the server answers a fault or nothing, and lives on."""

import io
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import pytest
import zmq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from octoverse import wire
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.packing import Jpeg, pack
from octoverse.servers.client import Client
from octoverse.servers.zeromq import Server
from octoverse.synthetic import random_frame
from octoverse.wire import Limits

FRAME = random_frame(TABLETOP_ARM, np.random.default_rng(0))
WORDS = {"instruction": FRAME["instruction"]}
ARRAYS = {name: value for name, value in FRAME.items() if name != "instruction"}


class Peer:
    """A socket that sends what it likes, and a session to do it in."""

    def __init__(self, server: Server) -> None:
        self.client = Client(server.address, TABLETOP_ARM)
        self.session = self.client.welcome.session
        self.socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.RCVTIMEO, 60_000)
        self.socket.connect(server.address)

    def send(self, *frames: bytes) -> None:
        self.socket.send_multipart(frames)

    def fault(self, *frames: bytes) -> wire.Fault:
        self.send(*frames)
        reply = wire.read_reply(self.socket.recv_multipart()[0])
        assert isinstance(reply, wire.Fault), reply
        return reply

    def observe(self, **changes: Any) -> tuple[bytes, bytes]:
        message = wire.Observe(session=self.session, request=5, observed_at_ns=1, words=WORDS)
        header, body = pack(message, ARRAYS)
        fields = msgspec.msgpack.decode(header) | changes
        return msgspec.msgpack.encode(fields), body.tobytes()

    def places(self, which: str, **changes: Any) -> list[dict[str, Any]]:
        header, _ = self.observe()
        places: list[dict[str, Any]] = msgspec.msgpack.decode(header)["arrays"]
        return [p | changes if p["name"] == which else p for p in places]

    def alive(self) -> bool:
        return self.client.act(FRAME).action["arm"].shape == (6, 4)


@pytest.fixture(scope="module")
def server(servo: Any) -> Iterator[Server]:
    with Server(servo(), address="tcp://127.0.0.1:0", limits=Limits(message_bytes=10**6)) as server:
        yield server


@pytest.fixture
def peer(server: Server) -> Iterator[Peer]:
    peer = Peer(server)
    yield peer
    assert peer.alive()
    peer.client.close()
    peer.socket.close()


def test_too_few_and_too_many_frames(peer: Peer) -> None:
    assert peer.fault(b"").message == "message: expected 2 frames, got 1."
    header, body = peer.observe()
    assert peer.fault(header, body, b"more").message == "message: expected 2 frames, got 3."
    assert peer.fault(*[b"x"] * 300).message == "message: expected 2 frames, got 300."


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(header=st.binary(max_size=300), body=st.binary(max_size=300))
def test_random_bytes(peer: Peer, header: bytes, body: bytes) -> None:
    assert peer.fault(header, body).code == "bad_message"


def test_truncated_messages(peer: Peer) -> None:
    header, body = peer.observe()
    for length in range(0, len(header), 7):
        assert peer.fault(header[:length], body).code == "bad_message"
    for length in range(0, len(body), 5000):
        fault = peer.fault(header, body[:length])
        assert (fault.code, fault.request) == ("bad_message", 5)
        assert f"within a body of {length} bytes" in fault.message


def test_deep_nesting(peer: Peer) -> None:
    fault = peer.fault(b"\x81\xa1a" + b"\x91" * 60_000 + b"\x00", b"")
    assert "nested too deeply" in fault.message


def test_a_header_that_is_too_long(peer: Peer) -> None:
    assert "header: expected at most 65536 bytes" in peer.fault(bytes(70_000), b"").message


def test_an_unknown_type(peer: Peer) -> None:
    fault = peer.fault(msgspec.msgpack.encode({"type": "explode", "request": 8}), b"")
    assert (fault.code, fault.request) == ("bad_message", 8)


def test_another_protocol(peer: Peer) -> None:
    fault = peer.fault(msgspec.msgpack.encode({"type": "hello", "protocol": 9}), b"")
    assert fault.code == "protocol"
    assert "expected version 1, got 9" in fault.message


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"shape": [2**40, 2**40, 3]}, "expected at most 67108864 bytes decoded"),
        ({"shape": [2**12, 2**12, 3]}, "expected 50331648 bytes for uint8"),
        ({"offset": 2**62}, "within a body of"),
        ({"offset": 3}, "a multiple of 8"),
        ({"size": 2**62}, "within a body of"),
        ({"dtype": "float64"}, "Invalid enum value 'float64'"),
        ({"dtype": "float32"}, "expected 110592 bytes for float32"),
        ({"name": "tool"}, "expected one array of this name, got two"),
        ({"name": "instruction"}, "expected words or an array, got both"),
        ({"encoding": "jpeg"}, "JPEG: expected a complete image, got damaged data"),
    ],
)
def test_a_place_that_cannot_be(peer: Peer, changes: dict[str, Any], words: str) -> None:
    fault = peer.fault(*peer.observe(arrays=peer.places("table", **changes)))
    assert (fault.code, fault.request) == ("bad_message", 5)
    assert words in fault.message


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("table", {"name": "stranger"}, "No stream of 'tabletop_arm' named 'stranger'"),
        ("table", {"shape": [96, 288]}, r"tabletop_arm.table: expected shape (96, 96, 3)"),
        # An image that could be NaN is none.
        (
            "table",
            {"shape": [96, 24, 3], "dtype": "float32"},
            "expected uint8 RGB from 0 to 255, got float32",
        ),
        ("table", {"dtype": "bool"}, "table: expected uint8 RGB from 0 to 255, got bool"),
        ("tool", {"dtype": "uint8", "shape": [20]}, r"tabletop_arm.tool: expected shape (5,)"),
    ],
)
def test_an_observation_that_does_not_fit(
    peer: Peer, name: str, changes: dict[str, Any], words: str
) -> None:
    fault = peer.fault(*peer.observe(arrays=peer.places(name, **changes)))
    assert (fault.code, fault.request) == ("bad_observation", 5)
    assert words in fault.message


def test_a_jpeg_of_another_shape_than_the_camera_is_not_decoded(peer: Peer) -> None:
    message = wire.Observe(session=peer.session, request=5, observed_at_ns=1, words=WORDS)
    big = Jpeg.encode(np.zeros((1024, 1024, 3), np.uint8), 50)
    header, body = pack(message, ARRAYS | {"table": big})
    fault = peer.fault(header, body.tobytes())
    assert fault.code == "bad_observation"
    assert "table: expected shape (96, 96, 3), got (1024, 1024, 3)" in fault.message


def test_a_jpeg_that_lies_about_its_shape(peer: Peer) -> None:
    message = wire.Observe(session=peer.session, request=5, observed_at_ns=1, words=WORDS)
    big = Jpeg.encode(np.zeros((1024, 1024, 3), np.uint8), 50)
    header, body = pack(message, ARRAYS | {"table": Jpeg(big.data, (96, 96, 3))})
    fault = peer.fault(header, body.tobytes())
    assert "expected shape (96, 96, 3) as declared, got (1024, 1024, 3)" in fault.message


def test_a_jpeg_that_would_fill_the_memory_is_not_decoded(peer: Peer) -> None:
    message = wire.Observe(session=peer.session, request=5, observed_at_ns=1, words=WORDS)
    data = bytearray(Jpeg.encode(np.zeros((96, 96, 3), np.uint8), 50).data)
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = (65500).to_bytes(2) * 2
    for side, words in (
        (65500, "arrays: expected at most 67108864 bytes decoded, got 1287075"),
        (96, "expected shape (96, 96, 3) as declared, got (65500, 65500, 3)"),
    ):
        header, body = pack(message, ARRAYS | {"table": Jpeg(bytes(data), (side, side, 3))})
        fault = peer.fault(header, body.tobytes())
        assert fault.code == "bad_message"
        assert words in fault.message


def test_a_jpeg_of_a_thousand_scans_is_not_decoded(peer: Peer) -> None:
    message = wire.Observe(session=peer.session, request=5, observed_at_ns=1, words=WORDS)
    encoded = io.BytesIO()
    Image.new("RGB", (96, 96)).save(encoded, "JPEG", progressive=True)
    data = encoded.getvalue()
    last = data[data.rindex(b"\xff\xda") : -2]  # looks at the whole image once more
    bomb = Jpeg(data[:-2] + 1000 * last + data[-2:], (96, 96, 3))
    header, body = pack(message, ARRAYS | {"table": bomb})
    fault = peer.fault(header, body.tobytes())
    assert fault.code == "bad_message"
    assert "JPEG: expected at most 4 scans, got more. Encode it as baseline" in fault.message


def test_numbers_that_are_none(peer: Peer) -> None:
    message = wire.Observe(session=peer.session, request=5, observed_at_ns=1, words=WORDS)
    header, body = pack(message, ARRAYS | {"tool": np.full(5, np.nan, np.float32)})
    fault = peer.fault(header, body.tobytes())
    assert "tool[x]: expected a finite number, got nan" in fault.message


def test_a_session_that_is_none(peer: Peer) -> None:
    fault = peer.fault(*peer.observe(session="f" * 32))
    assert (fault.code, fault.request) == ("no_session", 5)
    assert fault.remedy == "Say Hello again; the window starts anew."


@pytest.mark.parametrize(
    ("sides", "code", "words"),
    [
        ((0, 96), "bad_message", "height must be"),
        ((2**20, 2**20), "spec_mismatch", "at most 67108864 bytes of images here, 329853"),
    ],
)
def test_cameras_of_impossible_sizes(
    peer: Peer, sides: tuple[int, int], code: str, words: str
) -> None:
    spec = msgspec.to_builtins(TABLETOP_ARM)
    spec["observation"]["table"] |= {"height": sides[0], "width": sides[1]}
    hello = {"type": "hello", "protocol": 1, "request": 6, "embodiment": spec}
    fault = peer.fault(msgspec.msgpack.encode(hello), b"")
    assert (fault.code, fault.request) == (code, 6)
    assert words in fault.message


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(place=st.integers(0, 10**6), byte=st.integers(0, 255))
def test_a_flipped_byte_in_a_sound_message(peer: Peer, place: int, byte: int) -> None:
    peer.send(msgspec.msgpack.encode({"type": "reset", "session": peer.session}), b"")
    header, body = peer.observe()
    spoilt = bytearray(header)
    spoilt[place % len(spoilt)] = byte
    peer.send(bytes(spoilt), body)
    peer.send(wire.encode(wire.Ping(request=77)), b"")
    replies: list[wire.Reply] = []
    while not any(isinstance(r, wire.Pong) for r in replies):
        replies.append(wire.read_reply(peer.socket.recv_multipart()[0]))
    assert all(isinstance(r, wire.Act | wire.Fault) for r in replies[:-1])


def test_a_frame_beyond_the_limit_costs_only_the_connection(peer: Peer) -> None:
    lost = peer.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    peer.send(wire.encode(wire.Ping(request=1)), bytes(10**6 + 1))
    assert lost.poll(60_000)
    peer.socket.disable_monitor()
    lost.close()
    peer.send(wire.encode(wire.Ping(request=2)), b"")
    reply = wire.read_reply(peer.socket.recv_multipart()[0])
    assert reply.request == 2


def test_a_peer_that_leaves_at_once(server: Server, peer: Peer) -> None:
    for _ in range(10):  # more at once would be too many frames of one robot
        socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
        socket.setsockopt(zmq.LINGER, 50)
        socket.connect(server.address)
        socket.send_multipart(peer.observe())
        socket.close()


def test_messages_without_end_cost_only_their_connections(peer: Peer, server: Server) -> None:
    before = server.status().cut
    lost = peer.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    while server.status().cut == before:
        peer.send(*[bytes(10**6)] * 300)
        assert peer.alive()
    assert lost.poll(60_000)
    peer.socket.disable_monitor()
    lost.close()


def test_one_who_sends_and_never_reads_stops_nobody(server: Server, peer: Peer) -> None:
    before = server.status().unsent
    deaf: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
    with deaf:
        deaf.setsockopt(zmq.LINGER, 0)
        deaf.setsockopt(zmq.RCVHWM, 1)
        deaf.setsockopt(zmq.RCVBUF, 4096)
        deaf.connect(server.address)
        while server.status().unsent == before:
            for _ in range(1000):
                deaf.send_multipart([b"", b""])
            assert peer.alive()
