"""The chunks that readouts choose among: learned once from training data, then fixed.

Source: Chai et al., "MultiPath", 2019 (a fixed set of trajectories, found by k-means, to classify
and to refine).
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from octoverse.errors import BadConfig
from octoverse.readout import Sample, held, only_valid
from octoverse.readouts.kmeans import kmeans


class AnchorSet(nn.Module):
    """k chunks in the codec's code; which code that is decides what lies near to what."""

    values: Tensor
    fitted: Tensor

    def __init__(self, count: int, horizon: int, size: int) -> None:
        super().__init__()
        self.register_buffer("values", torch.zeros(count, horizon, size))
        self.register_buffer("fitted", torch.zeros(()))
        self._known = False

    def fit(self, codes: Float[Tensor, "n h a"], valid: Bool[Tensor, "n h a"]) -> None:
        """Learn the anchors from codes of training chunks; the same codes give the same anchors.

        Raises:
            BadData: if there are fewer different chunks than anchors, or codes are not finite.
        """
        found = kmeans(codes.flatten(1), valid.flatten(1), len(self.values))
        self.values.copy_(found.reshape(self.values.shape))
        self.fitted.fill_(1)

    def get(self) -> Float[Tensor, "k h a"]:
        """The anchors.

        Raises:
            BadConfig: if they have not been learned.
        """
        if not self._known:
            if not bool(self.fitted):
                raise BadConfig(
                    f"the {len(self.values)} anchors of a readout have not been learned. Give "
                    "codes of training chunks to its fit(codes, valid) before the first step; "
                    "octoverse train does so."
                )
            self._known = True  # asking a tensor each time would make an accelerator wait
        return self.values

    def nearest(
        self, target: Float[Tensor, "b h a"], valid: Bool[Tensor, "b h a"]
    ) -> Int[Tensor, " b"]:
        """Which anchor is nearest to each target, over its valid numbers alone."""
        away = torch.where(valid, target, 0)[:, None] - self.get()  # (b, k, h, a)
        return torch.where(valid[:, None], away.square(), 0).sum((2, 3)).argmin(1)


def likeliest(
    chunks: Float[Tensor, "b k h a"],
    scores: Float[Tensor, "b k"],
    samples: int,
    prefix: Float[Tensor, "b p a"] | None,
    valid: Bool[Tensor, "b h a"] | None,
) -> Sample:
    """The `samples` chunks of highest score, best first, with their scores.

    Args:
        chunks: One for each anchor.
        scores: Logarithms of how likely each is.
        samples: How many are wanted.
        prefix: Takes the place of their first rows.
        valid: Numbers that exist; the others become 0.

    Raises:
        BadConfig: if there are fewer anchors than samples.
    """
    if samples > chunks.shape[1]:
        raise BadConfig(
            f"a readout of {chunks.shape[1]} anchors gives each of them once, at most "
            f"{chunks.shape[1]} samples, got samples = {samples}. Ask for fewer, or train it "
            "with more anchors."
        )
    found, best = scores.topk(samples)
    actions = chunks.take_along_dim(best[..., None, None], 1)
    return Sample(only_valid(held(actions, prefix), valid), found)
