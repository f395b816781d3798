"""A layer of a small decoder whose queries read the trunk's outputs.

Source: Carion et al., "DETR", 2020, with the norms before attention and feed-forward layer, where
the trunk has them: after them, few steps teach it little. Queries do not read each other, as in the
planners of VAD and DiffusionDrive.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from octoverse.readouts.cross_attention import Attention


class QueryLayer(nn.Module):
    """Every query reads what is visible of the outputs, and itself."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = Attention(width, width, heads)
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
        sources = self.attention.read(torch.cat([own, outputs], 1))
        read = queries + self.attention(own, sources, allowed)
        return read + self.mlp(self.mlp_norm(read))
