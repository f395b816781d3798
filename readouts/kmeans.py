"""Find the few points that many points lie around, where some numbers of a point may be missing.

Source: Lloyd, "Least squares quantization in PCM", 1982; Arthur and Vassilvitskii, "k-means++: the
advantages of careful seeding", 2007. Distances are taken over the numbers that a point has.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from octoverse.errors import BadData

_ROUNDS = 100
"""After so many rounds the centres hardly move, whether or not the last point has settled."""


def kmeans(
    points: Float[Tensor, "n d"], valid: Bool[Tensor, "n d"], count: int, seed: int = 0
) -> Float[Tensor, "k d"]:
    """Find `count` centres such that every point is near one; the seed decides all chance.

    A number that no member of a centre has is the mean of all points that have it, or 0.

    Args:
        points: Whatever; where not valid, anything.
        valid: Which numbers a point has. Points that have none are left out.
        count: How many centres.
        seed: Decides the start.

    Raises:
        BadData: if there are fewer different points than centres, or a valid number is not finite.
    """
    some = valid.any(1)
    real = valid[some].double()
    known = torch.where(valid, points, 0)[some].double()
    if not known.isfinite().all():
        raise BadData(
            f"{int((~known.isfinite()).any(1).sum())} of {len(known)} points have numbers that "
            "are not finite, expected finite ones. Mask them as invalid."
        )
    centres = start(known, real, count, torch.Generator().manual_seed(seed))
    return refine(known, real, centres).to(points.dtype)


def start(
    points: Float[Tensor, "n d"],
    valid: Float[Tensor, "n d"],
    count: int,
    generator: torch.Generator,
) -> Float[Tensor, "k d"]:
    """Choose points as first centres, each the likelier the farther it is from those before.

    Args:
        points: Zero where not valid.
        valid: 1 where valid, 0 elsewhere.
        count: How many to choose.
        generator: Of the chance.
    """
    if len(points) < count:
        raise _too_few(count, f"{len(points)}")
    filled = _filled(points, valid)
    chosen = [int(torch.randint(len(points), (1,), generator=generator))]
    nearest = torch.full_like(points[:, 0], torch.inf)
    while len(chosen) < count:
        away = (points - filled[chosen[-1]]) * valid
        nearest = torch.minimum(nearest, away.square().sum(1))
        if not nearest.any():
            raise _too_few(count, f"{len(chosen)} different ones among {len(points)}")
        chosen.append(int(torch.multinomial(nearest, 1, generator=generator)))
    return filled[chosen]


def refine(
    points: Float[Tensor, "n d"], valid: Float[Tensor, "n d"], centres: Float[Tensor, "k d"]
) -> Float[Tensor, "k d"]:
    """Move every centre to the mean of the points nearest to it, until none changes its centre.

    A centre that no point is nearest to moves to the point that is farthest from its own.
    """
    filled, before = _filled(points, valid), None
    everywhere = _mean(points, valid)
    for _ in range(_ROUNDS):
        distance, nearest = squared_distances(points, valid, centres).min(1)
        member = torch.nn.functional.one_hot(nearest, len(centres)).T.to(points.dtype)
        empty = member.sum(1) == 0
        if before is not None and torch.equal(nearest, before) and not empty.any():
            break
        having = member @ valid
        centres = torch.where(having > 0, member @ points / having.clamp(min=1), everywhere)
        centres[empty] = filled[distance.topk(int(empty.sum())).indices]
        before = nearest
    return centres


def squared_distances(
    points: Float[Tensor, "n d"], valid: Float[Tensor, "n d"], centres: Float[Tensor, "k d"]
) -> Float[Tensor, "n k"]:
    """Sum of squares over the numbers that each point has; points are zero elsewhere."""
    # Written out as products, which need no room for all the differences.
    far = points.square().sum(1, keepdim=True) - 2 * points @ centres.T
    return (far + valid @ centres.T.square()).clamp(min=0)


def _filled(points: Tensor, valid: Tensor) -> Tensor:
    """The points, with the mean of those that have it in place of a missing number."""
    return torch.where(valid > 0, points, _mean(points, valid))


def _mean(points: Tensor, valid: Tensor) -> Tensor:
    return points.sum(0) / valid.sum(0).clamp(min=1)


def _too_few(count: int, got: str) -> BadData:
    return BadData(
        f"{count} anchors need at least as many different chunks to be learned from, got {got}. "
        "Choose fewer anchors or give more data."
    )
