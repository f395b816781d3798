from dataclasses import dataclass

import numpy as np
import pytest

from octoverse.data.weighted import Weighted, readable, weigh
from octoverse.episode import Episode
from octoverse.errors import BadConfig, BadData


@dataclass(frozen=True, kw_only=True)
class Sized:
    sizes: tuple[int, ...]
    name: str = "sized"
    embodiment: str = "rc_car"

    def __len__(self) -> int:
        return len(self.sizes)

    def lengths(self) -> np.ndarray:
        return np.array(self.sizes)

    def fingerprint(self) -> str:
        return str(self.sizes)

    def episode(self, index: int) -> Episode:
        raise AssertionError("nothing is to be read")


LONG, SHORT = Sized(sizes=(90, 10)), Sized(sizes=(5, 5, 5, 5, 5))


def test_every_frame_or_every_episode_counts_alike() -> None:
    assert [entry.weight for entry in weigh([LONG, SHORT], "frames")] == [100, 25]
    assert [entry.weight for entry in weigh([LONG, SHORT], "episodes")] == [2, 5]


def test_factors_multiply_what_the_size_says() -> None:
    assert [entry.weight for entry in weigh([LONG, SHORT], "frames", [0.1, 2.0])] == [10, 50]


def test_long_episodes_are_cut_to_their_share() -> None:
    assert Weighted(source=LONG, per_episode=20).lengths().tolist() == [20, 10]
    assert Weighted(source=LONG).lengths().tolist() == [90, 10]


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), float("inf")])
def test_a_weight_that_is_no_share_is_refused(weight: float) -> None:
    with pytest.raises(BadConfig, match="weight of 'sized' must be above 0 and finite, got"):
        Weighted(source=LONG, weight=weight)


def test_no_step_of_an_episode_is_refused() -> None:
    with pytest.raises(BadConfig, match="per_episode of 'sized' must be at least 1, got 0"):
        Weighted(source=LONG, per_episode=0)


def test_what_cannot_be_opened_is_an_error_or_left_out_by_name() -> None:
    empty = Sized(sizes=(3, 0), name="empty")
    entries = [Weighted(source=LONG), Weighted(source=empty)]
    with pytest.raises(BadData, match=r"'empty': expected at least one time step .* episode 1"):
        readable(entries, skip_bad=False)
    kept, lengths, [left_out] = readable(entries, skip_bad=True)
    assert kept == entries[:1] and lengths[0].tolist() == [90, 10]
    assert left_out.source == "empty" and left_out.episode is None
    with pytest.raises(BadData, match=r"expected at least 200 steps \(one per rank\), got 100"):
        readable(entries[:1], skip_bad=False, world=200)


class Nameless:
    """A source without its metadata."""

    embodiment = "rc_car"

    @property
    def name(self) -> str:
        raise BadData("no metadata")

    def lengths(self) -> np.ndarray:
        raise BadData("no metadata")


def test_what_does_not_even_know_its_name_is_called_by_its_kind() -> None:
    entries = [Weighted(source=LONG), Weighted(source=Nameless())]  # type: ignore[arg-type]
    _, _, [left_out] = readable(entries, skip_bad=True)
    assert left_out.source == "Nameless" and left_out.message == "no metadata"
