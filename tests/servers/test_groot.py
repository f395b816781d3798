"""Clients that speak as GR00T's do are served, and whoever else comes disturbs nobody."""

import io
import socket
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import pytest
import zmq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from octoverse.acting import LocalPolicy
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.errors import BadConfig, ServerError
from octoverse.servers.groot import GrootFrontend, GrootSettings
from octoverse.servers.links import can_measure
from octoverse.servers.service import Service
from octoverse.synthetic import random_frame
from octoverse.wire import Limits

TASK = "annotation.human.task_description"
KEYS = {
    "table": "video.front",
    "wrist": "video.wrist",
    "tool": "state.tool",
    "instruction": TASK,
}
TOLD = {
    "frontend": "groot",
    "body": "tabletop_arm",
    "address": "127.0.0.1:0",
    "observation": KEYS,
    "action": {"arm": "arm", "gripper": "gripper"},
}
KEY = "a-key-of-many-letters"
BYTES = 10**6
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
READY = b"\x04\x19\x05READY\x0bSocket-Type\x00\x00\x00\x03REQ"
"""What libzmq says first, of a socket without encryption and of a REQ."""


def _packed(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        file = io.BytesIO()
        np.save(file, value, allow_pickle=False)
        return {"__ndarray_class__": True, "as_npy": file.getvalue()}
    raise NotImplementedError


def _unpacked(value: Any) -> Any:
    if isinstance(value, list):
        return [_unpacked(one) for one in value]
    if isinstance(value, dict):
        if value.get("__ndarray_class__"):
            return np.load(io.BytesIO(value["as_npy"]), allow_pickle=False)
        return {key: _unpacked(one) for key, one in value.items()}
    return value


class Client:
    """Speaks over a REQ socket as GR00T's own clients do, of every version."""

    def __init__(self, address: str, token: str | None = None) -> None:
        self.token = token
        self.socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.REQ)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.RCVTIMEO, 60_000)
        self.socket.connect(f"tcp://{address}")

    def send(self, endpoint: str, **more: Any) -> None:
        request = {"endpoint": endpoint, **more}
        if self.token:
            request["api_token"] = self.token
        self.socket.send(msgspec.msgpack.encode(request, enc_hook=_packed))

    def receive(self) -> Any:
        return _unpacked(msgspec.msgpack.decode(self.socket.recv()))

    def call(self, endpoint: str, **more: Any) -> Any:
        self.send(endpoint, **more)
        return self.receive()

    def act(self, observation: Any) -> Any:
        return self.call("get_action", data={"observation": observation, "options": None})

    def fault(self, data: bytes) -> str:
        self.socket.send(data)
        return str(self.receive()["error"])


def _frames(count: int = 1, seed: int = 0) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    return [random_frame(TABLETOP_ARM, rng) for _ in range(count)]


def _nested(frames: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "video": {
            "front": np.stack([f["table"] for f in frames])[:, None],
            "wrist": np.stack([f["wrist"] for f in frames])[:, None],
        },
        "state": {"tool": np.stack([f["tool"] for f in frames])[:, None]},
        "language": {TASK: [[f["instruction"]] for f in frames]},
    }


def _flat(frame: dict[str, Any]) -> dict[str, Any]:
    arrays = {KEYS[name]: frame[name][None] for name in ("table", "wrist", "tool")}
    return {**arrays, TASK: [frame["instruction"]]}


class Desk:
    """A service, its frontend and clients of it."""

    def __init__(self, policy: Any, limits: Limits | None = None, **changes: Any) -> None:
        self.policy = policy
        self.service = Service(policy, limits=limits or Limits(message_bytes=BYTES))
        self.told = msgspec.convert(TOLD | changes, GrootSettings)
        self.clients: list[Client] = []

    def __enter__(self) -> "Desk":
        self.service.start()
        self.frontend = GrootFrontend(self.service, self.told).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.service.stop()
        self.frontend.stop()
        for client in self.clients:
            client.socket.close()

    def client(self, token: str | None = None) -> Client:
        self.clients.append(Client(self.frontend.address, token))
        return self.clients[-1]


@pytest.fixture
def desk(servo: Any) -> Iterator[Desk]:
    with Desk(servo()) as desk:
        yield desk
        action, _ = desk.client().act(_nested(_frames()))
        assert action["arm"].shape == (1, 6, 4)


def test_each_robot_of_a_message_is_served_as_a_local_one(desk: Desk, servo: Any) -> None:
    frames = _frames(3)
    action, information = desk.client().act(_nested(frames))
    assert information == {} and action["gripper"].shape == (3, 6, 1)
    for i, frame in enumerate(frames):
        chunk = LocalPolicy(servo(), "tabletop_arm").act(frame)
        np.testing.assert_array_equal(action["arm"][i], chunk.action["arm"])
        np.testing.assert_array_equal(action["gripper"][i], chunk.action["gripper"])
    assert len(desk.service.status().robots) == 3


def test_the_older_client_is_served(desk: Desk, servo: Any) -> None:
    [frame] = _frames()
    older = _flat(frame) | {"state.tool": frame["tool"][None].astype(np.float64)}
    action = desk.client().call("get_action", data=older)
    chunk = LocalPolicy(servo(), "tabletop_arm").act(frame)
    assert action.keys() == {"action.arm", "action.gripper"}
    np.testing.assert_array_equal(action["action.arm"], chunk.action["arm"])


def test_it_answers_whether_it_is_there_and_which_keys_it_reads(desk: Desk) -> None:
    client = desk.client()
    assert client.call("ping") == {"status": "ok", "message": "Server is running"}
    told = client.call("get_modality_config")
    assert told["state"]["as_json"] == {"delta_indices": [0], "modality_keys": ["tool"]}


def test_the_keys_are_told_in_the_dialect_of_the_file(servo: Any) -> None:
    with Desk(servo(), dialect="n1.5") as desk:
        told = desk.client().call("get_modality_config")
    assert msgspec.json.decode(told["state"]["as_json"])["modality_keys"] == ["state.tool"]


def test_a_reset_begins_a_new_episode(desk: Desk) -> None:
    client, seen = desk.client(), _nested(_frames())
    assert client.call("reset", data={"options": None}) == {}
    first, _ = client.act(seen)
    later, _ = client.act(seen)
    assert client.call("reset", data={"options": None}) == {}
    again, _ = client.act(seen)
    assert not np.array_equal(first["arm"], later["arm"])
    np.testing.assert_array_equal(first["arm"], again["arm"])


def test_robots_that_ask_together_are_computed_together(desk: Desk, until: Any) -> None:
    clients = [desk.client() for _ in range(8)]
    desk.policy.hold.clear()
    for client in clients:
        client.send("get_action", data={"observation": _nested(_frames()), "options": None})
    until(lambda: sum(map(len, desk.policy.batches)) + desk.service.status().queue == 8)
    desk.policy.hold.set()
    assert all(client.receive()[0]["arm"].shape == (1, 6, 4) for client in clients)
    assert sum(map(len, desk.policy.batches)) == 8
    assert max(map(len, desk.policy.batches)) > 1


def test_other_clients_are_answered_while_the_policy_computes(desk: Desk, until: Any) -> None:
    busy, other = desk.client(), desk.client()
    desk.policy.hold.clear()
    busy.send("get_action", data={"observation": _nested(_frames()), "options": None})
    until(lambda: len(desk.policy.batches) == 1)
    assert other.call("ping")["status"] == "ok"
    desk.policy.hold.set()
    assert busy.receive()[0]["arm"].shape == (1, 6, 4)


def test_nobody_stops_it_without_a_key(desk: Desk) -> None:
    client = desk.client()
    assert "kill: expected a key, got a frontend that has none" in client.call("kill")["error"]
    assert client.call("ping")["status"] == "ok"


def test_who_has_a_key_stops_the_frontend_and_not_the_service(servo: Any, until: Any) -> None:
    with Desk(servo(), api_keys=[KEY]) as desk:
        for stranger in (desk.client(), desk.client("another-key-of-many")):
            for endpoint in ("kill", "ping", "get_action"):
                assert "Unauthorized" in stranger.call(endpoint)["error"]
        assert desk.client(KEY).call("ping")["status"] == "ok"
        assert desk.client(KEY).call("kill") is None
        until(lambda: not desk.frontend._thread.is_alive())
        chunk = LocalPolicy(desk.service.policy, "tabletop_arm").act(_frames()[0])
        assert chunk.action["arm"].shape == (6, 4)


def test_an_observation_that_does_not_fit_is_refused_in_words(desk: Desk) -> None:
    client, [frame] = desk.client(), _frames()
    seen = _nested([frame])
    for changes, words in (
        ({"video": seen["video"] | {"front": seen["video"]["front"] / 255}}, "send (image * 255)"),
        ({"video": {"front": seen["video"]["front"]}}, "'video.wrist': expected the camera"),
        ({"state": {"tool": np.zeros((1, 1, 4), np.float32)}}, "expected the 5 numbers of 'tool'"),
        ({"state": seen["state"] | {"hand": np.zeros((1, 1, 2))}}, "got also 'state.hand'"),
        ({"state": {"tool": np.full((1, 1, 5), np.nan)}}, "expected a finite number, got nan"),
    ):
        assert words in client.act(seen | changes)["error"]
    assert client.act(seen)[0]["arm"].shape == (1, 6, 4)


def test_one_bad_robot_of_a_message_is_told_after_the_others_have_been_computed(
    desk: Desk,
) -> None:
    client, seen = desk.client(), _nested(_frames(2))
    bad = np.stack([seen["state"]["tool"][0], np.full((1, 5), np.nan)])
    assert "expected a finite number" in client.act(seen | {"state": {"tool": bad}})["error"]
    assert client.act(seen)[0]["arm"].shape == (2, 6, 4)


def test_what_is_no_message_is_told_so(desk: Desk) -> None:
    client = desk.client()
    for data, words in (
        (b"", "expected 1 bytes from byte 0 on"),
        (b"\x80\x04\x95", "expected it to end at byte 1"),
        (b"PK\x03\x04" + bytes(100), "got what torch.save writes, which is never opened"),
        (b"\x91" * 5000, "expected at most 8 levels"),
        (msgspec.msgpack.encode([1]), "message: expected a map, got a list"),
        (msgspec.msgpack.encode({"endpoint": "explode"}), "kill, got 'explode'"),
        (msgspec.msgpack.encode({"endpoint": {}}), "kill, got {}"),
        (msgspec.msgpack.encode({}), "observation: expected a map of keys, got a NoneType"),
    ):
        assert words in client.fault(data)


def test_more_frames_than_one_are_refused(desk: Desk) -> None:
    client = desk.client()
    client.socket.send_multipart([b"x"] * 3)
    assert "expected one frame from a REQ socket, got 4 frames" in client.receive()["error"]


def test_who_does_not_wait_for_the_answer_is_told_to(desk: Desk, until: Any) -> None:
    hasty: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
    hasty.connect(f"tcp://{desk.frontend.address}")
    data = {"observation": _nested(_frames()), "options": None}
    message = msgspec.msgpack.encode({"endpoint": "get_action", "data": data}, enc_hook=_packed)
    desk.policy.hold.clear()
    for _ in range(2):
        hasty.send_multipart([b"", message])
    assert hasty.poll(60_000)
    assert b"Wait for each answer" in hasty.recv_multipart()[1]
    desk.policy.hold.set()
    assert hasty.poll(60_000)
    assert b"as_npy" in hasty.recv_multipart()[1]
    hasty.close(linger=0)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(place=st.integers(0, 10**6), byte=st.integers(0, 255))
def test_a_flipped_byte_is_answered(desk: Desk, place: int, byte: int) -> None:
    data = {"observation": _nested(_frames()), "options": None}
    message = msgspec.msgpack.encode({"endpoint": "get_action", "data": data}, enc_hook=_packed)
    spoilt = bytearray(message)
    spoilt[place % len(spoilt) if place % 2 else place % 300] = byte
    client = desk.client()
    client.socket.send(bytes(spoilt))
    client.receive()
    client.socket.close()


def test_a_client_that_leaves_before_the_answer_disturbs_nobody(desk: Desk, until: Any) -> None:
    client = desk.client()
    desk.policy.hold.clear()
    client.send("get_action", data={"observation": _nested(_frames()), "options": None})
    until(lambda: len(desk.policy.batches) == 1)
    client.socket.close()
    desk.policy.hold.set()


def test_a_message_beyond_the_limit_costs_only_the_connection(desk: Desk) -> None:
    client = desk.client()
    lost = client.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    client.socket.send(bytes(BYTES + 1))
    assert lost.poll(60_000)
    client.socket.disable_monitor()
    lost.close()


def test_a_message_without_end_costs_only_the_connection(desk: Desk) -> None:
    if not can_measure():
        pytest.skip("this system does not tell how much a connection has sent")
    host, port = desk.frontend.address.split(":")
    frame = b"\x03" + (BYTES // 2).to_bytes(8) + bytes(BYTES // 2)
    with socket.create_connection((host, int(port)), timeout=60) as endless:
        endless.sendall(GREETING + READY)
        with pytest.raises(OSError, match=r"reset|Broken pipe"):
            for _ in range(2000):
                endless.sendall(frame)
    assert desk.frontend._guard.cut == 1


def test_clients_not_heard_of_for_long_are_forgotten(servo: Any, until: Any) -> None:
    with Desk(servo(), limits=Limits(session_s=0.01)) as desk:
        desk.client().act(_nested(_frames(2)))
        assert len(desk.frontend._peers) == 1
        until(lambda: not desk.frontend._peers)


def test_the_client_heard_of_longest_ago_makes_room(servo: Any, until: Any) -> None:
    with Desk(servo(), limits=Limits(connections=2)) as desk:
        for _ in range(3):
            client = desk.client()
            assert len(client.act(_nested(_frames()))) == 2
            client.socket.close()
            until(lambda: desk.frontend._guard.connections == 0)
        assert len(desk.frontend._peers) == 2
        assert len(desk.service.status().robots) == 2


def test_a_port_in_use_is_refused_in_words(desk: Desk) -> None:
    told = msgspec.structs.replace(desk.told, address=desk.frontend.address)
    with pytest.raises(ServerError, match=rf"{desk.frontend.address}: expected a free port, got"):
        GrootFrontend(desk.service, told).start()


def test_other_machines_are_refused_without_keys(desk: Desk) -> None:
    told = msgspec.structs.replace(desk.told, address="0.0.0.0:0")
    with pytest.raises(ServerError, match=r"loopback .* Name `api_keys` to serve other machines"):
        GrootFrontend(desk.service, told).start()


def test_a_file_that_does_not_fit_the_body_is_refused(desk: Desk) -> None:
    told = msgspec.structs.replace(desk.told, action={"arm": "arm"})
    with pytest.raises(BadConfig, match="numbers of 'gripper' once"):
        GrootFrontend(desk.service, told)


def test_who_waits_is_told_when_the_server_stops(servo: Any, until: Any) -> None:
    policy = servo()
    with Desk(policy) as desk:
        client = desk.client()
        policy.hold.clear()
        client.send("get_action", data={"observation": _nested(_frames()), "options": None})
        until(lambda: len(policy.batches) == 1)
        policy.hold.set()
        desk.service.stop()
        assert client.receive()[0]["arm"].shape == (1, 6, 4)
