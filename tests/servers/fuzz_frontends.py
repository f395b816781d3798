"""Hand to frontends what no client of other projects says."""

import math
import queue
from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from octoverse.errors import OctoverseError, RemoteError
from octoverse.servers import numpy_msgpack
from octoverse.servers.frontend_settings import Settings
from octoverse.servers.groot import GrootFrontend, GrootSettings
from octoverse.servers.guest import Answer, Guest
from octoverse.servers.key_map import KeyMap
from tests.servers.fuzzed import Memory, Receiver, settle
from tests.servers.survivors import FRAME
from tests.servers.tampering import Tamperer

OPENPI = {
    "frontend": "openpi",
    "body": "tabletop_arm",
    "address": "127.0.0.1:0",
    "observation": {"table": "observation/image", "wrist": "observation/wrist"}
    | {"tool": "observation/state", "instruction": "prompt"},
    "action": {"actions": ["arm", "gripper"]},
}
GROOT = {
    "frontend": "groot",
    "body": "tabletop_arm",
    "address": "127.0.0.1:0",
    "observation": {"table": "video.table", "wrist": "video.wrist", "tool": "state.tool"}
    | {"instruction": "task"},
    "action": {"arm": "arm", "gripper": "gripper"},
}


def through_openpi(count: int, seed: int, memory: Memory) -> Counter[str]:
    """Let robots ask so many messages of openpi's clients, and then a good one."""
    from octoverse.servers.openpi import flat  # needs websockets

    tamperer, counts, receiver = Tamperer(seed), Counter[str](), Receiver()
    key_map = KeyMap(msgspec.convert(OPENPI, Settings), receiver.service.policy)
    sound = {
        "observation": {"image": FRAME["table"], "wrist": FRAME["wrist"], "state": FRAME["tool"]},
        "prompt": FRAME["instruction"],
    }
    whole = numpy_msgpack.write_openpi(sound)
    tree = msgspec.msgpack.decode(whole, strict=False)
    guests = [Guest(receiver.service, key_map, "openpi") for _ in range(8)]

    def answer(told: Mapping[str, np.ndarray] | RemoteError) -> None:
        counts[told.code if isinstance(told, RemoteError) else "answered"] += 1

    def ask(message: bytes, guest: Guest, take: Answer) -> None:
        observation = numpy_msgpack.read(message)
        if isinstance(observation, dict):
            guest.ask(flat(observation), len(message), take)

    receiver.service.start()
    try:
        for sent in range(1, count + 1):
            try:
                guest = tamperer.random.choice(guests)
                ask(tampered(tamperer, tree, whole), guest, answer)
            except OctoverseError as error:
                counts[str(error).partition(":")[0][:40]] += 1
            settle(receiver.service)
            memory.look(sent)
        good: queue.SimpleQueue[Any] = queue.SimpleQueue()
        ask(whole, Guest(receiver.service, key_map, "good"), good.put)
        assert good.get(timeout=60)["actions"].shape == (6, 5)
    finally:
        receiver.service.stop()
    return counts


def through_groot(count: int, seed: int, memory: Memory) -> Counter[str]:
    """Hand so many messages of GR00T's clients to a frontend, and then a good one."""
    tamperer, counts, receiver = Tamperer(seed), Counter[str](), Receiver()
    frontend = GrootFrontend(receiver.service, msgspec.convert(GROOT, GrootSettings))
    nested = {
        "video": {"table": FRAME["table"][None, None], "wrist": FRAME["wrist"][None, None]},
        "state": {"tool": FRAME["tool"][None, None]},
        "language": {"task": [[FRAME["instruction"]]]},
    }
    sound = {"endpoint": "get_action", "data": {"observation": nested, "options": None}}
    whole = numpy_msgpack.write_groot(sound)
    tree = msgspec.msgpack.decode(whole)

    def answer(told: Any) -> None:
        words = told["error"] if isinstance(told, dict) and "error" in told else "answered"
        counts[words.partition(":")[0][:40]] += 1

    receiver.service.start()
    try:
        for sent in range(1, count + 1):
            message = memoryview(tampered(tamperer, tree, whole))
            route = bytes([tamperer.random.randrange(200)])
            try:
                frontend._handle(route, message, answer)
            except OctoverseError as error:
                answer({"error": str(error)})
            if sent % 10 == 0:
                settle(receiver.service)
            memory.look(sent)
        settle(receiver.service)
        frontend._expire(math.inf)  # they all have gone
        good: queue.SimpleQueue[Any] = queue.SimpleQueue()
        frontend._handle(b"good", memoryview(whole), good.put)
        action, _ = good.get(timeout=60)
        assert action["arm"].shape == (1, 6, 4)
    finally:
        receiver.service.stop()
    return counts


def tampered(tamperer: Tamperer, tree: Any, whole: bytes) -> bytes:
    """A message with a change or two in what it says or in its bytes."""
    pick = tamperer.random
    if pick.random() < 0.4:
        return tamperer.data(whole)
    for _ in range(pick.choice((1, 1, 2, 4))):
        tree = tamperer.tree(tree)
    return msgspec.msgpack.encode(tree)
