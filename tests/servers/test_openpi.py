"""An unmodified client of openpi is served, and whoever else comes costs only their connection."""

import contextlib
import http.client
import socket
import threading
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("websockets", reason="needs the extra 'openpi'")

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from octoverse.acting import LocalPolicy
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.episode import Frame
from octoverse.errors import ServerError
from octoverse.servers.frontend_settings import Settings
from octoverse.servers.numpy_msgpack import write_openpi
from octoverse.servers.openpi import OpenpiFrontend
from octoverse.servers.service import Service
from octoverse.synthetic import random_frame
from octoverse.wire import Limits

KEYS = {
    "observation/image": "table",
    "observation/wrist_image": "wrist",
    "observation/state": "tool",
    "prompt": "instruction",
}
TOLD = {
    "frontend": "openpi",
    "body": "tabletop_arm",
    "address": "127.0.0.1:0",
    "observation": {stream: key for key, stream in KEYS.items()},
    "action": {"actions": ["arm", "gripper"]},
}
BYTES = 10**6


def _seen(seed: int = 0) -> dict[str, Any]:
    frame = random_frame(TABLETOP_ARM, np.random.default_rng(seed))
    return {key: frame[stream] for key, stream in KEYS.items()}


def _read(message: str | bytes) -> Any:
    """Read an answer without the code under test."""
    assert isinstance(message, bytes), message
    found = msgspec.msgpack.decode(message, strict=False)
    for name, value in found.items():
        if isinstance(value, dict) and value.get(b"__ndarray__"):
            array = np.frombuffer(value[b"data"], value[b"dtype"])
            found[name] = array.reshape(value[b"shape"])
    return found


class Desk:
    """A service and its frontend."""

    def __init__(self, policy: Any, limits: Limits | None = None, **changes: Any) -> None:
        self.policy = policy
        self.service = Service(policy, limits=limits or Limits(message_bytes=BYTES))
        self.told = msgspec.convert(TOLD | changes, Settings)

    def __enter__(self) -> "Desk":
        self.service.start()
        self.frontend = OpenpiFrontend(self.service, self.told).start()
        self.host, port = self.frontend.address.split(":")
        self.port = int(port)
        return self

    def __exit__(self, *error: object) -> None:
        self.service.stop()
        self.frontend.stop()

    def connect(self, **options: Any) -> ClientConnection:
        uri = f"ws://{self.frontend.address}"
        return connect(uri, compression=None, max_size=None, proxy=None, **options)

    def is_well(self) -> bool:
        with self.connect() as client:
            client.recv()
            client.send(write_openpi(_seen()))
            return bool(_read(client.recv())["actions"].shape == (6, 5))


@pytest.fixture
def desk(servo: Any) -> Iterator[Desk]:
    with Desk(servo()) as desk:
        yield desk
        assert desk.is_well()


@pytest.mark.filterwarnings("ignore:connect\\(\\) must be used:DeprecationWarning")
def test_openpi_s_own_client_is_served_as_a_local_robot(desk: Desk, servo: Any) -> None:
    openpi = pytest.importorskip(
        "openpi_client.websocket_client_policy", reason="needs openpi's own client"
    )
    client = openpi.WebsocketClientPolicy(desk.host, desk.port)
    assert client.get_server_metadata() == {
        "model": "servo-1",
        "body": "tabletop_arm",
        "control_hz": 10.0,
        "horizons": {"actions": 6},
    }
    local = LocalPolicy(servo(), "tabletop_arm")
    for i in range(3):
        seen = _seen(i)
        answer = client.infer(seen)
        chunk = local.act({stream: seen[key] for key, stream in KEYS.items()})
        actions = answer["actions"]
        assert actions.dtype == np.float32
        if i == 0:  # later windows depend on when the frames came
            expected = np.hstack([chunk.action["arm"], chunk.action["gripper"]])
            np.testing.assert_array_equal(actions, expected)
        assert answer["server_timing"]["infer_ms"] > 0
        assert ("prev_total_ms" in answer["server_timing"]) == (i > 0)
    with pytest.raises(RuntimeError, match=r"'prompt': expected the instruction .* got nothing"):
        client.infer({k: v for k, v in seen.items() if k != "prompt"})
    assert client.infer(seen)["actions"].shape == (6, 5)
    client._ws.close()


def test_a_client_of_aloha_sends_maps_in_maps_and_channels_first(servo: Any) -> None:
    told = {"table": "images/cam_high", "wrist": "images/cam_low", "tool": "state"}
    words = {"instruction": "transfer the cube"}
    with Desk(servo(), observation=told, words=words) as desk, desk.connect() as client:
        client.recv()
        seen, frame = _seen(), random_frame(TABLETOP_ARM, np.random.default_rng(0))
        images = {
            "cam_high": np.ascontiguousarray(seen["observation/image"].transpose(2, 0, 1)),
            "cam_low": np.ascontiguousarray(seen["observation/wrist_image"].transpose(2, 0, 1)),
        }
        state = seen["observation/state"].astype(np.float64)
        client.send(write_openpi({"state": state, "images": images}))
        actions = _read(client.recv())["actions"]
    chunk = LocalPolicy(servo(), "tabletop_arm").act(frame | words)
    expected = np.hstack([chunk.action["arm"], chunk.action["gripper"]])
    np.testing.assert_array_equal(actions, expected)


def test_images_of_another_size_are_resized_by_the_policy(servo: Any) -> None:
    class Resizing(servo):  # type: ignore[misc]
        def prepare(self, body: str, frame: Frame) -> Frame:
            return {
                name: np.ascontiguousarray(v[: 24 * (len(v) // 24) : len(v) // 24, :32])
                if name in ("table", "wrist")
                else v
                for name, v in frame.items()
            }

    with Desk(Resizing()) as desk, desk.connect() as client:
        client.recv()
        client.send(write_openpi(_seen() | {"observation/image": np.zeros((240, 320, 3), "u1")}))
        assert _read(client.recv())["actions"].shape == (6, 5)
        client.send(write_openpi(_seen()))
        assert "expected shape (240, 320, 3), got (96, 96, 3)" in str(client.recv())


def test_robots_that_ask_together_are_computed_together(desk: Desk, until: Any) -> None:
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(desk.connect()) for _ in range(8)]
        desk.policy.hold.clear()
        for client in clients:
            client.recv()
            client.send(write_openpi(_seen()))
        until(lambda: sum(map(len, desk.policy.batches)) + desk.service.status().queue == 8)
        desk.policy.hold.set()
        for client in clients:
            assert _read(client.recv())["actions"].shape == (6, 5)
    assert len(clients) == sum(map(len, desk.policy.batches))
    assert max(map(len, desk.policy.batches)) > 1


def test_each_connection_is_a_robot_and_is_forgotten_when_it_ends(desk: Desk, until: Any) -> None:
    with desk.connect() as one, desk.connect() as other:
        for client in (one, other):
            client.recv()
            client.send(write_openpi(_seen()))
            client.recv()
        assert [r.client for r in desk.service.status().robots] == ["openpi", "openpi"]
    until(lambda: not desk.service.status().robots)


def test_a_client_that_dies_in_the_middle_disturbs_nobody(desk: Desk, until: Any) -> None:
    desk.policy.hold.clear()
    with desk.connect() as client:
        client.recv()
        client.send(write_openpi(_seen()))
        until(lambda: len(desk.policy.batches) == 1)
        client.socket.shutdown(socket.SHUT_RDWR)
    desk.policy.hold.set()
    until(lambda: not desk.service.status().robots)


def test_half_a_message_and_half_a_handshake_disturb_nobody(desk: Desk) -> None:
    with socket.create_connection((desk.host, desk.port)) as half:
        half.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nUpgr")
        with desk.connect() as client:
            client.recv()
            client.socket.sendall(b"\x82\xfe\xff\xffabcd" + bytes(100))
            assert desk.is_well()
            client.socket.shutdown(socket.SHUT_RDWR)


def test_what_is_no_message_of_openpi_s_is_told_so_and_costs_the_connection(desk: Desk) -> None:
    for data, words in (
        (b"\xc1", "got a byte 0xc1"),
        (b"\x91" * 5000, "expected at most 8 levels"),
        (b"\x93\x01\x02\x03", "expected a map of observations, got a list"),
        ("hello", "expected msgpack in a binary message, got a text"),
        (msgspec.msgpack.encode({b"__ndarray__": True}), "array: expected a dtype"),
    ):
        with desk.connect() as client:
            client.recv()
            client.send(data)
            assert words in str(client.recv())
            with pytest.raises(ConnectionClosed) as caught:
                client.recv()
            assert caught.value.rcvd is not None and caught.value.rcvd.code == 1007


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(place=st.integers(0, 10**6), byte=st.integers(0, 255))
def test_a_flipped_byte_is_answered(desk: Desk, place: int, byte: int) -> None:
    spoilt = bytearray(write_openpi(_seen()))
    spoilt[place % len(spoilt) if place % 2 else place % 200] = byte
    with desk.connect() as client:
        client.recv()
        client.send(bytes(spoilt))
        client.recv()


def test_a_message_beyond_the_limit_costs_only_the_connection(desk: Desk) -> None:
    with desk.connect() as client:
        client.recv()
        with pytest.raises(ConnectionClosed) as caught:
            client.send(bytes(BYTES + 1))
            client.recv()
        assert caught.value.rcvd is not None and caught.value.rcvd.code == 1009


def test_a_policy_that_fails_is_told_in_words(desk: Desk, monkeypatch: Any) -> None:
    with desk.connect() as client:
        client.recv()
        with monkeypatch.context() as patch:
            patch.setattr(desk.policy, "_one", lambda *arguments: 1 / 0)
            client.send(write_openpi(_seen()))
            assert "policy" in str(client.recv())
        client.send(write_openpi(_seen()))
        assert _read(client.recv())["actions"].shape == (6, 5)


def test_it_says_that_it_is_well(desk: Desk) -> None:
    asked = http.client.HTTPConnection(desk.host, desk.port)
    asked.request("GET", "/healthz")
    answer = asked.getresponse()
    assert (answer.status, answer.read()) == (200, b"OK\n")
    asked.close()


def test_a_page_in_a_browser_is_refused(desk: Desk) -> None:
    with pytest.raises(InvalidStatus, match="HTTP 403"):
        desk.connect(origin="https://example.org")


def test_a_key_is_asked_for_where_there_is_one(servo: Any) -> None:
    key = "a-key-of-many-letters"
    with Desk(servo(), api_keys=[key]) as desk:
        for headers in ({}, {"Authorization": "Api-Key another-key-of-many"}):
            with pytest.raises(InvalidStatus) as caught:
                desk.connect(additional_headers=headers)
            assert caught.value.response.status_code == 401
            assert b"expected one of those in the frontend's file" in caught.value.response.body
        with desk.connect(additional_headers={"Authorization": f"Api-Key {key}"}) as client:
            assert _read(client.recv())["body"] == "tabletop_arm"


def test_more_connections_than_the_limit_are_refused(servo: Any) -> None:
    with Desk(servo(), limits=Limits(connections=1)) as desk, desk.connect() as client:
        client.recv()
        with pytest.raises(InvalidStatus) as caught:
            desk.connect()
        assert b"connections: expected at most 1" in caught.value.response.body


def test_a_port_in_use_is_refused_in_words(desk: Desk) -> None:
    told = msgspec.structs.replace(desk.told, address=desk.frontend.address)
    with pytest.raises(ServerError, match=rf"{desk.frontend.address}: expected a free port, got"):
        OpenpiFrontend(desk.service, told).start()


def test_other_machines_are_refused_without_keys(desk: Desk) -> None:
    told = msgspec.structs.replace(desk.told, address="0.0.0.0:0")
    with pytest.raises(ServerError, match=r"loopback .* Name `api_keys` to serve other machines"):
        OpenpiFrontend(desk.service, told).start()


def test_who_waits_is_told_when_the_server_stops(servo: Any, until: Any) -> None:
    policy = servo()
    with Desk(policy) as desk, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(desk.connect()) for _ in range(3)]
        policy.hold.clear()
        for number, client in enumerate(clients):
            client.recv()
            client.send(write_openpi(_seen()))
            until(lambda: len(policy.batches) == 1)
            until(lambda number=number: desk.service.status().queue == number)
        stopping = threading.Thread(target=desk.service.stop)
        stopping.start()
        policy.hold.set()
        answers = [client.recv() for client in clients]
        stopping.join()
    assert isinstance(answers[0], bytes)
    assert all(isinstance(answer, bytes) or "stop" in answer for answer in answers)


def test_a_frontend_stops_though_the_policy_does_not_answer(servo: Any, until: Any) -> None:
    policy = servo()
    with Desk(policy) as desk, desk.connect() as client:
        client.recv()
        policy.hold.clear()
        client.send(write_openpi(_seen()))
        until(lambda: len(policy.batches) == 1)
        desk.frontend.stop()
        assert client.recv() == "The frontend stops."
        policy.hold.set()
