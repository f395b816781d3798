"""A layer of a small decoder whose queries read the trunk's outputs.

Source: Carion et al., "DETR", 2020, with the norms before attention and feed-forward layer, where
the trunk has them: after them, few steps teach it little. Queries do not read each other, as in the
planners of VAD and DiffusionDrive.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from octoverse.trunk.attention import attend


class QueryLayer(nn.Module):
    """Every query reads what is visible of the outputs, and itself."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.leave = nn.Linear(width, width), nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.read_norm, self.mlp_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.ReLU(), nn.Linear(4 * width, width)
        )

    def forward(
        self,
        queries: Float[Tensor, "b q d"],
        outputs: Float[Tensor, "b length d"],
        visible: Bool[Tensor, "b length"],
    ) -> Float[Tensor, "b q d"]:
        """Read `outputs` where `visible`."""
        count, own = queries.shape[1], self.read_norm(queries)
        # With itself among what it reads, no query ever faces a row of nothing.
        itself = torch.eye(count, dtype=torch.bool, device=visible.device)
        allowed = torch.cat(
            [itself.expand(len(visible), -1, -1), visible[:, None].expand(-1, count, -1)], 2
        )
        query = self.query(own).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        sources = self.key_value(torch.cat([own, outputs], 1))
        key, value = sources.unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        found = attend(query, key, value, allowed[:, None])  # (b, heads, q, c)
        read = queries + self.leave(found.transpose(1, 2).flatten(2))
        return read + self.mlp(self.mlp_norm(read))
