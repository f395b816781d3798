from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from octoverse.acting import open_session
from octoverse.errors import BadConfig
from octoverse.policy import Policy
from octoverse.readout import Context, TrunkShape
from octoverse.readouts.action_expert import ActionExpert, ActionExpertConfig
from octoverse.readouts.flow_path import fourier
from octoverse.synthetic import random_frame

HORIZON, SIZE, LENGTH, HEADS, TRUNK = 4, 3, 7, 2, 12


def expert(
    layers: int = 2, horizon: int = HORIZON, size: int = SIZE, **settings: Any
) -> ActionExpert:
    torch.manual_seed(0)
    config = ActionExpertConfig(**{"width": 16, "mlp_ratio": 2, **settings})
    return config.build(TrunkShape(width=TRUNK, layers=layers, heads=HEADS), horizon, size)


class Trunk:
    """Two layers of attention and nothing else, and what it kept of b sequences."""

    def __init__(self, seeds: list[int], layers: int = 2) -> None:
        self.weights = [
            torch.randn(3, TRUNK, TRUNK, generator=torch.Generator().manual_seed(-layer)) * 0.3
            for layer in range(layers)
        ]
        self.start = torch.stack(
            [torch.randn(LENGTH, TRUNK, generator=torch.Generator().manual_seed(s)) for s in seeds]
        )
        x, memory = self.start, []
        for weights in self.weights:
            query, key, value = (heads(x @ w) for w in weights)
            memory.append((key, value))
            x = x + F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        self.memory, self.outputs = tuple(memory), x


def shown(seed: int) -> Tensor:
    """Places that may be read: not the last, and for every third seed not the first."""
    return torch.tensor([seed % 3 > 0, *[True] * (LENGTH - 2), False])


def heads(x: Tensor) -> Tensor:
    return x.unflatten(-1, (HEADS, -1)).transpose(1, 2)


@pytest.fixture
def seen(context: Callable[..., Context]) -> Callable[..., Context]:
    """Makes a context with the memory of a small trunk, of which some places are hidden."""

    def make(seeds: list[int], layers: int = 2) -> Context:
        trunk = Trunk(seeds, layers)
        visible = torch.stack([shown(seed) for seed in seeds])
        return replace(
            context(seeds, width=TRUNK), outputs=trunk.outputs, memory=trunk.memory, visible=visible
        )

    return make


def sample(readout: ActionExpert, seen: Context, noise: Tensor, **settings: Any) -> Tensor:
    with torch.inference_mode():
        return readout.sample(seen, noise=noise, samples=noise.shape[1], **settings).actions


def rms(x: Tensor, scale: Tensor) -> Tensor:
    return x / (x.square().mean(-1, keepdim=True) + 1e-6).sqrt() * scale


def joint(readout: ActionExpert, seed: int, chunk: Tensor, real: Tensor, time: float) -> Tensor:
    """The velocity of one chunk (h, a): trunk and expert as one sequence with two sets of weights.

    Every layer computes queries, keys and values of both, and one masked softmax over all tokens.
    """
    w, trunk = readout.state_dict(), Trunk([seed])
    x = trunk.start[0]
    moment = fourier(torch.tensor([time]), 16)[0].expand(HORIZON, -1)
    entered = chunk @ w["enter.weight"].T + w["enter.bias"]
    mix = torch.cat([w["mix_action.weight"], w["mix_time.weight"]], 1)  # π0's one layer
    mixed = torch.cat([entered, moment], -1) @ mix.T + w["mix_action.bias"]
    y = F.silu(mixed) @ w["mix.weight"].T + w["mix.bias"] + w["positions"]
    allowed = torch.zeros(LENGTH + HORIZON, LENGTH + HORIZON, dtype=torch.bool)
    allowed[:LENGTH, :LENGTH] = True  # the trunk reads itself
    allowed[LENGTH:, :LENGTH] = shown(seed)  # actions read what they may see of it
    allowed[LENGTH:, LENGTH:] = real | torch.eye(HORIZON, dtype=torch.bool)  # and each other
    for layer, weights in enumerate(trunk.weights):
        of = {k.removeprefix(f"layers.{layer}."): v for k, v in w.items()}
        own = (rms(y, of["attention_norm.weight"]) @ of["project_in.weight"].T).chunk(3, -1)
        both = [torch.cat([x @ m, mine]) for m, mine in zip(weights, own, strict=True)]
        query, key, value = (heads(one[None])[0] for one in both)
        score = query @ key.transpose(-2, -1) / (TRUNK // HEADS) ** 0.5
        read = score.masked_fill(~allowed, -torch.inf).softmax(-1) @ value
        read = read.transpose(0, 1).flatten(1)
        x, y = x + read[:LENGTH], y + read[LENGTH:] @ of["project_out.weight"].T
        gate, up = (rms(y, of["mlp_norm.weight"]) @ of["gate_and_up.weight"].T).chunk(2, -1)
        y = y + (F.gelu(gate) * up) @ of["down.weight"].T
    return rms(y, w["norm.weight"]) @ w["leave.weight"].T + w["leave.bias"]


@pytest.mark.parametrize("solver", ["euler", "heun"])
def test_it_answers_as_one_joint_forward_of_trunk_and_expert(
    seen: Callable[..., Context], solver: str
) -> None:
    readout, seeds, noise = expert(), [3, 5], torch.randn(2, 3, HORIZON, SIZE)
    readout.inference_steps, readout.solver = 3, solver  # type: ignore[assignment]
    valid = torch.rand(2, HORIZON, SIZE) < 0.6
    valid[1, 2] = False
    found = sample(readout, seen(seeds), noise, valid=valid)
    for row, seed in enumerate(seeds):
        for k in range(3):
            mask, x = valid[row], noise[row, k] * valid[row]
            for step in range(3):
                slope = joint(readout, seed, x, mask.any(-1), step / 3) * mask
                if solver == "heun":
                    later = min((step + 1) / 3, 0.999)
                    ahead = joint(readout, seed, x + slope / 3, mask.any(-1), later) * mask
                    slope = (slope + ahead) / 2
                x = x + slope / 3
            assert torch.allclose(found[row, k], x, atol=2e-5)


def test_insulation_keeps_the_gradient_out_of_the_trunk(small: ModuleType) -> None:
    for insulate in (False, True):
        policy = bodies(small, insulate=insulate)
        policy.loss({"tabletop_arm": small.batch("tabletop_arm", [0, 1])}).total.backward()
        layers = [*policy.trunk.blocks, policy.tokenizers["state/tool"]]
        reached = [
            any(p.grad is not None and p.grad.any() for p in layer.parameters()) for layer in layers
        ]
        assert reached == [not insulate] * len(layers)
        own = [p.grad for p in policy.readouts["hand"].parameters()]
        assert all(grad is not None and grad.any() for grad in own)


def bodies(
    small: ModuleType, frames: int = 1, trunk: dict[str, Any] | None = None, **settings: Any
) -> Policy:
    """The small policy, acting by experts."""
    torch.manual_seed(0)
    expert, plain = ActionExpertConfig(width=16, **settings), small.config(frames=frames)
    experts = {"hand": expert, "path": expert}
    return Policy(
        replace(plain, readouts=experts, trunk=replace(plain.trunk, **(trunk or {}))),
        small.BODIES,
        {name: small.statistics(body) for name, body in small.BODIES.items()},
    ).eval()


@pytest.mark.parametrize("trunk", [{}, {"positions": "rotary"}])
def test_what_the_trunk_remembers_is_read_as_what_it_computes(
    small: ModuleType, trunk: dict[str, Any]
) -> None:
    policy, rng = bodies(small, 3, trunk), np.random.default_rng(0)
    body = small.BODIES["tabletop_arm"]
    session = open_session(policy, body)
    for step in range(5):
        session.observe({**random_frame(body, rng), "instruction": "lift"}, step * 100_000_000)
        seen = session.observation(seed=1, step=step)
        [remembering], [anew] = policy.act([seen], [session.memory]), policy.act([seen])
        for group, values in remembering.action.items():
            np.testing.assert_allclose(values, anew.action[group], rtol=1e-4, atol=1e-5)


def test_the_trunk_is_computed_once_for_all_steps_and_samples(small: ModuleType) -> None:
    policy, trunk, steps = bodies(small, steps=10), list[int](), list[int]()
    policy.trunk.register_forward_hook(lambda *_: trunk.append(0))
    cast(ActionExpert, policy.readouts["hand"]).norm.register_forward_hook(
        lambda *_: steps.append(0)
    )
    [answers] = policy.sample([small.window("tabletop_arm", 1).observation], 4)
    assert answers.action["arm"].shape == (4, small.HORIZON, 4)
    assert (len(trunk), len(steps)) == (1, 10)


def test_it_acts_in_bfloat16_nearly_as_in_float32(small: ModuleType) -> None:
    policy, window = bodies(small), small.window("tabletop_arm", 1).observation
    [exact] = policy.act([window])
    [rounded] = policy.lower().act([window])
    high = np.array(small.BODIES["tabletop_arm"].action["arm"].high)
    away = np.abs(exact.action["arm"] - rounded.action["arm"]) / high
    assert 0 < away.max() < 0.05


def test_a_hidden_place_of_the_trunk_is_not_read(seen: Callable[..., Context]) -> None:
    readout, before, noise = expert(), seen([1, 2]), torch.randn(2, 1, HORIZON, SIZE)
    changed = [(key.clone(), value.clone()) for key, value in before.memory]
    for key, value in changed:
        key[:, :, -1], value[:, :, -1] = 9.0, 9.0
    after = replace(before, memory=tuple(changed))
    assert torch.equal(sample(readout, before, noise), sample(readout, after, noise))
    open_ = replace(after, visible=after.visible | True)
    assert not torch.allclose(sample(readout, before, noise), sample(readout, open_, noise))


def test_masked_numbers_change_neither_loss_nor_gradients(seen: Callable[..., Context]) -> None:
    readout, target = expert(), torch.randn(2, HORIZON, SIZE)
    valid = torch.rand(2, HORIZON, SIZE) < 0.5
    valid[0, 3] = False
    found = []
    for filling in (torch.zeros(()), torch.tensor(torch.nan)):
        readout.zero_grad()
        loss = readout.loss(seen([1, 2]), torch.where(valid, target, filling), valid)
        loss.total.backward()
        grads = [p.grad for p in readout.parameters() if p.grad is not None]
        found.append([loss.total.detach(), *(grad.clone() for grad in grads)])
    assert len(found[0]) == 1 + len(list(readout.parameters()))
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_numbers_that_do_not_exist_influence_no_sample(seen: Callable[..., Context]) -> None:
    readout, noise = expert(), torch.randn(2, 3, HORIZON, SIZE)
    valid = torch.rand(2, HORIZON, SIZE) < 0.5
    other = torch.where(valid[:, None], noise, torch.randn_like(noise))
    found = sample(readout, seen([1, 2]), noise, valid=valid)
    assert torch.equal(found, sample(readout, seen([1, 2]), other, valid=valid))
    assert torch.equal(found == 0, ~valid[:, None].expand_as(found))


def test_nothing_depends_on_who_shares_the_batch(seen: Callable[..., Context]) -> None:
    readout, noise, seeds = expert(), torch.randn(3, 2, HORIZON, SIZE), [5, 6, 7]
    together, target = sample(readout, seen(seeds), noise), torch.randn(3, HORIZON, SIZE)
    losses = []
    for i, seed in enumerate(seeds):
        one = slice(i, i + 1)
        alone = sample(readout, seen([seed]), noise[one])
        assert torch.allclose(alone, together[one], rtol=1e-5, atol=1e-6)
        losses.append(readout.loss(seen([seed]), target[one], target[one] == target[one]).total)
        for k in range(2):
            first = sample(readout, seen([seed]), noise[one, k : k + 1])
            assert torch.allclose(first[:, 0], together[one, k], rtol=1e-5, atol=1e-6)
    whole = readout.loss(seen(seeds), target, target == target).total
    assert torch.allclose(whole, torch.stack(losses).mean(), rtol=1e-5)


def test_weights_that_changed_are_seen_by_the_next_sample(seen: Callable[..., Context]) -> None:
    readout, noise = expert(), torch.randn(1, 2, HORIZON, SIZE)
    before = sample(readout, seen([1]), noise)
    with torch.no_grad():
        for weight in readout.layers[0].parameters():
            weight.mul_(1.5)
    fresh = expert()
    fresh.load_state_dict(readout.state_dict())
    after = sample(readout, seen([1]), noise)
    assert torch.equal(after, sample(fresh, seen([1]), noise))
    assert not torch.allclose(after, before, atol=1e-4)


def test_a_prefix_is_kept_and_shapes_what_follows(seen: Callable[..., Context]) -> None:
    readout, noise, prefix = expert(), torch.randn(2, 2, HORIZON, SIZE), torch.randn(2, 2, SIZE)
    plain = sample(readout, seen([1, 2]), noise)
    held = sample(readout, seen([1, 2]), noise, prefix=prefix)
    assert torch.equal(held[:, :, :2], prefix[:, None].expand(-1, 2, -1, -1))
    assert not torch.allclose(held[:, :, 2:], plain[:, :, 2:], atol=1e-4)


def test_it_puts_nothing_into_the_sequence() -> None:
    assert expert().tokens(3, None).values.shape == (3, 1, 0, TRUNK)


def test_where_actions_are_bimodal_it_lands_on_the_modes(seen: Callable[..., Context]) -> None:
    """Half of the chunks go left, half go right, and nothing that is seen tells which."""
    readout = expert(layers=1, horizon=2, size=1, width=32)
    context = seen([0] * 64, layers=1)
    optimizer = torch.optim.Adam(readout.parameters(), 3e-3)
    side = torch.where(torch.arange(64) % 2 == 0, 1.0, -1.0)
    target = side[:, None, None].expand(-1, 2, 1)
    for step in range(250):
        now = replace(context, seeds=torch.arange(64) + 64 * step)
        optimizer.zero_grad()
        readout.loss(now, target, target == target).total.backward()
        optimizer.step()
    drawn = sample(readout, seen([0], layers=1), torch.randn(1, 200, 2, 1))[0, :, :, 0]
    on_a_mode = (drawn.abs() - 1).abs().amax(-1) < 0.3
    together = drawn[:, 0].sign() == drawn[:, 1].sign()
    assert (on_a_mode & together).float().mean() > 0.9
    assert 0.3 < (drawn[:, 0] > 0).float().mean() < 0.7


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"width": 15}, "width must be an even number from 2 on and mlp_ratio at least 1, got 15"),
        ({"mlp_ratio": 0}, "mlp_ratio at least 1, got 256 and 0"),
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"beta": 0.0}, "alpha and beta must be above 0, got 1.5 and 0.0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ActionExpertConfig(**settings)


def test_a_trunk_without_layers_is_refused() -> None:
    with pytest.raises(BadConfig, match=r"every layer of the trunk, expected at least 1, got 0"):
        expert(layers=0)


def test_noise_of_another_count_and_too_long_a_prefix_are_refused(
    seen: Callable[..., Context],
) -> None:
    readout, noise = expert(), torch.randn(1, 2, HORIZON, SIZE)
    with pytest.raises(ValueError, match="noise: expected 1 samples"):
        readout.sample(seen([1]), noise=noise)
    with pytest.raises(ValueError, match=r"prefix: expected \(1, up to 4 rows, 3\)"):
        sample(readout, seen([1]), noise, prefix=torch.zeros(1, 5, SIZE))
