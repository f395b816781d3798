import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Tensor

from octoverse.errors import BadConfig
from octoverse.readout import Context, Reference, Scale
from octoverse.tokens import GroupSpec, Layout, TokenGroup
from octoverse.trunk.attention import Reading
from octoverse.trunk.block import Block
from octoverse.trunk.config import NativeTrunkConfig, Size, sized
from octoverse.trunk.native import NativeTrunk, TrunkOutput

WIDTH = 16
SPECS = (
    GroupSpec(name="words", role="task", tokens=2),
    GroupSpec(name="image/front.left", role="observation", tokens=2, steps=3),
    GroupSpec(name="state", role="observation", tokens=1, steps=3),
    GroupSpec(name="value", role="readout", tokens=1, steps=3),
    GroupSpec(name="code", role="readout", tokens=4, causal=True),
    GroupSpec(name="action", role="readout", tokens=1, reads=("code",)),
)
LAYOUT = Layout(SPECS)


def trunk(specs: tuple[GroupSpec, ...] = SPECS, layers: int = 2) -> NativeTrunk:
    torch.manual_seed(0)
    made = NativeTrunk(
        NativeTrunkConfig(width=WIDTH, layers=layers, heads=2),
        {one.name: (one.steps, one.tokens) for one in specs},
    )
    for position in made.positions.parameters():
        torch.nn.init.normal_(position)
    return made


def groups(specs: tuple[GroupSpec, ...] = SPECS, batch: int = 2) -> dict[str, TokenGroup]:
    torch.manual_seed(1)
    return {
        one.name: TokenGroup(
            torch.randn(batch, one.steps, one.tokens, WIDTH),
            torch.ones(batch, one.steps, one.tokens, dtype=torch.bool),
        )
        for one in specs
    }


def joined(made: dict[str, TokenGroup], part: str = "values") -> Tensor:
    return LAYOUT.join({name: getattr(group, part) for name, group in made.items()})


def taken(sequence: Tensor, valid: Tensor) -> dict[str, TokenGroup]:
    return {
        name: TokenGroup(LAYOUT.take(sequence, name), LAYOUT.take(valid, name))
        for name in LAYOUT.groups
    }


def reachable(layers: int, valid: Tensor | None = None) -> Tensor:
    """Which output may depend on which input after so many layers, (q, k)."""
    step = LAYOUT.mask if valid is None else LAYOUT.mask & valid[None]
    step = (step | torch.eye(len(LAYOUT), dtype=torch.bool)).long()
    total = torch.eye(len(LAYOUT), dtype=torch.long)
    for _ in range(layers):
        total = ((step @ total) > 0).long()
    return total > 0


@pytest.mark.parametrize("invalid", [[], [0], [3, 5], [1, 2, 7]])
@pytest.mark.parametrize("layers", [1, 2])
def test_gradients_flow_exactly_where_the_rules_let_them(layers: int, invalid: list[int]) -> None:
    model = trunk(layers=layers)
    valid = torch.ones(len(LAYOUT), dtype=torch.bool)
    valid[invalid] = False
    sequence = joined(groups(batch=1)).requires_grad_()
    out = model(taken(sequence, valid[None]), LAYOUT).values[0]
    allowed = reachable(layers, valid)
    for q in range(len(LAYOUT)):
        weights = torch.linspace(0.5, 1.5, WIDTH)  # a LayerNorm's outputs sum to nothing
        [gradient] = torch.autograd.grad((out[q] * weights).sum(), sequence, retain_graph=True)
        assert (gradient[0].abs().amax(-1) > 0).tolist() == allowed[q].tolist()


@pytest.mark.parametrize("grad", [True, False])
def test_changing_a_token_changes_exactly_what_may_read_it(grad: bool) -> None:
    model, valid = trunk(), torch.ones(1, len(LAYOUT), dtype=torch.bool)
    valid[0, 4] = False
    sequence = joined(groups(batch=1))
    allowed = reachable(2, valid[0])
    with torch.set_grad_enabled(grad):
        before = model(taken(sequence, valid), LAYOUT).values[0]
        for k in range(len(LAYOUT)):
            changed = sequence.clone()
            changed[0, k] = 7.0 * torch.randn(WIDTH)
            after = model(taken(changed, valid), LAYOUT).values[0]
            same = (after == before).all(-1)
            assert same.tolist() == (~allowed[:, k]).tolist()


def test_no_observation_knows_the_future_and_no_other_readout_is_read() -> None:
    """The same as above in the names that people use, without the layout's own mask."""
    model = trunk()
    before = model(groups(), LAYOUT).values
    changed = groups()
    changed["state"].values[:, 2] *= -2  # what only shifts, a LayerNorm takes away
    after = model(changed, LAYOUT).values
    for name in ("words", "image/front.left", "state", "value"):
        earlier = slice(0, 1 if name == "words" else 2)
        a, b = LAYOUT.take(after, name), LAYOUT.take(before, name)
        assert torch.equal(a[:, earlier], b[:, earlier])
    assert not torch.allclose(LAYOUT.take(after, "action"), LAYOUT.take(before, "action"))
    changed = groups()
    changed["value"].values.mul_(-3)
    changed["action"].values.mul_(5)
    after = model(changed, LAYOUT).values
    for name in ("words", "image/front.left", "state", "code"):
        assert torch.equal(LAYOUT.take(after, name), LAYOUT.take(before, name))


def test_every_sample_has_a_mask_of_its_own() -> None:
    model, both = trunk(), groups(batch=2)
    valid = {name: group.valid.clone() for name, group in both.items()}
    valid["words"][1] = False
    valid["state"][1, 0] = False
    both = {name: TokenGroup(group.values, valid[name]) for name, group in both.items()}
    together = model(both, LAYOUT)
    for i in range(2):
        one = {k: TokenGroup(g.values[i : i + 1], g.valid[i : i + 1]) for k, g in both.items()}
        alone = model(one, LAYOUT)
        assert torch.allclose(alone.values[0], together.values[i], rtol=1e-5, atol=1e-6)
        assert torch.equal(alone.valid[0], together.valid[i])


def test_a_window_whose_tokens_are_all_invalid_stays_finite() -> None:
    unseen = {k: TokenGroup(g.values, torch.zeros_like(g.valid)) for k, g in groups().items()}
    assert torch.isfinite(trunk()(unseen, LAYOUT).values).all()


def test_bfloat16_stays_near_float32() -> None:
    model = trunk()
    exact = model(groups(), LAYOUT).values
    with torch.autocast("cpu", torch.bfloat16):
        rough = model(groups(), LAYOUT).values.float()
    assert 0 < (rough - exact).abs().max() < 0.15


CODE, REST = (
    (*SPECS[:3], GroupSpec(name="code", role="readout", tokens=n, causal=True)) for n in (6, 2)
)


def context(out: TrunkOutput, order: Layout, model: NativeTrunk) -> Context:
    scale = torch.ones(1)
    return Context(
        own=order.take(out.values, "code"),
        outputs=out.values,
        visible=order.mask[order.places["code"][-1]] & out.valid,
        memory=out.memory,
        reference=Reference({}, Scale(scale, scale, scale, scale), 10.0),
        seeds=torch.zeros(len(out.values), dtype=torch.int64),
        continue_trunk=model.extend,
    )


@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.parametrize("cuts", [[4], [1, 3], [1, 1, 1, 1]])
def test_extending_equals_running_all_causal_tokens_at_once(cuts: list[int], grad: bool) -> None:
    model, shown = trunk(CODE), groups(CODE)
    shown["state"].valid[1, :2] = False
    shown["words"].valid[0] = False
    with torch.set_grad_enabled(grad):
        whole = Layout(CODE)
        expected = whole.take(model(shown, whole).values, "code")[:, 0]
        code = shown["code"].values + model.positions["code"]  # (b, 1, 6, d)
        short = trunk(REST)
        short.load_state_dict(
            {k: v[:, :2] if k == "positions.code" else v for k, v in model.state_dict().items()}
        )
        begun = dict(shown)
        begun["code"] = TokenGroup(shown["code"].values[:, :, :2], shown["code"].valid[:, :, :2])
        order = Layout(REST)
        known = context(short(begun, order), order, short)
        found, place = [known.own[:, 0]], 2
        for count in cuts:
            outputs, known = known.extend(code[:, 0, place : place + count])
            found.append(outputs)
            place += count
    assert torch.allclose(torch.cat(found, 1), expected, rtol=1e-5, atol=1e-5)
    assert known.outputs.shape[1] == known.visible.shape[1] == len(order) + 4
    assert known.memory[0][0].shape[2] == len(order) + 4


def test_what_extends_the_trunk_does_not_read_what_is_not_visible() -> None:
    model, order = trunk(REST), Layout(REST)
    out = model(groups(REST), order)
    visible = torch.ones_like(out.valid)
    visible[:, 3] = False
    new = torch.randn(2, 2, WIDTH)
    before, _ = model.extend(new, out.memory, visible)
    poisoned = tuple((key.clone(), value.clone()) for key, value in out.memory)
    for key, value in poisoned:
        key[:, :, 3], value[:, :, 3] = 50.0, -50.0
    after, _ = model.extend(new, poisoned, visible)
    assert torch.equal(after, before)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"width": 30, "heads": 4}, r"width \(30\) must be divisible by heads \(4\)"),
        ({"heads": 0}, "mlp_ratio above 0, got 256, 0, 4 and 4.0"),
        ({"layers": -1}, "layers at least 0 and mlp_ratio above 0, got 256, 4, -1 and 4.0"),
        ({"mlp_ratio": 0.0}, "got 256, 4, 4 and 0.0"),
        ({"max_frames": 0}, "max_frames must be at least 1, got 0"),
    ],
)
def test_sizes_that_do_not_work_out_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        NativeTrunkConfig(**settings)


@pytest.mark.parametrize("size", ["tiny", "small", "base", "large"])
def test_a_trunk_of_a_usual_size_has_heads_of_64_or_less(size: Size) -> None:
    config = sized(size, activation="relu")
    assert config.activation == "relu"
    assert config.width // config.heads in (16, 64)


@pytest.mark.parametrize("norm", ["layer", "rms"])
@pytest.mark.parametrize("activation", ["relu", "gelu", "gelu_tanh", "swiglu"])
def test_every_norm_and_activation_is_that_of_its_paper(norm: Any, activation: Any) -> None:
    config = NativeTrunkConfig(width=8, heads=2, norm=norm, activation=activation, epsilon=1e-3)
    block = Block(config)
    x = torch.randn(1, 3, 8)
    alone = [Reading(slice(0, 3), (slice(0, 3),), torch.eye(3, dtype=torch.bool)[None, None])]
    centre = x.mean(-1, keepdim=True) if norm == "layer" else 0.0

    def normed(v: Tensor, c: Tensor | float) -> Tensor:
        return (v - c) / (((v - c) ** 2).mean(-1, keepdim=True) + 1e-3).sqrt()

    value = block.project_in(normed(x, centre))[..., 16:]  # who reads itself alone gets its value
    x1 = x + block.project_out(value)
    centre = x1.mean(-1, keepdim=True) if norm == "layer" else 0.0
    inner = block.mlp[0](normed(x1, centre))
    gelu = 0.7978845608 * (inner + 0.044715 * inner**3)
    acted = {
        "relu": lambda: inner.clamp(min=0),
        "gelu": lambda: inner * 0.5 * (1 + torch.erf(inner / 2**0.5)),
        "gelu_tanh": lambda: inner * 0.5 * (1 + torch.tanh(gelu)),
        "swiglu": lambda: inner[..., :32] * torch.sigmoid(inner[..., :32]) * inner[..., 32:],
    }[activation]()
    found, _, _ = block(x, alone)
    torch.testing.assert_close(found, x1 + block.mlp[2](acted), rtol=1e-5, atol=1e-5)


def test_positions_beyond_the_window_are_those_of_the_first_steps() -> None:
    table = {"image": (5, 2), "state": (5, 1)}
    model = NativeTrunk(NativeTrunkConfig(width=WIDTH, layers=1, heads=2, max_frames=5), table)
    specs = (
        GroupSpec(name="image", role="observation", tokens=2, steps=3),
        GroupSpec(name="state", role="readout", tokens=1),
    )
    made = Layout(specs)
    at = {s.name: model._position(s.name, s.steps, made.steps) for s in specs}
    assert torch.equal(at["image"], model.positions["image"][:3])
    assert torch.equal(at["state"], model.positions["state"][2:3])
    longer = Layout((GroupSpec(name="image", role="observation", tokens=2, steps=6),))
    words = r"'image' has learned positions for 5 steps, got a window of 6\. Shorten the window"
    with pytest.raises(BadConfig, match=words):
        model(groups(specs=tuple(longer.groups.values())), longer)


def test_a_repeated_task_stands_in_every_step_with_its_positions() -> None:
    words, again = (
        SPECS[0],
        GroupSpec(name="again", role="observation", tokens=2, steps=3, repeats="words"),
    )
    made = Layout((words, again))
    model, shown = trunk((words,), layers=1), groups((words,))
    x = shown["words"].values + model.positions["words"]
    by_hand = Layout((words, GroupSpec(name="again", role="observation", tokens=2, steps=3)))
    model.positions["again"] = torch.nn.Parameter(torch.zeros(3, 2, WIDTH))
    copied = TokenGroup(x.expand(-1, 3, -1, -1), shown["words"].valid.expand(-1, 3, -1))
    expected = model({**shown, "again": copied}, by_hand).values
    torch.testing.assert_close(model(shown, made).values, expected)


COMPILED = """
import torch
from octoverse.tokens import GroupSpec, Layout, TokenGroup
from octoverse.trunk.config import sized
from octoverse.trunk.native import NativeTrunk

order = Layout((GroupSpec(name="image", role="observation", tokens=6),))
model = NativeTrunk(sized("tiny"), {"image": (1, 6)})
shown = {"image": TokenGroup(torch.randn(2, 1, 6, 64), torch.ones(2, 1, 6, dtype=torch.bool))}
with torch.inference_mode():
    expected = model(shown, order).values
    model.compile_blocks()
    torch.testing.assert_close(model(shown, order).values, expected, rtol=1e-4, atol=1e-5)
assert model.blocks[0]._compiled_call_impl is not None
"""


@pytest.mark.slow
def test_compiled_layers_give_the_same() -> None:
    """In a process of its own: type checks at run time cannot be compiled."""
    subprocess.run([sys.executable, "-c", COMPILED], check=True)
