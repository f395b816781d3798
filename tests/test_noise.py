import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from octoverse import noise

SEEDS = st.integers(-(2**63), 2**63 - 1)


@given(seeds=st.lists(SEEDS, min_size=1, max_size=5), place=st.integers(0, 4), purpose=SEEDS)
def test_a_sample_s_noise_is_the_same_whoever_shares_the_batch(
    seeds: list[int], place: int, purpose: int
) -> None:
    place, purpose = place % len(seeds), purpose % 10
    together = noise.normal(torch.tensor(seeds), purpose, (3, 2))
    alone = noise.normal(torch.tensor([seeds[place]]), purpose, (3, 2))
    assert torch.equal(together[place], alone[0])


def test_mean_spread_and_tails_are_those_of_a_standard_normal() -> None:
    drawn = noise.normal(torch.arange(2000), 3, (10, 10)).double()
    assert abs(drawn.mean()) < 0.01
    assert abs(drawn.std() - 1) < 0.01
    assert abs((drawn.abs() < 1).double().mean() - 0.6827) < 0.005
    assert 3.5 < drawn.abs().max() < 7


def test_uniform_numbers_fill_the_unit_interval_evenly() -> None:
    drawn = noise.uniform(torch.arange(1000), 2, (100,)).double()
    counts = torch.histc(drawn, 20, 0, 1)
    assert counts.min() > 4600 and counts.max() < 5400


def test_neither_neighbours_of_seeds_nor_of_places_resemble_each_other() -> None:
    drawn = noise.normal(torch.arange(500), 3, (500,)).double()
    for one, other in ((drawn[1:], drawn[:-1]), (drawn[:, 1:], drawn[:, :-1])):
        assert abs((one * other).mean()) < 0.01


def test_seed_and_purpose_are_not_interchangeable() -> None:
    drawn = {
        (seed, purpose): float(noise.uniform(torch.tensor([seed]), purpose, ())[0])
        for seed in range(20)
        for purpose in range(20)
    }
    assert len(set(drawn.values())) == len(drawn)


@pytest.mark.parametrize("bits", [-1, 0])
def test_no_draw_is_0_or_1_even_for_extreme_bits(
    bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(noise, "_mix", lambda x: torch.full_like(x, bits))
    assert 0 < float(noise.uniform(torch.tensor([1]), 0, ())[0]) < 1
    assert torch.isfinite(noise.normal(torch.tensor([1]), 0, (4,))).all()


def test_the_numbers_stay_what_they_are_from_release_to_release() -> None:
    drawn = noise.uniform(torch.tensor([7, 8]), 1, (2,))
    expected = torch.tensor([[0.278701, 0.777430], [0.896344, 0.087798]])
    assert torch.allclose(drawn, expected, atol=1e-6)
