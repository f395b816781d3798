"""RLDS is read, and sent to workers, where TensorFlow is found but fails when it is imported."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

REFUSE = """
import importlib.machinery
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name in ("tensorflow", "jax", "torch", "dlimp"):
            return importlib.machinery.ModuleSpec(name, self)

    def create_module(self, spec):
        raise AssertionError(f"{spec.name} must not be imported here")

    def exec_module(self, module):
        pass

sys.meta_path.insert(0, Refuse())
"""
READ = """
import pickle
from octoverse.data.rlds.source import RldsSource
from octoverse.preprocess import decode

source = RldsSource(folder=sys.argv[1], split="train[:50%]")
assert source.lengths().tolist() == [3], source.lengths()
episode = source.episode(0)
assert decode(episode.observation["primary"][2]).shape == (16, 16, 3)
assert source.fingerprint()
open(sys.argv[1] + "/source.pickle", "wb").write(pickle.dumps(source))
"""
WORK = """
import pickle

source = pickle.load(open(sys.argv[1] + "/source.pickle", "rb"))
assert source.lengths().tolist() == [3] and len(source.episode(0)) == 3
assert source.episode(0).observation["primary"][0]
"""
AFTER = """
assert not {"tensorflow", "jax", "torch"} & set(sys.modules)
print("tensorflow_datasets" in sys.modules)
"""


def run(script: str, folder: Path) -> str:
    command = [sys.executable, "-W", "error", "-c", REFUSE + script + AFTER, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_nothing_of_tensorflow_is_needed_and_workers_do_without_tensorflow_datasets(
    tmp_path: Path, write_rlds: Callable[..., Path]
) -> None:
    folder = write_rlds(tmp_path)
    assert run(READ, folder) == "True"
    assert run(WORK, folder) == "False"
