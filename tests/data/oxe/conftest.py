"""Records episodes of Open X-Embodiment's data sets as the data sets lay them out."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from octoverse import registry
from octoverse.data.dataset import DataSet
from octoverse.embodiment import Camera, Embodiment, State
from octoverse.episode import Episode

Features = Mapping[str, tuple[str, tuple[int, ...]]]

PICTURES: dict[str, type] = {"jpeg": np.uint8, "png": np.uint8, "png float32": np.float32}
FLAGS = {
    "steps/is_first": ("bool", ()),
    "steps/is_last": ("bool", ()),
    "steps/is_terminal": ("bool", ()),
}
SHARED = {
    "google": {
        "steps/reward": ("float32", ()),
        "steps/observation/natural_language_embedding": ("float32", (512,)),
        "steps/observation/natural_language_instruction": ("text", ()),
    },
    "elsewhere": {
        "episode_metadata/file_path": ("text", ()),
        "steps/discount": ("float32", ()),
        "steps/language_embedding": ("float32", (512,)),
        "steps/language_instruction": ("text", ()),
        "steps/reward": ("float32", ()),
    },
    "": {},
}
"""Features that all data sets have, by where they were converted to RLDS."""


@pytest.fixture
def written(
    write_tfds: Callable[..., Path], tfds_episode: Callable[..., dict[str, Any]]
) -> Callable[..., DataSet]:
    """Writes episodes of a data set below a root, where and as its distributors lay them out.

    Given are the root, the data set's TFDS name, where it was converted ("google", "elsewhere" or
    ""), its features beside those that all have from there, and for each episode the values that
    matter. The rest is random; pictures are of one colour.
    """

    def write(
        root: Path, name: str, converted: str, features: Features, *episodes: dict[str, Any]
    ) -> DataSet:
        declared: DataSet = registry.load("dataset", f"oxe/{name}")
        spec = FLAGS | SHARED[converted] | dict(features)
        pictures = {n: (k, s) for n, (k, s) in spec.items() if k in PICTURES}
        others = {n: v for n, v in spec.items() if n not in pictures}

        def made(seed: int, given: dict[str, Any]) -> dict[str, Any]:
            assert set(given) <= set(spec), set(given) - set(spec)
            steps = len(next(iter(given.values())))
            grey: dict[str, Any] = {
                n: [np.full(s, 99, PICTURES[k])] * steps for n, (k, s) in pictures.items()
            }
            return tfds_episode(others, steps, seed) | grey | given

        made_up = [made(seed, given) for seed, given in enumerate(episodes)]
        write_tfds(root / declared.folder, spec, made_up, name=name)
        return declared

    return write


@pytest.fixture
def recorded(tmp_path: Path, written: Callable[..., DataSet]) -> Callable[..., Episode]:
    """Writes two episodes as `written` does, and reads the first as the data set is declared."""

    def record(name: str, converted: str, features: Features, values: dict[str, Any]) -> Episode:
        steps = len(next(iter(values.values())))
        harmless = {name: np.repeat(rows[:1], 3, axis=0) for name, rows in values.items()}
        declared = written(tmp_path, name, converted, features, values, harmless)
        source = declared.open_split(str(tmp_path / declared.folder))
        assert source.lengths().tolist() == [steps, 3] and len(source.episode(1)) == 3
        episode = source.episode(0)
        _check(episode, registry.load("embodiment", declared.embodiment), steps)
        return episode

    return record


def _check(episode: Episode, body: Embodiment, steps: int) -> None:
    """An episode has what its body names, of the right shapes, and within the body's limits."""
    assert set(episode.observation) <= set(body.observation)
    assert set(episode.action) == set(body.action)
    assert np.diff(episode.times_ns) == pytest.approx(np.full(steps - 1, 1e9 / body.control_hz))
    for name, values in episode.observation.items():
        stream = body.observation[name]
        assert len(values) == steps
        if isinstance(stream, Camera):
            assert isinstance(values[0], bytes)
        elif isinstance(stream, State):
            _within(stream, np.asarray(values), episode.observation_valid.get(name))
    for name, group in body.action.items():
        _within(group, episode.action[name], episode.action_valid.get(name))
        # RLDS leaves the action of the last step undefined.
        assert not episode.action_valid[name][-1]


def _within(part: Any, values: np.ndarray, valid: np.ndarray | None) -> None:
    assert values.shape[1] == part.size and values.dtype == np.float32
    real = values if valid is None else values[valid]
    assert np.isfinite(real).all()
    assert (real >= np.array(part.low) - 1e-4).all() and (real <= np.array(part.high) + 1e-4).all()
