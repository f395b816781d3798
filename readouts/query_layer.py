"""A layer of a small decoder whose queries read the trunk's outputs.

Source: Carion et al., "DETR", 2020: attention and a feed-forward layer, each followed by a norm.
Queries do not read each other, as in the planners of VAD and DiffusionDrive.
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
        count = queries.shape[1]
        sources = torch.cat([queries, outputs], 1)
        # With itself among what it reads, no query ever faces a row of nothing.
        itself = torch.eye(count, dtype=torch.bool, device=visible.device)
        allowed = torch.cat(
            [itself.expand(len(visible), -1, -1), visible[:, None].expand(-1, count, -1)], 2
        )
        query = self.query(queries).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        parts = self.key_value(sources).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        found = attend(query, parts[0], parts[1], allowed[:, None])
        read = self.read_norm(queries + self.leave(found.transpose(1, 2).flatten(2)))
        return self.mlp_norm(read + self.mlp(read))
