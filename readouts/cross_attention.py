"""Attention by which a readout's own queries read a memory.

Source: Vaswani et al., "Attention is all you need", 2017, section 3.2.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from octoverse.trunk.attention import attend

Read = tuple[Tensor, Tensor]
"""Keys and values of a memory, each (b, heads, n, c)."""


class Attention(nn.Module):
    """Queries of one width read a memory of another."""

    def __init__(self, width: int, memory: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.leave = nn.Linear(width, width), nn.Linear(width, width)
        self.key_value = nn.Linear(memory, 2 * width)

    def read(self, memory: Float[Tensor, "b n m"]) -> Read:
        """Keys and values of a memory."""
        both = self.key_value(memory).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return both[0], both[1]

    def forward(
        self, x: Float[Tensor, "one_or_b q d"], read: Read, seen: Bool[Tensor, "b _ n"] | None
    ) -> Float[Tensor, "b q d"]:
        """What queries find where a memory is `seen`, by all (b, 1, n) or by each (b, q, n).

        Queries that all samples share may be given once.
        """
        keys, values = read
        b, n = len(keys), keys.shape[2]
        query = self.query(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        if seen is None:
            seen = torch.ones(b, 1, n, dtype=torch.bool, device=x.device)
        mask = seen[:, None].expand(b, 1, x.shape[1], n)
        found = attend(query.expand(b, -1, -1, -1), keys, values, mask)
        return self.leave(found.transpose(1, 2).flatten(2))
