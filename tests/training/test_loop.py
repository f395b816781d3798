import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from octoverse import checkpoint
from octoverse.config import WindowConfig
from octoverse.data.weighted import Weighted
from octoverse.episode import Episode
from octoverse.errors import BadConfig, BadData, OctoverseError
from octoverse.in_force import use_statistics
from octoverse.policy import Policy
from octoverse.training import loop
from octoverse.training.heldout import held_out_report
from octoverse.training.loop import train, window_spec

TESTS = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def listen(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[dict[str, float]]]:
    """Collects the losses of every step; does something after one of them."""
    step = loop._step

    def use(at: int = 0, do: Callable[[], None] = lambda: None) -> list[dict[str, float]]:
        heard: list[dict[str, float]] = []

        def listening(policy: Any, trainer: Any, batches: Any) -> dict[str, float]:
            heard.append(step(policy, trainer, batches))
            if len(heard) == at:
                do()
            return heard[-1]

        monkeypatch.setattr(loop, "_step", listening)
        return heard

    return use


def fail() -> None:
    raise RuntimeError("the plug is pulled")


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def saved(run: Path) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    newest = checkpoint.steps(run)[-1]
    state = torch.load(newest / "trainer/state.pt", weights_only=True)
    return checkpoint.read_weights(newest), state["weights"]


@pytest.mark.parametrize(
    ("readout", "at", "stop", "kept"),
    [
        ("regression", 5, lambda: signal.raise_signal(signal.SIGTERM), 5),
        ("flow", 4, lambda: signal.raise_signal(signal.SIGINT), 4),
        ("bins", 7, fail, 5),
    ],
)
def test_ten_steps_are_some_then_a_stop_then_the_rest(
    small: ModuleType,
    tmp_path: Path,
    listen: Callable[..., list[dict[str, float]]],
    readout: str,
    at: int,
    stop: Callable[[], None],
    kept: int,
) -> None:
    recipe = small.recipe(readout)
    whole = listen()
    expected = train(recipe, small.BODIES, tmp_path / "whole", quiet=True)
    first = listen(at, stop)
    with contextlib.suppress(RuntimeError):
        train(recipe, small.BODIES, tmp_path / "parts", quiet=True)
    assert len(first) == at
    rest = listen()
    resumed = train(recipe, small.BODIES, tmp_path / "parts", quiet=True)
    assert first[:kept] + rest == whole
    assert len(whole) == 10 and len(set(map(str, whole))) == 10
    assert equal(resumed.state_dict(), expected.state_dict())
    for one, other in zip(saved(tmp_path / "parts"), saved(tmp_path / "whole"), strict=True):
        assert equal(one, other)


@pytest.mark.parametrize("tune", ["frozen-trunk", "lora"])
def test_ten_steps_of_fine_tuning_are_some_then_a_stop_then_the_rest(
    small: ModuleType, tmp_path: Path, listen: Callable[..., list[dict[str, float]]], tune: str
) -> None:
    recipe = small.recipe(tune=tune, lora_rank=2, learning_rate=1e-2)
    before = small.policy(seed=8).state_dict()

    def start(policy: Policy) -> None:
        policy.load_state_dict(before)

    whole = listen()
    expected = train(recipe, small.BODIES, tmp_path / "whole", start=start, quiet=True)
    first = listen(6, lambda: signal.raise_signal(signal.SIGTERM))
    train(recipe, small.BODIES, tmp_path / "parts", start=start, quiet=True)
    rest = listen()
    resumed = train(recipe, small.BODIES, tmp_path / "parts", start=start, quiet=True)
    assert len(first) == 6 and first + rest == whole
    loaded = checkpoint.load(tmp_path / "parts")
    assert equal(resumed.state_dict(), expected.state_dict())
    assert equal(loaded.state_dict(), expected.state_dict())
    moved = {name for name, value in loaded.state_dict().items() if not value.equal(before[name])}
    kept = {name for name in before if name.startswith(("trunk.blocks", "trunk.norm"))}
    linear = {name for name in kept if before[name].ndim == 2}
    assert moved & kept == (linear if tune == "lora" else set())
    assert {"readouts.hand.query", "tokenizers.keypoints.find.weight"} <= moved


def test_what_is_returned_is_what_was_saved_last_and_acts(
    small: ModuleType, tmp_path: Path
) -> None:
    policy = train(small.recipe(), small.BODIES, tmp_path, quiet=True)
    loaded = checkpoint.load(tmp_path)
    assert equal(policy.state_dict(), loaded.state_dict())
    assert loaded.model.startswith("small-")
    assert not policy.training
    chunks = loaded.act([small.window("road_car", 1).observation])
    assert chunks[0].action["path"].shape == (30, 3)
    mean, last = saved(tmp_path)
    assert equal(mean, policy.state_dict()) and not equal(mean, last)


def test_a_finished_run_is_left_as_it_is(small: ModuleType, tmp_path: Path) -> None:
    first = train(small.recipe(steps=3), small.BODIES, tmp_path, quiet=True)
    checkpoints = tmp_path / "checkpoints"
    files = {path: path.stat().st_mtime_ns for path in checkpoints.rglob("*")}
    again = train(small.recipe(steps=3), small.BODIES, tmp_path, quiet=True)
    assert equal(first.state_dict(), again.state_dict())
    assert files == {
        path: path.stat().st_mtime_ns for path in (tmp_path / "checkpoints").rglob("*")
    }


def test_the_seed_decides_weights_and_data(small: ModuleType, tmp_path: Path) -> None:
    found = [
        train(small.recipe(steps=2, seed=seed), small.BODIES, tmp_path / name, quiet=True)
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    assert equal(found[0].state_dict(), found[1].state_dict())
    assert not equal(found[0].state_dict(), found[2].state_dict())


def test_training_in_bfloat16_learns(
    small: ModuleType, tmp_path: Path, listen: Callable[..., list[dict[str, float]]]
) -> None:
    losses = listen()
    settings = {"steps": 60, "precision": "bfloat16", "learning_rate": 3e-3, "save_every": 60}
    train(small.recipe(**settings), small.BODIES, tmp_path, quiet=True)
    for key in losses[0]:
        assert sum(x[key] for x in losses[-10:]) < 0.9 * sum(x[key] for x in losses[:10])


def test_a_loss_that_is_not_a_number_stops_the_run_and_says_what_to_do(
    small: ModuleType, tmp_path: Path
) -> None:
    def poison(policy: Policy) -> None:
        policy.trunk.norm.weight.data[0] = torch.nan

    words = r"gradient of step 1 is nan, expected a finite number \(losses: .*hand.*Lower learning_"
    threads = set(threading.enumerate())
    with pytest.raises(OctoverseError, match=words):
        train(small.recipe(), small.BODIES, tmp_path, start=poison, quiet=True)
    assert checkpoint.steps(tmp_path) == []
    assert set(threading.enumerate()) == threads  # nobody goes on making batches


def test_a_second_ctrl_c_does_not_wait(
    small: ModuleType, tmp_path: Path, listen: Callable[..., list[dict[str, float]]]
) -> None:
    def twice() -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    listen(2, twice)
    with pytest.raises(KeyboardInterrupt):
        train(small.recipe(), small.BODIES, tmp_path, quiet=True)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_killed_run_goes_on_from_its_last_whole_checkpoint(
    small: ModuleType, tmp_path: Path
) -> None:
    script = (
        "import sys, torch; from pathlib import Path; sys.path.insert(0, sys.argv[1])\n"
        "torch.set_num_threads(1)\n"
        "import small; from octoverse.training.loop import train\n"
        "train(small.recipe(steps=2000, save_every=1), small.BODIES, Path(sys.argv[2]), quiet=True)"
    )
    command = [sys.executable, "-c", script, str(TESTS), str(tmp_path)]
    with subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}) as process:
        end = time.monotonic() + 300
        while len(checkpoint.steps(tmp_path)) < 2 and time.monotonic() < end:
            assert process.poll() is None, "the training ended by itself"
            time.sleep(0.001)
        process.kill()
    found = checkpoint.steps(tmp_path)
    assert found
    for folder in found:
        checkpoint.load(folder)
    before = int(found[-1].name[5:])
    recipe = small.recipe(steps=2000, save_every=1)
    heard: list[int] = []

    def stop_soon(policy: Policy) -> None:
        step = loop._step

        def counting(*given: Any) -> dict[str, float]:
            heard.append(given[1].step)
            signal.raise_signal(signal.SIGTERM)
            return step(*given)

        patch.setattr(loop, "_step", counting)

    with pytest.MonkeyPatch.context() as patch:
        train(recipe, small.BODIES, tmp_path, start=stop_soon, quiet=True)
    assert heard == [before]
    left = [path.name for path in (tmp_path / "checkpoints").iterdir()]
    assert not [name for name in left if name.endswith(".part")]
    assert f"step-{before + 1:08d}" in left


def test_bad_data_stop_a_run_unless_they_are_to_be_left_out(
    small: ModuleType, tmp_path: Path
) -> None:
    recipe = small.recipe(steps=6)

    class Torn(small.Made):  # type: ignore[misc, name-defined]
        def episode(self, index: int) -> Episode:
            episode = super().episode(index)
            if index == 1:
                torn = {**episode.observation, "table": [b"torn"] * len(episode)}
                return replace(episode, observation=torn)
            return episode

    torn = replace(recipe, sources=[Weighted(source=Torn(name="torn")), recipe.sources[1]])
    with pytest.raises(BadData, match="'torn', episode 1, 'table' at step"):
        train(torn, small.BODIES, tmp_path, quiet=True)
    settings = replace(recipe.training, skip_bad=True)
    train(replace(torn, training=settings), small.BODIES, tmp_path, quiet=True)
    told = json.loads((tmp_path / "skipped.json").read_text())
    assert {entry["source"] for entry in told} == {"torn"}
    assert {entry["episode"] for entry in told} == {1}


def test_a_sample_holds_what_the_policy_reads_and_nothing_more(small: ModuleType) -> None:
    policy = small.policy(frames=2)
    arm = window_spec(policy, "tabletop_arm")
    assert arm.streams == ("table", "tool", "instruction")
    assert (arm.frames, arm.spacing, arm.horizon) == (2, 1, 4)
    assert "cross_right" not in (window_spec(policy, "road_car").streams or ())


@pytest.mark.parametrize(("seconds", "steps"), [(0.1, 1), (0.26, 2.6), (0.01, 0.1)])
def test_the_spacing_of_a_window_is_counted_in_control_steps(
    small: ModuleType, seconds: float, steps: float
) -> None:
    policy = small.policy()
    policy.config = replace(policy.config, window=WindowConfig(frames=2, spacing=seconds))
    assert window_spec(policy, "tabletop_arm").spacing == pytest.approx(steps)


def test_data_sets_may_be_scaled_apart(small: ModuleType, tmp_path: Path) -> None:
    recipe = small.recipe(steps=2, apart=True)
    second = Weighted(source=small.Made(name="again/train", sizes=(5, 6)))
    first = Weighted(source=small.Made(name="made/train"))
    recipe = replace(
        recipe,
        sources=[first, second, *recipe.sources[1:]],
        held_out=[Weighted(source=small.Made(name="again/val", sizes=(4,)))],
    )
    policy = train(recipe, small.BODIES, tmp_path / "run", quiet=True)
    loaded = checkpoint.load(checkpoint.resolve(tmp_path / "run"))
    assert set(loaded.body_statistics["tabletop_arm"].apart) == {"made/train", "again/train"}
    assert loaded.body_statistics["road_car"].apart == {}
    with pytest.raises(BadConfig, match="not said whose are in force"):
        loaded.act([small.window("tabletop_arm", 0).observation])
    report = held_out_report(policy, recipe.held_out, tmp_path / "run")
    assert {group.data for group in report.groups} == {"again/val"}
    use_statistics(loaded, "again/train")
    loaded.act([small.window("tabletop_arm", 0).observation])


def test_a_run_that_scaled_apart_goes_on_so(small: ModuleType, tmp_path: Path) -> None:
    train(small.recipe(steps=2, apart=True), small.BODIES, tmp_path, quiet=True)
    with pytest.raises(BadConfig, match="holds a run with apart True, got False"):
        train(small.recipe(steps=2), small.BODIES, tmp_path, quiet=True)
