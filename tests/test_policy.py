from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from octoverse.config import PolicyConfig, ReadoutUse, TokenizerUse
from octoverse.embodiment import GoalImage
from octoverse.episode import ActionChunk, Observation
from octoverse.errors import BadConfig, OctoverseError, SpecMismatch, UnknownName
from octoverse.policy import Policy
from octoverse.readout import Context
from octoverse.readouts.regression import RegressionConfig

READOUTS = ["regression", "bins", "flow"]
ARM, CAR = "tabletop_arm", "road_car"


@pytest.fixture
def observations(small: ModuleType) -> Callable[..., list[Observation]]:
    """Makes windows of arms and cars in turns."""

    def make(numbers: range, frames: int = 1) -> list[Observation]:
        return [small.window((ARM, CAR)[n % 2], n, frames).observation for n in numbers]

    return make


def close(one: ActionChunk, other: ActionChunk) -> bool:
    assert one.action.keys() == other.action.keys()
    return all(
        np.allclose(one.action[name], other.action[name], rtol=1e-5, atol=1e-5)
        for name in one.action
    )


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("readout", READOUTS)
def test_a_mixed_batch_costs_what_its_parts_cost_alone(
    small: ModuleType, readout: str, frames: int
) -> None:
    policy = small.policy(readout, frames)
    batches = {ARM: small.batch(ARM, [1, 2, 3], frames), CAR: small.batch(CAR, [4, 5], frames)}
    mixed = policy.loss(batches)
    total = torch.zeros(())
    for name, batch in batches.items():
        alone = policy.loss({name: batch})
        for key, loss in alone.parts[name].items():
            assert torch.allclose(mixed.parts[name][key].total, loss.total, rtol=1e-5)
            assert mixed.parts[name][key].count == loss.count
        total = total + alone.total * len(batch) / 5
    assert torch.allclose(mixed.total, total, rtol=1e-5)


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("name", [ARM, CAR])
def test_a_sample_s_loss_does_not_depend_on_who_shares_its_batch(
    small: ModuleType, readout: str, name: str
) -> None:
    policy, numbers = small.policy(readout), [3, 8, 5, 12]
    [together] = policy.loss({name: small.batch(name, numbers)}).parts[name].values()
    alone = [
        loss
        for n in numbers
        for loss in policy.loss({name: small.batch(name, [n])}).parts[name].values()
    ]
    counts = torch.stack([one.count for one in alone])
    expected = (torch.stack([one.total for one in alone]) * counts).sum() / counts.sum()
    assert torch.allclose(together.total, expected, rtol=1e-5)


@pytest.mark.parametrize("frames", [1, 2])
@pytest.mark.parametrize("readout", READOUTS)
def test_an_action_does_not_depend_on_who_shares_the_batch(
    small: ModuleType,
    observations: Callable[..., list[Observation]],
    readout: str,
    frames: int,
) -> None:
    policy, seen = small.policy(readout, frames), observations(range(6), frames)
    together = policy.act(seen)
    for one, chunk in zip(seen, together, strict=True):
        assert chunk.embodiment == one.embodiment
        assert chunk.observed_at_ns == one.observed_at_ns
        assert close(policy.act([one])[0], chunk)
    turned = policy.act(seen[::-1])[::-1]
    assert all(map(close, turned, together))


@pytest.mark.parametrize("readout", READOUTS)
def test_chunks_are_float32_in_shape_and_within_the_body_s_limits(
    small: ModuleType, observations: Callable[..., list[Observation]], readout: str
) -> None:
    policy = small.policy(readout)
    for weight in policy.readouts.parameters():
        weight.data *= 30  # far beyond every limit
    for chunk in policy.act(observations(range(4))):
        body = small.BODIES[chunk.embodiment]
        assert {k: len(v) for k, v in chunk.action.items()} == policy.horizons[chunk.embodiment]
        for name, values in chunk.action.items():
            assert values.dtype == np.float32
            assert values.shape[1] == body.action[name].size
            low, high = np.array([body.action[name].low, body.action[name].high], np.float32)
            assert ((low <= values) & (values <= high)).all()


def test_noise_comes_from_seed_and_step_alone(
    small: ModuleType, observations: Callable[..., list[Observation]]
) -> None:
    policy, seen = small.policy("flow"), observations(range(2))[0]
    first = policy.act([seen])[0]
    assert close(policy.act([seen])[0], first)
    assert not close(policy.act([replace(seen, seed=seen.seed + 1)])[0], first)
    assert not close(policy.act([replace(seen, step=seen.step + 1)])[0], first)
    plain = small.policy("regression")
    assert close(plain.act([seen])[0], plain.act([replace(seen, seed=99)])[0])


@pytest.mark.parametrize("readout", READOUTS)
def test_what_is_invalid_changes_nothing_whatever_it_holds(small: ModuleType, readout: str) -> None:
    policy = small.policy(readout, frames=2)
    for weight in policy.readouts["hand"].parameters():
        weight.data.normal_(0, 0.2)  # so that every difference shows
    seen = small.window(ARM, 2, 2).observation
    seen.valid["table"][0] = seen.valid["tool"][0] = seen.valid["instruction"][:] = False
    other = dict(seen.streams)
    other["instruction"] = "burn the house down"
    other["tool"], other["table"] = other["tool"].copy(), other["table"].copy()
    other["tool"][0], other["table"][0] = np.nan, 255
    [before], [after] = policy.act([seen]), policy.act([replace(seen, streams=other)])
    assert close(before, after)
    other["table"], other["tool"][1] = other["table"][::-1].copy(), -other["tool"][1]
    assert not close(policy.act([replace(seen, streams=other)])[0], before)


def test_invalid_actions_cost_nothing_whatever_they_hold(small: ModuleType) -> None:
    policy = small.policy("flow")
    batch = small.batch(ARM, [1, 3])
    assert not batch.action_valid["arm"].all()
    before = policy.loss({ARM: batch}).total
    for group, valid in batch.action_valid.items():
        batch.action[group][~valid] = torch.nan
    assert torch.equal(policy.loss({ARM: batch}).total, before)


def apart(small: ModuleType) -> PolicyConfig:
    """The arm with a readout of its own for its gripper."""
    config: PolicyConfig = small.config()
    arm = config.bodies[ARM]
    uses = (ReadoutUse(key="hand", groups=("arm",)), ReadoutUse(key="grip", groups=("gripper",)))
    return replace(
        config,
        bodies={ARM: replace(arm, readouts=uses)},
        readouts={"hand": RegressionConfig(), "grip": RegressionConfig(token_count=2)},
    )


def made(small: ModuleType, config: PolicyConfig, **statistics: Any) -> Any:
    torch.manual_seed(0)
    known = {name: small.statistics(body) for name, body in small.BODIES.items()}
    return Policy(config, small.BODIES, {**known, **statistics}).eval()


def test_one_readout_neither_sees_nor_moves_another(small: ModuleType) -> None:
    policy = made(small, apart(small))
    seen = small.window(ARM, 4).observation
    before = policy.act([seen])[0].action
    policy.readouts["grip"].query.data.mul_(-9)
    after = policy.act([seen])[0].action
    assert np.array_equal(before["arm"], after["arm"])
    assert not np.allclose(before["gripper"], after["gripper"])
    loss = policy.loss({ARM: small.batch(ARM, [4])}).parts[ARM]["hand"].total
    loss.backward()
    grip = [weight.grad for weight in policy.readouts["grip"].parameters()]
    assert not any(gradient is not None and gradient.any() for gradient in grip)
    assert policy.readouts["hand"].query.grad.abs().max() > 0


def test_a_readout_that_goes_on_with_the_trunk_reads_what_it_may_and_no_more(
    small: ModuleType,
) -> None:
    policy, contexts = made(small, apart(small)), []
    sample = policy.readouts["hand"].sample

    def listening(context: Context, **given: Any) -> Any:
        contexts.append(context)
        return sample(context, **given)

    policy.readouts["hand"].sample = listening
    seen = small.window(ARM, 4).observation
    seen.valid["table"][:] = False

    def extended(**streams: Any) -> torch.Tensor:
        policy.act([replace(seen, streams={**seen.streams, **streams})])
        tokens = torch.linspace(-1, 1, 2 * 32).reshape(1, 2, 32)
        with torch.inference_mode():
            return contexts[-1].extend(tokens)[0]

    before = extended()
    policy.readouts["grip"].query.data.mul_(-9)
    policy.trunk.positions["keypoints"].data.mul_(-9)
    assert torch.equal(extended(), before)
    assert not torch.allclose(extended(tool=-seen.streams["tool"]), before, atol=1e-4)
    assert not torch.allclose(extended(instruction="other words"), before, atol=1e-4)


@pytest.mark.parametrize("readout", READOUTS)
def test_it_overfits_one_mixed_batch(small: ModuleType, readout: str) -> None:
    policy = small.policy(readout).train()
    batches = {ARM: small.batch(ARM, [2, 4, 6]), CAR: small.batch(CAR, [8, 10])}
    optimizer = torch.optim.Adam(policy.parameters(), 4e-3)
    losses = []
    for _ in range(110):
        loss = policy.loss(batches).total
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach().item())
    assert losses[-1] < losses[0] / 10


def test_training_and_acting_see_the_same(small: ModuleType) -> None:
    """The loss of a regression is the distance of what it does from what it should do."""
    policy, numbers = small.policy(), [2, 4]
    windows = [small.window(CAR, n) for n in numbers]
    found = policy.loss({CAR: small.batch(CAR, numbers)}).parts[CAR]["path"].total
    errors = []
    for window, chunk in zip(windows, policy.act([w.observation for w in windows]), strict=True):
        time = np.arange(1, 31) / 10
        along = 0.05 + time**2
        unit = np.stack([along, along, 0.02 + 0.25 * time], 1)
        errors.append(np.abs(chunk.action["path"] - window.action["path"]) / unit)
    assert np.isclose(np.mean(errors), found.item(), rtol=1e-4)


def test_a_car_that_has_learned_nothing_drives_straight_on(small: ModuleType) -> None:
    policy = small.policy()
    policy.readouts["path"].project[-1].weight.data.zero_()
    policy.readouts["path"].project[-1].bias.data.zero_()
    for n in (3, 7):
        seen = small.window(CAR, n, 1).observation
        speed = float(seen.streams["speed"][-1, 0])
        [chunk] = policy.act([seen])
        expected = np.zeros((30, 3))
        expected[:, 0] = speed * np.arange(1, 31) / 10
        low, high = (np.array(x) for x in (small.BODIES[CAR].action["path"].low,
                                            small.BODIES[CAR].action["path"].high))  # fmt: skip
        assert np.allclose(chunk.action["path"], np.clip(expected, low, high), atol=1e-3)


def test_statistics_scale_what_goes_in_and_what_comes_out(small: ModuleType) -> None:
    """An arm in half metres does half of what the same weights do for one in metres."""
    body, seen = small.BODIES[ARM], small.window(ARM, 6).observation
    whole = small.statistics(body)

    def halved(found: Any) -> Any:
        parts = ("mean", "std", "low", "high", "q01", "q99")
        return msgspec.structs.replace(
            found, **{p: tuple(0.5 * x for x in getattr(found, p)) for p in parts}
        )

    half = msgspec.structs.replace(
        whole,
        observation={k: halved(v) for k, v in whole.observation.items()},
        action={k: halved(v) for k, v in whole.action.items()},
    )
    policy = made(small, small.config())
    for weight in policy.readouts["hand"].parameters():
        weight.data *= 0.1  # away from the limits
    other = made(small, small.config(), **{ARM: half})
    other.load_state_dict(policy.state_dict())
    streams = {**seen.streams, "tool": seen.streams["tool"] * 0.5}
    [large], [less] = policy.act([seen]), other.act([replace(seen, streams=streams)])
    assert np.allclose(large.action["arm"] * 0.5, less.action["arm"], atol=1e-6)
    assert policy.statistics != other.statistics


def test_it_says_what_servers_and_sessions_ask(small: ModuleType) -> None:
    policy = small.policy(frames=2)
    assert policy.frames == 2 and policy.spacing is None
    assert policy.horizons == {ARM: {"arm": 4, "gripper": 4}, CAR: {"path": 30}}
    assert policy.camera_sizes[ARM] == {"table": (16, 16), "wrist": (16, 16)}
    assert policy.reference_streams(CAR) == ["ego_history", "speed"]
    assert policy.model == "untrained"
    assert small.statistics(small.BODIES[ARM]).hash in policy.statistics
    picture = np.zeros((96, 96, 3), np.uint8)
    assert policy.prepare(ARM, {"table": picture})["table"].shape == (16, 16, 3)


def test_shared_keys_share_weights_and_nothing_is_saved_twice(small: ModuleType) -> None:
    policy = small.policy()
    keys = set(policy.state_dict())
    assert not any(key.startswith("scales") for key in keys)
    assert {k.split(".")[1] for k in keys if k.startswith("tokenizers")} == {
        "language", "keypoints", "state/tool", "image", "ego_history", "state/speed",
    }  # fmt: skip
    arm = policy.loss({ARM: small.batch(ARM, [1])}).total
    arm.backward()
    assert policy.tokenizers["language"].write.weight.grad.abs().max() > 0
    assert policy.tokenizers["image"].stem[0].weight.grad is None


def test_windows_that_do_not_fit_are_refused(small: ModuleType) -> None:
    policy, seen = small.policy(frames=2), small.window(ARM, 1, 2).observation

    def streams(**changes: Any) -> Observation:
        return replace(seen, streams={**seen.streams, **changes})

    lacking = {k: v for k, v in seen.streams.items() if k != "tool"}
    with pytest.raises(SpecMismatch, match=r"tabletop_arm.tool: expected it in the window, got no"):
        policy.act([replace(seen, streams=lacking)])
    short = {**seen.valid, "tool": np.ones(1, bool)}
    words = "'state/tool' of 'tabletop_arm': expected 1 tokens in each of 2 steps, got 1 in 1"
    with pytest.raises(SpecMismatch, match=words):
        policy.act([replace(streams(tool=seen.streams["tool"][1:]), valid=short)])
    with pytest.raises(UnknownName, match=r"No body of this policy named 'tabletop_arn'. Did"):
        policy.act([replace(seen, embodiment="tabletop_arn")])
    cars = small.window(CAR, 1, 2).observation
    large = {**cars.streams, "front": np.zeros((2, 32, 16, 3), np.uint8)}
    with pytest.raises(SpecMismatch, match="expected 4 tokens in each of 2 steps, got 8 in 2"):
        policy.act([replace(cars, streams=large)])


@pytest.mark.parametrize("readout", ["regression", "flow"])
def test_damaged_weights_give_an_error_and_no_action(small: ModuleType, readout: str) -> None:
    policy = small.policy(readout)
    policy.trunk.norm.weight.data[3] = torch.nan
    with pytest.raises(OctoverseError, match="readout 'hand' gave an action for 'tabletop_ar"):
        policy.act([small.window(ARM, 1).observation])


def arm_with(small: ModuleType, **changes: Any) -> PolicyConfig:
    config: PolicyConfig = small.config()
    arm = replace(config.bodies[ARM], **changes)
    return replace(config, bodies={**config.bodies, ARM: arm})


def uses(key: str, **streams: str) -> tuple[TokenizerUse, ...]:
    return (TokenizerUse(key=key, streams=streams),)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"tokenizers": uses("image", picture="table")}, BadConfig,
         "the tokenizer 'image' of 'tabletop_arm' reads image, got picture. Name a stream for"),
        ({"tokenizers": uses("keypoints", image="table")}, BadConfig,
         "'keypoints' of 'tabletop_arm' reads image, instruction, got image"),
        ({"tokenizers": uses("image", image="tabel")}, UnknownName,
         "No stream of 'tabletop_arm' named 'tabel'. Did you mean 'table'"),
        ({"readouts": (ReadoutUse(key="hand", groups=("arm",)),)}, BadConfig,
         "action group 'gripper' of 'tabletop_arm' needs exactly one readout, got 0"),
        ({"readouts": (ReadoutUse(key="hand", groups=("arm", "arm", "gripper")),)}, BadConfig,
         "action group 'arm' of 'tabletop_arm' needs exactly one readout, got 2"),
        ({"readouts": (ReadoutUse(key="hand", groups=("armm", "gripper")),)}, UnknownName,
         "No action group of 'tabletop_arm' named 'armm'. Did you mean 'arm'"),
        ({"readouts": (ReadoutUse(key="path", groups=("arm", "gripper")),)}, BadConfig,
         r"'path' makes chunks of \(4, 5\) for another body, 'road_car' needs \(30, 3\)"),
    ],
)  # fmt: skip
def test_a_config_that_does_not_fit_its_bodies_is_refused(
    small: ModuleType, changes: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        made(small, arm_with(small, **changes))


def test_groups_of_unlike_rows_cannot_share_a_readout(small: ModuleType) -> None:
    both = msgspec.structs.replace(
        small.BODIES[ARM],
        action={**small.BODIES[ARM].action, "path": small.BODIES[CAR].action["path"]},
    )
    config = arm_with(small, readouts=(ReadoutUse(key="hand", groups=("arm", "gripper", "path")),))
    with pytest.raises(BadConfig, match=r"'hand' of 'tabletop_arm' joins groups of \[4, 30\] rows"):
        Policy(
            config,
            {**small.BODIES, ARM: both},
            {ARM: small.statistics(both), CAR: small.statistics(small.BODIES[CAR])},
        )


def test_a_slot_of_two_sizes_is_refused(small: ModuleType) -> None:
    config: PolicyConfig = small.config()
    words = TokenizerUse(key="language", streams={"instruction": "instruction"}, slot="image")
    with pytest.raises(
        BadConfig, match=r"'image' has 1 x 4 tokens for body 'road_car' and 1 x 1 for"
    ):
        made(small, arm_with(small, tokenizers=(words, *config.bodies[ARM].tokenizers[1:])))


def test_what_is_lacking_for_a_body_is_named(small: ModuleType) -> None:
    config, known = small.config(), {n: small.statistics(b) for n, b in small.BODIES.items()}
    with pytest.raises(BadConfig, match="the body 'tabletop_arm', for which there is no spec"):
        Policy(config, {CAR: small.BODIES[CAR]}, known)
    with pytest.raises(BadConfig, match=r"'road_car', for which there is no statistics. There"):
        Policy(config, small.BODIES, {ARM: known[ARM]})
    poor = msgspec.structs.replace(known[ARM], action={"arm": known[ARM].action["arm"]})
    with pytest.raises(BadConfig, match="statistics of 'tabletop_arm' lack the action group 'grip"):
        Policy(config, small.BODIES, {**known, ARM: poor})


def test_a_goal_is_prepared_at_its_camera_s_size(small: ModuleType) -> None:
    policy = small.policy(frames=2)
    arm = policy.bodies[ARM]
    goal = GoalImage(camera="table", height=96, width=96)
    policy.bodies[ARM] = msgspec.structs.replace(arm, observation={**arm.observation, "goal": goal})
    assert policy.camera_sizes[ARM]["goal"] == policy.camera_sizes[ARM]["table"] == (16, 16)


def with_use(small: ModuleType, frames: int = 1, **changes: Any) -> Policy:
    """The small policy, its arm's readout used in another way."""
    config = small.config("regression", frames)
    arm = config.bodies[ARM]
    use = replace(arm.readouts[0], **changes)
    torch.manual_seed(0)
    bodies = {**config.bodies, ARM: replace(arm, readouts=(use,))}
    known = {name: small.statistics(body) for name, body in small.BODIES.items()}
    return Policy(replace(config, bodies=bodies), small.BODIES, known).eval()


def test_a_body_with_fewer_numbers_than_its_readout_is_padded_and_masked(small: ModuleType) -> None:
    policy: Any = with_use(small, size=9)
    batch = small.batch(ARM, [2, 4])
    loss = policy.loss({ARM: batch})
    loss.total.backward()
    last = policy.readouts["hand"].project[2]
    rows = last.weight.grad.unflatten(0, (-1, 9)).abs().sum((0, 2))
    assert (rows[:5] > 0).all() and (rows[5:] == 0).all()
    assert loss.parts[ARM]["hand"].count == batch.action_valid["arm"].sum() * 5
    [chunk] = policy.act([small.window(ARM, 2).observation])
    assert {group: a.shape[1] for group, a in chunk.action.items()} == {"arm": 4, "gripper": 1}
    with pytest.raises(BadConfig, match=r"'hand' of 'tabletop_arm' makes 3 numbers, .* have 5"):
        with_use(small, size=3)


def test_a_readout_of_every_step_answers_by_its_newest(small: ModuleType) -> None:
    policy = with_use(small, frames=3, every_step=True)
    assert policy.trunk.positions["hand"].shape[:2] == (3, 1)
    seen = [small.window(ARM, n, 3).observation for n in (2, 4)]
    before = policy.act(seen)
    policy.trunk.positions["hand"].data[2] *= -9
    assert not close(policy.act(seen)[0], before[0])


def test_a_window_longer_than_the_positions_is_refused(small: ModuleType) -> None:
    config = small.config("regression", 3)
    short = replace(config, trunk=replace(config.trunk, max_frames=2))
    known = {name: small.statistics(body) for name, body in small.BODIES.items()}
    with pytest.raises(BadConfig, match="window has 3 frames, the trunk positions for 2"):
        Policy(short, small.BODIES, known)


def test_only_a_task_is_repeated(small: ModuleType) -> None:
    config = small.config()
    arm = config.bodies[ARM]
    twice = replace(arm, tokenizers=(replace(arm.tokenizers[2], repeat=True),))
    with pytest.raises(BadConfig, match="repeats 'state/tool', which already stands in every"):
        replace(config, bodies={ARM: twice})


def test_the_steps_of_an_answer_are_chosen_when_acting(small: ModuleType) -> None:
    policy, seen = small.policy("flow"), [small.window(ARM, 1).observation]
    before = policy.act(seen)[0]
    policy.take_steps(2)
    assert not close(policy.act(seen)[0], before)
    policy.take_steps(10)
    assert close(policy.act(seen)[0], before)
    with pytest.raises(BadConfig, match=r"expected at least 1 step and .* got 0 and: Flow"):
        policy.take_steps(0)
    with pytest.raises(BadConfig, match=r"got 5 and: Regression\. Leave the number of steps out"):
        small.policy().take_steps(5)


@pytest.mark.parametrize("readout", READOUTS)
def test_weights_that_change_between_answers_are_those_that_answer(
    small: ModuleType, readout: str
) -> None:
    policy, other = small.policy(readout), small.policy(readout, seed=1)
    seen = [small.window(ARM, 1).observation]
    before = policy.act(seen)[0]
    policy.load_state_dict(other.state_dict())
    after = policy.act(seen)[0]
    assert close(after, other.act(seen)[0]) and not close(after, before)
    with torch.no_grad():
        for weight in policy.parameters():
            weight.mul_(1.01)
    assert not close(policy.act(seen)[0], after)


def test_numbers_beyond_all_measure_are_said_to_be_what_may_be_wrong(
    small: ModuleType, observations: Callable[..., list[Observation]]
) -> None:
    [seen] = observations(range(1, 2))
    far = {**seen.streams, "ego_history": seen.streams["ego_history"] * np.float32(1e37)}
    words = r"'path' gave an action for 'road_car' that is not finite\. Look at the numbers that"
    with pytest.raises(OctoverseError, match=words):
        small.policy().act([replace(seen, streams=far)], [{"instruction": {}}])
