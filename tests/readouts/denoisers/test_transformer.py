import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from octoverse.readouts.denoisers.denoiser import Condition
from octoverse.readouts.denoisers.transformer import Transformer, TransformerConfig


def network(**settings: Any) -> Transformer:
    torch.manual_seed(0)
    made = TransformerConfig(**{"width": 16, "layers": 2, "heads": 2, **settings}).build(6, 4, 3)
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.2)
    return made.eval()


def condition(batch: int = 3, words: int = 5) -> Condition:
    return Condition(torch.randn(batch, words, 6), torch.ones(batch, words, dtype=torch.bool))


def with_torch_s_decoder(
    made: Transformer, noised: Tensor, time: Tensor, seen: Condition, causal: bool
) -> Tensor:
    """The network as Diffusion Policy writes it, around torch's decoder layers."""
    angle = time[:, None] * torch.exp(torch.arange(8) * -(math.log(10000) / 7))
    moment = torch.cat([angle.sin(), angle.cos()], -1) + made.time_position
    known = made.mix(torch.cat([moment[:, None], made.words(seen.words)], 1))
    x = made.enter(noised) + made.position
    later = torch.ones(4, 4).triu(1).bool() if causal else None
    unread = F.pad(~seen.valid, (1, 0))
    for layer in made._layers():
        theirs = nn.TransformerDecoderLayer(
            16, 2, 64, dropout=0, activation="gelu", batch_first=True, norm_first=True
        ).eval()
        state: dict[str, Any] = {
            "self_attn.in_proj_weight": layer.rows.weight,
            "self_attn.in_proj_bias": layer.rows.bias,
            "multihead_attn.in_proj_weight": torch.cat([layer.query.weight, layer.known.weight]),
            "multihead_attn.in_proj_bias": torch.cat([layer.query.bias, layer.known.bias]),
        }
        for name, module in {
            "self_attn.out_proj": layer.rows_out,
            "multihead_attn.out_proj": layer.words_out,
            "linear1": layer.widen,
            "linear2": layer.narrow,
            "norm1": layer.row_norm,
            "norm2": layer.word_norm,
            "norm3": layer.inner_norm,
        }.items():
            state |= {f"{name}.weight": module.weight, f"{name}.bias": module.bias}
        theirs.load_state_dict(state)
        x = theirs(x, known, tgt_mask=later, memory_key_padding_mask=unread)
    return made.leave(made.norm(x))


@pytest.mark.parametrize("causal", [True, False])
def test_it_is_diffusion_policy_s_network(causal: bool) -> None:
    made, seen = network(causal=causal), condition()
    seen.valid[0, 2:] = seen.valid[1, 0] = False
    noised, time = torch.randn(3, 4, 3), torch.tensor([0, 3, 99])
    wanted = with_torch_s_decoder(made, noised, time, seen, causal)
    torch.testing.assert_close(made(noised, time, seen), wanted, rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        torch.testing.assert_close(made(noised, time, seen), wanted, rtol=1e-4, atol=1e-5)


def test_the_loop_s_steps_are_the_network_at_their_times_in_any_order() -> None:
    made, seen, noised = network(), condition(), torch.randn(3, 4, 3)
    seen.valid[1, 3] = False
    with torch.no_grad():
        step = made.along(torch.tensor([9, 4, 0]), seen)
        for number, time in [(0, 9), (2, 0), (1, 4)]:
            wanted = made(noised, torch.full((3,), time), seen)
            torch.testing.assert_close(step(noised, number), wanted)


def test_a_row_knows_nothing_of_later_ones_where_it_is_causal() -> None:
    seen, time = condition(), torch.arange(3)
    noised = torch.randn(3, 4, 3)
    other = torch.cat([noised[:, :2], torch.randn(3, 2, 3)], 1)
    for causal in (True, False):
        made = network(causal=causal)
        same = torch.allclose(made(noised, time, seen)[:, :2], made(other, time, seen)[:, :2])
        assert same == causal


def test_what_is_not_valid_is_not_read() -> None:
    made, seen, noised, time = network(), condition(), torch.randn(3, 4, 3), torch.arange(3)
    fewer = Condition(seen.words[:, :4], seen.valid[:, :4])
    seen.valid[:, 4] = False
    seen.words[:, 4] = torch.nan
    torch.testing.assert_close(made(noised, time, seen), made(noised, time, fewer))
    seen.valid[:] = False
    assert made(noised, time, seen).isfinite().all()


def test_in_bfloat16_it_is_nearly_the_same() -> None:
    made, seen, noised, time = network(), condition(), torch.randn(3, 4, 3), torch.arange(3)
    wanted = made(noised, time, seen)
    half, seen = made.to(torch.bfloat16), Condition(seen.words.bfloat16(), seen.valid)
    with torch.no_grad():
        for found in (half(noised, time, seen)[1], half.along(time, seen)(noised, 1)[1]):
            assert found.dtype == torch.float32
            assert (found - wanted[1]).abs().max() < 0.1 * wanted.abs().max()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"width": 5}, "width must be an even number of at least 4, .* got 5, 8 and 4"),
        ({"layers": 0}, "layers and heads at least 1, got 256, 0 and 4"),
        ({"heads": 0}, "got 256, 8 and 0"),
        ({"heads": 3}, r"width \(256\) must be divisible by heads \(3\)"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        TransformerConfig(**settings)
