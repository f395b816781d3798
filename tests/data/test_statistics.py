from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from octoverse.data.statistics import body_statistics, statistics_of
from octoverse.data.weighted import Weighted
from octoverse.episode import Episode
from octoverse.errors import BadConfig, BadData


@dataclass(frozen=True, kw_only=True)
class Drives:
    name: str = "drives"
    embodiment: str = "road_car"
    mean: float = 0.0
    steps: int = 50
    known: bool = True
    forbidden: bool = False

    def __len__(self) -> int:
        return 2

    def lengths(self) -> np.ndarray:
        return np.full(2, self.steps)

    def fingerprint(self) -> str:
        return f"{self.name}-{self.mean}-{self.steps}"

    def episode(self, index: int) -> Episode:
        assert not self.forbidden, "the data must not be read again"
        rng, steps = np.random.default_rng(index), self.steps
        path = rng.normal(self.mean, 1, (steps, 30, 3)).astype(np.float32)
        path[:, 20:] = np.nan
        return Episode(
            embodiment="road_car",
            source=self.name,
            key=str(index),
            times_ns=np.arange(steps) * 100_000_000,
            observation={
                "front": [b""] * steps,
                "speed": rng.normal(5, 1, (steps, 1)),
                "ego_history": rng.normal(size=(steps, 8, 3)),
                "instruction": ["drive"] * steps,
            },
            action={"path": path},
            observation_valid={"ego_history": np.arange(steps) % 2 == 0},
            action_valid={"path": np.broadcast_to((np.arange(30) < 20) & self.known, (steps, 30))},
        )


def test_valid_numbers_are_gathered_by_stream_and_group() -> None:
    got = statistics_of(Drives(mean=3.0))
    assert set(got.observation) == {"speed", "ego_history"} and set(got.action) == {"path"}
    assert got.observation["speed"].count == 100
    assert got.observation["ego_history"].count == 50 * 8
    assert got.action["path"].count == 100 * 20
    assert got.action["path"].mean == pytest.approx((3, 3, 3), abs=0.2)


def test_the_data_sets_of_a_body_are_merged_by_weight() -> None:
    pair = [
        Weighted(source=Drives(mean=0.0, steps=10), weight=3.0),
        Weighted(source=Drives(mean=8.0, steps=90), weight=1.0),
    ]
    got = body_statistics(pair)["road_car"].action["path"]
    assert got.mean == pytest.approx((2, 2, 2), abs=0.3)


def test_what_was_gathered_is_kept_under_its_hash(tmp_path: Path) -> None:
    first = statistics_of(Drives(), tmp_path)
    assert statistics_of(Drives(forbidden=True), tmp_path) == first
    assert len(list(tmp_path.iterdir())) == 1
    assert statistics_of(Drives(mean=1.0), tmp_path) != first


def test_nothing_is_written_without_a_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    statistics_of(Drives())
    assert not list(tmp_path.iterdir())


def test_a_body_without_valid_actions_is_refused() -> None:
    with pytest.raises(BadData, match=r"'road_car': expected actions 'path' in 'drives', found"):
        statistics_of(Drives(known=False))


def test_numbers_that_are_not_finite_are_named_with_their_episode() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Torn(Drives):
        def episode(self, index: int) -> Episode:
            episode = super().episode(index)
            np.asarray(episode.observation["speed"])[3] = np.inf
            return episode

    words = r"'torn', episode 0: 'speed': Expected finite numbers, got inf in dimension 0 of row 3"
    with pytest.raises(BadData, match=words):
        statistics_of(Torn(name="torn"))


def test_a_state_and_an_action_of_one_name_are_not_mixed(tmp_path: Path) -> None:
    class Arms(Drives):
        def episode(self, index: int) -> Episode:
            return Episode(
                embodiment="unitree_g1",
                source=self.name,
                key=str(index),
                times_ns=np.arange(5),
                observation={"arms": np.zeros((5, 14)), "hands": np.full((5, 12), 2.0)},
                action={"arms": np.full((5, 14), 1.0), "hands": np.full((5, 12), 3.0)},
            )

    for _ in range(2):
        got = statistics_of(Arms(embodiment="unitree_g1", name="arms"), tmp_path)
        assert got.observation["arms"].count == got.action["arms"].count == 10
        assert (got.observation["arms"].mean[0], got.action["arms"].mean[0]) == (0.0, 1.0)
        assert (got.observation["hands"].mean[0], got.action["hands"].mean[0]) == (2.0, 3.0)


def test_data_sets_may_be_kept_apart_beside_the_merged_ones() -> None:
    pair = [Weighted(source=Drives(name="a")), Weighted(source=Drives(name="b", mean=8.0))]
    got = body_statistics(pair, apart=True)["road_car"]
    for name, entry in zip("ab", pair, strict=True):
        alone = statistics_of(entry.source)
        assert (got.apart[name].action, got.apart[name].of) == (alone.action, name)
        assert got.apart[name].observation == alone.observation and alone.of == ""
    merged = body_statistics(pair)["road_car"]
    assert (merged.action, merged.apart) == (got.action, {}) and merged.hash != got.hash
    assert body_statistics(pair[:1], apart=True)["road_car"].apart == {}


def test_data_sets_of_one_name_cannot_be_kept_apart() -> None:
    pair = [Weighted(source=Drives()), Weighted(source=Drives(mean=1.0))]
    with pytest.raises(BadConfig, match="Two data sets of 'road_car' are called 'drives' and cann"):
        body_statistics(pair, apart=True)
