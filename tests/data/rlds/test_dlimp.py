import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from octoverse.data.cutting import cut
from octoverse.data.rlds import dlimp
from octoverse.data.rlds.dlimp import Reader
from octoverse.data.rlds.source import RldsSource
from octoverse.data.source import Source, body_of
from octoverse.data.standard import Standard, Taken
from octoverse.data.windows import WindowSpec
from octoverse.errors import BadConfig, BadData, MissingExtra, UnknownName
from octoverse.preprocess import Preprocess, PreprocessConfig

Write = Callable[..., Path]
needs_dlimp = pytest.mark.skipif(
    not (find_spec("dlimp") and find_spec("tensorflow")),
    reason="dlimp and TensorFlow are not installed; docs/rlds.md says how",
)


def command(script: str) -> list[str]:
    """A reader process that runs other code."""
    start = "import sys; from multiprocessing.connection import Connection\n"
    return [sys.executable, "-c", f"{start}told = Connection(int(sys.argv[1]))\n{script}"]


@pytest.fixture
def closing() -> Iterator[list[Reader]]:
    opened: list[Reader] = []
    yield opened
    for reader in opened:
        reader.close()


def test_without_dlimp_the_error_says_how_to_install_it(
    tmp_path: Path, write_rlds: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dlimp, "find_spec", lambda name: None)
    source = RldsSource(folder=write_rlds(tmp_path), backend="dlimp")
    words = (
        rf"Reading {tmp_path} through dlimp needs the package 'dlimp', .* --no-deps "
        r'"dlimp @ git\+https://github\.com/kvablack/dlimp"'
    )
    with pytest.raises(MissingExtra, match=words):
        source.lengths()


def test_an_address_that_tensorflow_does_not_open_is_refused(
    tmp_path: Path, write_rlds: Write
) -> None:
    import fsspec

    fsspec.filesystem("memory").put(str(write_rlds(tmp_path)), "/dlimp/small", recursive=True)
    with pytest.raises(BadConfig, match=r"memory://dlimp/small: the backend 'dlimp' opens local"):
        RldsSource(folder="memory://dlimp/small", backend="dlimp").lengths()


def test_an_unknown_backend_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match=r"No backend named 'dlmp'\. Did you mean 'dlimp'"):
        RldsSource(folder=tmp_path, backend="dlmp")  # type: ignore[arg-type]


def test_a_package_that_the_reader_lacks_is_named() -> None:
    missing = command('told.send(("missing", "tensorflow"))')
    with pytest.raises(MissingExtra, match=r"folder through dlimp needs the package 'tensorflow'"):
        Reader("folder", missing)


def test_a_reader_that_dies_is_an_error_with_its_last_words(closing: list[Reader]) -> None:
    dies = 'sys.stderr.write("no memory\\n"); sys.exit(7)'
    words = r"folder: the reader process \(dlimp, TensorFlow\) ended with code 7: no memory"
    with pytest.raises(BadData, match=words):
        Reader("folder", command(dies))
    closing.append(Reader("folder", command(f'told.send(("answer", None)); told.recv(); {dies}')))
    with pytest.raises(BadData, match=words):
        closing[0].steps("train")


def test_what_fails_in_the_reader_is_told(closing: list[Reader]) -> None:
    fails = 'told.send(("answer", None)); told.recv(); told.send(("error", "DataLossError: x"))'
    closing.append(Reader("folder", command(fails)))
    with pytest.raises(BadData, match=r"folder: dlimp could not read it: DataLossError: x"):
        closing[0].steps("train")


def assert_equal_windows(ours: Source, theirs: Source) -> None:
    """Every window of both, and what else a source tells."""
    assert (theirs.name, theirs.fingerprint()) == (ours.name, ours.fingerprint())
    assert theirs.lengths().tolist() == ours.lengths().tolist()
    body, preprocess = body_of(ours), Preprocess(PreprocessConfig())
    spec = WindowSpec(frames=2, horizon=4)
    order = np.random.default_rng(0).permutation(len(ours)).tolist()
    for i in [*range(len(ours)), *order]:
        for step in range(len(ours.episode(i))):
            a = cut(ours.episode(i), step, body, spec, preprocess)
            b = cut(theirs.episode(i), step, body, spec, preprocess)
            for part in ("streams", "valid"):
                one, other = getattr(a.observation, part), getattr(b.observation, part)
                assert one.keys() == other.keys()
                assert all(np.array_equal(one[name], other[name]) for name in one)
            assert all(np.array_equal(a.action[name], b.action[name]) for name in a.action)
            for name, real in a.action_valid.items():
                assert np.array_equal(real, b.action_valid[name])


@needs_dlimp
@pytest.mark.parametrize("split", ["train", "train[20%:60%]", "val"])
def test_both_backends_give_equal_windows_of_bridge(
    real_data: Callable[[str], Path], split: str
) -> None:
    folder = real_data("bridge-octo-debug") / "bridge_dataset/1.0.0"
    ours = RldsSource(folder=folder, split=split)
    assert_equal_windows(ours, RldsSource(folder=folder, split=split, backend="dlimp"))


SPEC = {
    "steps/observation/image": ("png", (24, 32, 3)),
    "steps/observation/xyz": ("float64", (3,)),
    "steps/observation/turn": ("zlib float32", (3,)),
    "steps/action/arm": ("float32", (6,)),
    "steps/action/open": ("bool", ()),
    "steps/language_instruction": ("text", ()),
    "steps/is_first": ("bool", ()),
    "steps/is_last": ("bool", ()),
    "grip": ("float32", (1,)),
    "episode_metadata/file_path": ("text", ()),
}
STANDARD = Standard(
    embodiment="widowx",
    observation={
        "primary": Taken(feature="steps/observation/image"),
        "tool": Taken(features=("steps/observation/xyz", "steps/observation/turn", "grip")),
    },
    action={
        "arm": Taken(feature="steps/action/arm"),
        "gripper": Taken(feature="steps/action/open"),
    },
    instruction={"instruction": "episode_metadata/file_path"},
)


@needs_dlimp
@pytest.mark.parametrize("split", ["train", "train[1:]", "train[3:]+val[:1]"])
def test_both_backends_give_equal_windows_of_a_generated_folder(
    tmp_path: Path, write_tfds: Write, tfds_episode: Callable[..., dict[str, Any]], split: str
) -> None:
    episodes = [tfds_episode(SPEC, steps, seed=steps) for steps in (3, 5, 2, 7, 4, 1)]
    write_tfds(tmp_path, SPEC, episodes[:4], shards=3)
    write_tfds(tmp_path, SPEC, episodes[4:], split="val")
    ours = RldsSource(folder=tmp_path, split=split, standard=STANDARD)
    theirs = RldsSource(folder=tmp_path, split=split, standard=STANDARD, backend="dlimp")
    assert_equal_windows(ours, theirs)


@needs_dlimp
def test_the_training_process_imports_nothing_of_tensorflow(
    tmp_path: Path, write_rlds: Write
) -> None:
    script = (
        "import sys; from octoverse.data.rlds.source import RldsSource\n"
        f"source = RldsSource(folder={str(write_rlds(tmp_path))!r}, backend='dlimp')\n"
        "assert source.lengths().tolist() == [3, 5] and len(source.episode(1)) == 5\n"
        "assert not {'tensorflow', 'dlimp'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@needs_dlimp
def test_a_damaged_record_is_an_error_through_dlimp_too(tmp_path: Path, write_rlds: Write) -> None:
    shard = next(write_rlds(tmp_path).glob("*.tfrecord-*"))
    spoilt = bytearray(shard.read_bytes())
    spoilt[200] ^= 1
    shard.write_bytes(spoilt)
    with pytest.raises(BadData, match=rf"{tmp_path}: dlimp could not read it: .*corrupted"):
        RldsSource(folder=tmp_path, backend="dlimp").lengths()
