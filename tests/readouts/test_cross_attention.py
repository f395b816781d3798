import torch
from torch import nn

from octoverse.readouts.cross_attention import Attention


def test_it_is_pytorch_s_whether_all_queries_see_the_same_or_each_its_own() -> None:
    torch.manual_seed(0)
    ours, theirs = (
        Attention(16, 12, 4),
        nn.MultiheadAttention(16, 4, kdim=12, vdim=12, batch_first=True),
    )
    key, value = ours.key_value.weight.chunk(2)
    assert theirs.q_proj_weight is not None
    assert theirs.k_proj_weight is not None and theirs.v_proj_weight is not None
    assert theirs.in_proj_bias is not None
    with torch.no_grad():
        theirs.q_proj_weight.copy_(ours.query.weight)
        theirs.k_proj_weight.copy_(key)
        theirs.v_proj_weight.copy_(value)
        theirs.in_proj_bias.copy_(torch.cat([ours.query.bias, ours.key_value.bias]))
    theirs.out_proj.load_state_dict(ours.leave.state_dict())
    x, memory = torch.randn(3, 5, 16), torch.randn(3, 7, 12)
    for queries in (1, 5):
        seen = torch.rand(3, queries, 7) < 0.6
        seen[..., 0] = True
        hidden = ~seen.expand(-1, 5, -1).repeat_interleave(4, 0)
        expected, _ = theirs(x, memory, memory, attn_mask=hidden)
        assert torch.allclose(ours(x, ours.read(memory), seen), expected, atol=1e-5)
