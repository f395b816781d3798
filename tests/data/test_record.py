import subprocess
import sys
import time
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from octoverse import registry
from octoverse.data import record as module
from octoverse.data.lerobot.source import LeRobotSource
from octoverse.data.record import record
from octoverse.errors import BadConfig, BadData, OctoverseError, UnknownName
from octoverse.preprocess import decode
from octoverse.simulation.world import EnvironmentSpec


@pytest.fixture
def worlds(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module of fake worlds; worker processes find it on the same path."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return import_module("fake_world")


def contents(folder: Path) -> list[Any]:
    source = LeRobotSource(folder=folder)
    episodes = [source.episode(i) for i in range(len(source))]
    return [
        (
            e.key,
            list(e.observation["table"]),
            e.action["arm"].tolist(),
            str(e.observation["tool"]),
        )
        for e in episodes
    ]


def test_processes_and_pauses_change_nothing(tmp_path: Path, worlds: Any) -> None:
    whole = record(worlds.FAKE, tmp_path / "whole", 8, processes=2, quiet=True)
    record(worlds.FAKE, tmp_path / "parts", 3, processes=1, quiet=True)
    record(worlds.FAKE, tmp_path / "parts", 8, processes=1, quiet=True)
    assert contents(tmp_path / "whole") == contents(tmp_path / "parts")
    assert whole.episodes == 8 and whole.attempts > 8
    again = record(worlds.FAKE, tmp_path / "whole", 8, quiet=True)
    assert again == replace(whole, new_steps=0, attempts=0, seconds=again.seconds)


def test_labels_stay_clean_while_half_of_the_episodes_are_pushed(
    tmp_path: Path, worlds: Any
) -> None:
    record(worlds.FAKE, tmp_path, 30, processes=1, quiet=True, only_success=False)
    source = LeRobotSource(folder=tmp_path)
    pushed = []
    for i in range(len(source)):
        episode = source.episode(i)
        assert np.allclose(episode.action["arm"], 0.01)
        moved = np.diff(np.asarray(episode.observation["tool"])[:, :4], axis=0)
        pushed.append(not np.allclose(moved, 0.01))
    assert 2 <= sum(pushed) <= 20


def test_failures_are_left_out_unless_wanted(tmp_path: Path, worlds: Any) -> None:
    some = record(worlds.FAKE, tmp_path / "some", 4, processes=1, quiet=True)
    every = record(worlds.FAKE, tmp_path / "every", 4, processes=1, quiet=True, only_success=False)
    assert some.attempts > every.attempts == 4


def test_a_killed_recording_leaves_no_process_and_no_torn_episode(
    tmp_path: Path, worlds: Any
) -> None:
    script = tmp_path / "main.py"
    script.write_text(
        "import sys\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from multiprocessing import active_children\n"
        "from octoverse.data import record as module\n"
        "import fake_world\n"
        "module.FLUSH_SECONDS = 0.0\n"
        "def tell(progress, *_, completed, **__):\n"
        "    if completed == 3:\n"
        "        print(*(child.pid for child in active_children()), flush=True)\n"
        "module.Progress.update = tell\n"
        "if __name__ == '__main__':\n"
        "    module.record(fake_world.FAKE, sys.argv[1], 10**6, quiet=True)\n"
    )
    command = [sys.executable, str(script), str(tmp_path / "made")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        workers = [int(word) for word in process.stdout.readline().split()]
        process.kill()
    assert len(workers) == 2
    until = time.monotonic() + 60
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < until, "workers outlived their parent"
        time.sleep(0.05)
    kept = contents(tmp_path / "made")
    assert len(kept) >= 2
    record(worlds.FAKE, tmp_path / "made", len(kept) + 2, processes=1, quiet=True)
    record(worlds.FAKE, tmp_path / "whole", len(kept) + 2, processes=1, quiet=True)
    assert contents(tmp_path / "made") == contents(tmp_path / "whole")


def test_only_the_same_recording_goes_on(tmp_path: Path, worlds: Any) -> None:
    record(worlds.FAKE, tmp_path, 1, processes=1, quiet=True)
    with pytest.raises(BadData, match=r"expected a recording 'fake-fakeworld-0-seed7-noise0\.4-"):
        record(worlds.FAKE, tmp_path, 2, seed=7, quiet=True)


def test_faults_of_a_world_are_told(
    tmp_path: Path, worlds: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_HOPELESS", 5)
    with pytest.raises(OctoverseError, match="the expert failed 5 times in a row"):
        record(worlds.HOPELESS, tmp_path / "a", 1, processes=1, quiet=True)
    with pytest.raises(OctoverseError, match="A process that recorded 'fake-deadly' died"):
        record(worlds.DEADLY, tmp_path / "b", 1, processes=1, quiet=True)
    with pytest.raises(ValueError, match="the world has no floor"):
        record(worlds.FAULTY, tmp_path / "c", 1, processes=1, quiet=True)


def test_bad_settings_are_refused(tmp_path: Path) -> None:
    spec = EnvironmentSpec(
        name="none", gym_id="None-v0", embodiment="tabletop_arm", max_steps=1, row="none"
    )
    with pytest.raises(BadConfig, match=r"at least 1 and noise at least 0, got 0, 2 and 0\.4"):
        record(spec, tmp_path, 0)
    with pytest.raises(UnknownName, match=r"No environment named 'tabletop-lfit'\. Did you mean"):
        record("tabletop-lfit", tmp_path, 1)


@pytest.mark.sim
@pytest.mark.parametrize("name", ["tabletop-lift", "road-lane"])
def test_a_real_world_is_recorded(tmp_path: Path, name: str) -> None:
    found = record(name, tmp_path, 1, processes=1, quiet=True)
    source, spec = LeRobotSource(folder=tmp_path), registry.load("environment", name)
    assert found.steps == source.lengths().sum()
    episode = source.episode(0)
    for stream, camera in spec.body.cameras.items():
        images = [decode(image) for image in episode.observation[stream]]
        assert images[0].shape == (camera.height, camera.width, 3)
        assert np.std(images[0]) > 5
    step = {k: v[0] for k, v in episode.observation.items()}
    spec.body.check_frame(step | {k: decode(step[k]) for k in spec.body.cameras})
    spec.body.check_action({k: v[0] for k, v in episode.action.items()})
