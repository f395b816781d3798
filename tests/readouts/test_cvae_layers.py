"""The layers are compared with PyTorch's own transformer layers, norms in front."""

import pytest
import torch
from torch import Tensor, nn

from octoverse.readouts.cross_attention import Attention
from octoverse.readouts.cvae_layers import DecoderLayer, EncoderLayer


def copied(ours: Attention, theirs: nn.MultiheadAttention) -> None:
    assert theirs.in_proj_weight is not None and theirs.in_proj_bias is not None
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([ours.query.weight, ours.key_value.weight]))
        theirs.in_proj_bias.copy_(torch.cat([ours.query.bias, ours.key_value.bias]))
    theirs.out_proj.load_state_dict(ours.leave.state_dict())


def lines(ours: nn.Sequential, theirs: nn.Module, norm: str) -> None:
    for place, name in enumerate((norm, "linear1", None, "linear2")):
        if name:
            theirs.get_submodule(name).load_state_dict(ours[place].state_dict())


def seen(batch: int, count: int) -> Tensor:
    mask = torch.rand(batch, 1, count) < 0.6
    mask[..., 0] = True
    return mask


@pytest.mark.parametrize("learning", [False, True])
def test_the_encoder_layer_is_pytorch_s(learning: bool) -> None:
    torch.manual_seed(0)
    ours, x, mask = EncoderLayer(16, 4, 24), torch.randn(3, 7, 16), seen(3, 7)
    theirs = nn.TransformerEncoderLayer(16, 4, 24, 0.0, norm_first=True, batch_first=True)
    copied(ours.attention, theirs.self_attn)
    theirs.norm1.load_state_dict(ours.attention_norm.state_dict())
    lines(ours.mlp, theirs, "norm2")
    with torch.set_grad_enabled(learning):
        found = ours(x, mask, None)
        assert torch.allclose(found, theirs(x, src_key_padding_mask=~mask[:, 0]), atol=1e-5)
        assert torch.allclose(ours(x, mask, 2), found[:, :2], atol=1e-6)


@pytest.mark.parametrize("learning", [False, True])
def test_the_decoder_layer_is_pytorch_s(learning: bool) -> None:
    torch.manual_seed(0)
    ours, x, memory, mask = DecoderLayer(16, 16, 4, 24), *torch.randn(2, 3, 7, 16), seen(3, 7)
    theirs = nn.TransformerDecoderLayer(16, 4, 24, 0.0, norm_first=True, batch_first=True)
    copied(ours.self_attention, theirs.self_attn)
    copied(ours.cross, theirs.multihead_attn)
    theirs.norm1.load_state_dict(ours.self_norm.state_dict())
    theirs.norm2.load_state_dict(ours.cross_norm.state_dict())
    lines(ours.mlp, theirs, "norm3")
    with torch.set_grad_enabled(learning):
        found = ours(x, ours.cross.read(memory), mask)
        expected = theirs(x, memory, memory_key_padding_mask=~mask[:, 0])
    assert torch.allclose(found, expected, atol=1e-5)


def test_queries_that_all_share_may_be_given_once() -> None:
    torch.manual_seed(0)
    layer, shared, memory = (
        DecoderLayer(16, 12, 4, 24),
        torch.randn(1, 5, 16),
        torch.randn(3, 7, 12),
    )
    mask = seen(3, 7)
    once, each = (
        layer(queries, layer.cross.read(memory), mask)
        for queries in (shared, shared.expand(3, -1, -1))
    )
    assert torch.allclose(once, each, atol=1e-6)
    ours, theirs = (
        torch.autograd.grad(out.square().sum(), list(layer.parameters())) for out in (once, each)
    )
    assert all(
        torch.allclose(a, b, rtol=1e-4, atol=1e-4) for a, b in zip(ours, theirs, strict=True)
    )


def test_what_is_not_seen_has_no_influence() -> None:
    torch.manual_seed(0)
    layer, x, memory, mask = (
        DecoderLayer(16, 12, 4, 24),
        torch.randn(1, 5, 16),
        torch.randn(3, 7, 12),
        seen(3, 7),
    )
    found = layer(x, layer.cross.read(memory), mask)
    memory = torch.where(mask[:, 0, :, None], memory, 1e3)
    assert torch.allclose(layer(x, layer.cross.read(memory), mask), found, atol=1e-6)
