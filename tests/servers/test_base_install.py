"""A robot needs numpy, pyzmq, msgspec and simplejpeg, and nothing heavier."""

import subprocess
import sys

import pytest

from octoverse.servers.zeromq import Server

HEAVY = ["torch", "gymnasium", "transformers", "PIL", "pyarrow", "tyro", "rich", "mujoco", "av"]
LIGHT = [
    "acting",
    "checking",
    "embodiment",
    "episode",
    "errors",
    "motion",
    "packing",
    "registry",
    "servers.client",
    "servers.pilot",
    "servers.player",
    "servers.zeromq",
    "session",
    "wire",
]
REFUSE = f"""
import importlib, importlib.abc, sys

class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {HEAVY}:
            raise ModuleNotFoundError(f"refused: {{name}}")

sys.meta_path.insert(0, Refuse())
"""
ACT = """
import sys, numpy as np
from octoverse import registry
from octoverse.servers.client import Client
from octoverse.servers.player import ChunkPlayer

arm = registry.load("embodiment", "tabletop_arm")
frame = {
    "table": np.zeros((96, 96, 3), np.uint8),
    "wrist": np.zeros((96, 96, 3), np.uint8),
    "tool": np.zeros(5, np.float32),
    "instruction": "lift the red cube",
}
with Client(sys.argv[1], arm, jpeg_quality=90, timeout=60) as client:
    player = ChunkPlayer(arm)
    chunk = client.act(frame)
    player.add(chunk)
    print(sorted(player.action(chunk.observed_at_ns)))
"""


def run(program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", REFUSE + program, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_the_hook_refuses_what_is_heavy() -> None:
    assert "refused: torch" in run("import torch").stderr


@pytest.mark.parametrize("module", LIGHT)
def test_it_imports_without_anything_heavy(module: str) -> None:
    done = run(f"importlib.import_module('octoverse.{module}')")
    assert done.returncode == 0, done.stderr


def test_a_robot_acts_without_anything_heavy(servo: type) -> None:
    with Server(servo(), address="tcp://127.0.0.1:0") as server:
        done = run(ACT, server.address)
    assert done.stdout == "['arm', 'gripper']\n", done.stderr
