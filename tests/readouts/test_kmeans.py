import numpy as np
import pytest
import torch

from octoverse.errors import BadData
from octoverse.readouts.kmeans import kmeans, refine, squared_distances, start


def blobs(count: int = 5, each: int = 40) -> tuple[torch.Tensor, torch.Tensor]:
    """Points around centres that lie far apart, and the centres."""
    generator = torch.Generator().manual_seed(0)
    centres = 10 * torch.randn(count, 6, generator=generator)
    noise = 0.1 * torch.randn(count, each, 6, generator=generator)
    return (centres[:, None] + noise).flatten(0, 1), centres


def plain_kmeans(points: np.ndarray, valid: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Lloyd's rounds, number by number; no centre is ever without points here."""
    everywhere = [points[valid[:, d], d].mean() for d in range(points.shape[1])]
    for _ in range(100):
        nearest = [
            min(
                range(len(centres)),
                key=lambda c: sum((x[d] - centres[c, d]) ** 2 for d in np.flatnonzero(real)),
            )
            for x, real in zip(points, valid, strict=True)
        ]
        for c in range(len(centres)):
            for d in range(points.shape[1]):
                mine = [
                    x[d]
                    for x, real, n in zip(points, valid, nearest, strict=True)
                    if n == c and real[d]
                ]
                centres[c, d] = np.mean(mine) if mine else everywhere[d]
    return centres


def test_it_is_what_a_plain_reference_finds_from_the_same_start() -> None:
    generator = torch.Generator().manual_seed(1)
    points = torch.randn(60, 4, generator=generator, dtype=torch.float64)
    valid = torch.rand(60, 4, generator=generator) < 0.8
    valid[:, 0] = True
    points[~valid] = 0
    real = valid.double()
    first = start(points, real, 5, torch.Generator().manual_seed(3))
    expected = plain_kmeans(points.numpy(), valid.numpy(), first.numpy().copy())
    assert np.allclose(refine(points, real, first).numpy(), expected, atol=1e-12)


def test_it_finds_the_centres_of_what_lies_apart() -> None:
    points, centres = blobs()
    found = kmeans(points, torch.ones_like(points) > 0, 5)
    nearest = torch.cdist(centres, found).min(1)
    assert nearest.values.max() < 0.2
    assert nearest.indices.sort().values.tolist() == [0, 1, 2, 3, 4]


def test_the_same_points_and_seed_give_the_same_centres() -> None:
    points = torch.randn(80, 3, generator=torch.Generator().manual_seed(0))
    valid = torch.ones_like(points) > 0
    assert torch.equal(kmeans(points, valid, 7), kmeans(points, valid, 7))
    assert not torch.equal(kmeans(points, valid, 7), kmeans(points, valid, 7, seed=1))


def test_what_is_masked_changes_nothing() -> None:
    points, _ = blobs()
    valid = torch.rand(points.shape, generator=torch.Generator().manual_seed(0)) < 0.7
    valid[:8] = False  # has no number at all
    anything = torch.where(valid, points, torch.nan)
    assert torch.equal(kmeans(points, valid, 5), kmeans(anything, valid, 5))
    assert torch.equal(kmeans(points, valid, 5), kmeans(points[8:], valid[8:], 5))


def test_a_point_with_half_of_its_numbers_belongs_where_that_half_lies() -> None:
    points, centres = blobs()
    valid = torch.ones_like(points) > 0
    valid[::2, 3:] = False
    points[::2, 3:] = 99.0
    found = kmeans(points, valid, 5)
    assert torch.cdist(centres, found).min(1).values.max() < 0.2


def test_a_number_that_no_member_has_is_the_mean_of_those_who_have_it() -> None:
    points = torch.tensor([[0.0, 1.0], [0.1, 3.0], [9.0, 0.0], [9.1, 0.0]])
    valid = torch.tensor([[True, True], [True, True], [True, False], [True, False]])
    found = kmeans(points, valid, 2)
    assert torch.allclose(found[found[:, 0].argsort()], torch.tensor([[0.05, 2.0], [9.05, 2.0]]))
    nobody = kmeans(points, torch.tensor([[True, False]]).expand(4, 2), 2)
    assert not nobody[:, 1].any()


def test_a_centre_without_points_moves_to_the_point_farthest_from_its_own() -> None:
    points = torch.tensor([[0.0], [1.0], [10.0]], dtype=torch.float64)
    far = torch.tensor([[0.5], [500.0], [900.0]], dtype=torch.float64)
    found = refine(points, torch.ones_like(points), far)
    assert found.flatten().sort().values.tolist() == [0.0, 1.0, 10.0]


def test_first_centres_are_points_and_lie_apart() -> None:
    points, centres = blobs()
    all_known = torch.ones_like(points).double()
    first = start(points.double(), all_known, 5, torch.Generator().manual_seed(0)).float()
    assert (first[:, None] == points).all(2).any(1).all()
    assert torch.cdist(first, centres).argmin(1).sort().values.tolist() == [0, 1, 2, 3, 4]


def test_distances_are_those_over_the_numbers_that_a_point_has() -> None:
    points, centres = torch.randn(50, 3).double(), torch.randn(4, 3).double()
    valid = (torch.rand(50, 3) < 0.5).double()
    points = points * valid
    found = squared_distances(points, valid, centres)
    expected = ((points[:, None] - centres) ** 2 * valid[:, None]).sum(2)
    assert torch.allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize(
    ("points", "words"),
    [
        (torch.arange(3.0)[:, None], "4 anchors need at least as many different chunks .* got 3"),
        (torch.tensor([0.0, 1.0] * 9)[:, None], "got 2 different ones among 18. Choose fewer"),
        (torch.tensor([0.0, 1, torch.nan, 2, 3])[:, None], "1 of 5 points have numbers .* finite"),
    ],
)
def test_too_little_or_broken_data_is_said_in_words(points: torch.Tensor, words: str) -> None:
    with pytest.raises(BadData, match=words):
        kmeans(points, torch.ones_like(points) > 0, 4)
