import pytest
from hypothesis import given
from hypothesis import strategies as st

from octoverse.evaluation.intervals import wilson


@pytest.mark.parametrize(
    ("successes", "episodes", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),  # Newcombe 1998, Statistics in Medicine 17, table I, method 3
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (10, 10, 0.7225, 1.0000),
    ],
)
def test_the_interval_is_the_published_one(
    successes: int, episodes: int, low: float, high: float
) -> None:
    assert wilson(successes, episodes) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_holds_the_rate_and_mirrors_failures(counts: tuple[int, int]) -> None:
    successes, episodes = counts
    found, mirrored = wilson(successes, episodes), wilson(episodes - successes, episodes)
    assert 0 <= found.low <= successes / episodes <= found.high <= 1
    assert found.low == pytest.approx(1 - mirrored.high, abs=1e-12)


def test_more_episodes_make_it_narrower() -> None:
    few, many = wilson(9, 10), wilson(90, 100)
    assert many.high - many.low < (few.high - few.low) / 2


@pytest.mark.parametrize(("successes", "episodes"), [(0, 0), (3, 2), (-1, 5)])
def test_counts_that_cannot_be_are_refused(successes: int, episodes: int) -> None:
    with pytest.raises(ValueError, match=f"at least one episode .* got {successes} of {episodes}"):
        wilson(successes, episodes)
