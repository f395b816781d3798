"""A stranger's robot: from a name to answers of a server, without touching octoverse's files."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stranger")


@pytest.fixture(scope="module")
def python(folder: Path) -> Path:
    """An environment of its own that sees what is installed here, with the body installed."""
    made = folder / "environment"
    _run(sys.executable, "-m", "venv", "--without-pip", made)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    ours = sysconfig.get_path("purelib")
    # An environment made from an environment sees the machine's packages, not the latter's.
    (made / "lib" / version / "site-packages/ours.pth").write_text(
        f"import site; site.addsitedir({ours!r})\n"
    )
    there = made / "bin/python"
    _run(there, "-m", "octoverse", "embodiments", "new", "rover", cwd=folder)
    _run(
        *(there, "-m", "pip", "install", "--no-build-isolation", "--no-deps", "--no-index"),
        folder / "octoverse-rover",
        cwd=folder,
    )
    return there


def test_the_package_passes_its_own_test_unchanged(python: Path, folder: Path) -> None:
    shown = _run(python, "-m", "pytest", "-q", cwd=folder / "octoverse-rover")
    assert "3 passed" in shown


def test_the_body_is_listed_with_the_stranger_s_package(python: Path, folder: Path) -> None:
    shown = _run(python, "-m", "octoverse", "embodiments", "list", cwd=folder)
    (line,) = [line for line in shown.splitlines() if line.split()[:1] == ["rover"]]
    assert line.split()[-1] == "octoverse-rover"


def test_the_body_passes_the_check(python: Path, folder: Path) -> None:
    shown = _run(python, "-m", "octoverse", "embodiments", "check", "rover", cwd=folder)
    assert "rover: 3 streams in, a chunk of arm out" in " ".join(shown.split())


def test_it_is_trained_served_and_queried(python: Path, folder: Path) -> None:
    shown = _run(python, "-c", TRAIN_AND_SERVE, cwd=folder)
    assert "answered (8, 6) within the limits" in shown


TRAIN_AND_SERVE = """
import numpy as np, torch
from octoverse import registry
from octoverse.batch import Batch, batch_of
from octoverse.acting import LocalPolicy
from octoverse.cli.check import random_statistics
from octoverse.policy import Policy
from octoverse.recipes.generic import policy_config
from octoverse.servers.client import Client
from octoverse.servers.zeromq import Server
from octoverse.synthetic import random_frame

body, rng = registry.load("embodiment", "rover"), np.random.default_rng(0)
policy = Policy(policy_config(body), {"rover": body}, {"rover": random_statistics(body, rng)})
local, seen = LocalPolicy(policy, "rover"), []
for step in range(8):
    local.reset()
    local.observe(random_frame(body, rng), observed_at_ns=0)
    seen.append(local.session.observation(0, step))
inputs = batch_of(body, seen, policy.device)
rows = policy.horizons["rover"]["arm"]
batch = Batch(
    inputs.streams,
    {"arm": torch.full((8, rows, 6), 0.5)},
    {"arm": torch.ones(8, rows, dtype=torch.bool)},
    inputs.seeds,
)
optimizer = torch.optim.AdamW(policy.parameters(), lr=1e-3)
losses = []
for _ in range(10):
    loss = policy.loss({"rover": batch}).total
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
assert losses[-1] < losses[0], losses
with Server(policy, address="tcp://127.0.0.1:0") as server:
    with Client(server.address, body, timeout=60.0) as client:
        chunk = client.act(random_frame(body, rng))
body.check_action({name: rows[0] for name, rows in chunk.action.items()})
print("answered", chunk.action["arm"].shape, "within the limits")
"""


def _run(*words: object, cwd: Path | None = None) -> str:
    done = subprocess.run(
        [str(word) for word in words],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": ""},
    )
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout
