"""A robot needs numpy, pyzmq, msgspec and simplejpeg, and nothing heavier."""

import subprocess
import sys
import venv
from importlib.metadata import distribution
from pathlib import Path

import pytest

from octoverse.servers.zeromq import Server

ROOT = Path(__file__).parents[2]
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
import asyncio, sys, numpy as np
from octoverse import registry
from octoverse.servers.client import AsyncClient, Client
from octoverse.servers.player import ChunkPlayer

arm = registry.load("embodiment", "tabletop_arm")
frame = {
    "table": np.zeros((96, 96, 3), np.uint8),
    "wrist": np.zeros((96, 96, 3), np.uint8),
    "tool": np.zeros(5, np.float32),
    "instruction": "lift the red cube",
}

async def act():
    async with AsyncClient(sys.argv[1], arm, timeout=60) as client:
        return await client.act(frame)

with Client(sys.argv[1], arm, jpeg_quality=90, timeout=60) as client:
    player = ChunkPlayer(arm)
    for chunk in (client.act(frame), asyncio.run(act())):
        player.add(chunk)
        print(sorted(player.action(chunk.observed_at_ns)))
"""
ACTED = "['arm', 'gripper']\n" * 2
ROBOT = ["numpy", "pyzmq", "msgspec", "simplejpeg"]


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
    assert done.stdout == ACTED, done.stderr


@pytest.fixture(scope="module")
def robot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with nothing but octoverse and the four packages of a robot."""
    folder = tmp_path_factory.mktemp("robot")
    venv.create(folder, symlinks=True, with_pip=False)
    [site] = folder.glob("lib/python3*/site-packages")
    (site / "octoverse").symlink_to(ROOT / "octoverse")
    for name in [*ROBOT, "octoverse"]:
        for file in distribution(name).files or ():
            top = file.parts[0]
            place = Path(str(file.locate())).parents[len(file.parts) - 1] / top
            if place.is_dir() and top != "__pycache__" and not (site / top).exists():
                (site / top).symlink_to(place)
    return folder / "bin" / "python"


def test_a_robot_acts_in_an_environment_that_has_nothing_else(robot: Path, servo: type) -> None:
    installed = "from importlib.metadata import distributions as d; print(*(x.name for x in d()))"
    alone = subprocess.run([robot, "-I", "-c", installed], capture_output=True, text=True)
    assert sorted(alone.stdout.split()) == sorted([*ROBOT, "octoverse"]), alone.stderr
    with Server(servo(), address="tcp://127.0.0.1:0") as server:
        done = subprocess.run(
            [robot, "-I", "-c", ACT, server.address], capture_output=True, text=True, timeout=300
        )
    assert done.stdout == ACTED, done.stderr
