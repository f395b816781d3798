"""An answer begins with the rows that a robot executes anyway, and goes on from them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from octoverse.acting import open_session
from octoverse.config import ReadoutUse
from octoverse.episode import ActionChunk, Observation
from octoverse.errors import BadConfig, SpecMismatch, UnknownName
from octoverse.policy import Policy
from octoverse.readout import Reference
from octoverse.readouts.action_expert import ActionExpertConfig
from octoverse.readouts.anchors import AnchorsConfig
from octoverse.readouts.bins import BinsConfig
from octoverse.readouts.codecs.bins import BINS
from octoverse.readouts.cvae import CvaeConfig
from octoverse.readouts.denoisers.mlp_resnet import MlpResNetConfig
from octoverse.readouts.diffusion import DiffusionConfig
from octoverse.readouts.flow import FlowConfig
from octoverse.readouts.octo_regression import OctoRegressionConfig
from octoverse.readouts.query_regression import QueryRegressionConfig
from octoverse.readouts.regression import RegressionConfig
from octoverse.readouts.truncated_diffusion import TruncatedDiffusionConfig
from octoverse.synthetic import random_frame

ARM, CAR = "tabletop_arm", "road_car"
KINDS: dict[str, Any] = {
    "regression": RegressionConfig(hidden=32),
    "ranged": RegressionConfig(hidden=32, codec="ranged"),
    "bins": BinsConfig(hidden=16),
    "flow": FlowConfig(hidden=32, layers=2),
    "expert": ActionExpertConfig(width=16),
    "diffusion": DiffusionConfig(mlp_resnet=MlpResNetConfig(hidden=32, blocks=1)),
    "ddim": DiffusionConfig(
        mlp_resnet=MlpResNetConfig(hidden=32, blocks=1), sampler="ddim", inference_steps=4
    ),
    "clean": DiffusionConfig(mlp_resnet=MlpResNetConfig(hidden=32, blocks=1), predict="x0"),
    "anchors": AnchorsConfig(anchors=3, hidden=32),
    "truncated": TruncatedDiffusionConfig(anchors=3),
    "cvae": CvaeConfig(width=16, heads=2, feed_forward=32, encoder_layers=1),
    "octo": OctoRegressionConfig(pooled=False),
    "query": QueryRegressionConfig(),
}
Make = Callable[..., Policy]


@pytest.fixture
def make(small: ModuleType) -> Make:
    """Makes the small policy with another readout for the arm, and uses it in another way."""

    def made(
        readout: Any, uses: Sequence[ReadoutUse] = (), frames: int = 1, **trunk: Any
    ) -> Policy:
        config = small.config("regression", frames)
        arm, keys = config.bodies[ARM], [use.key for use in uses]
        readouts = dict(config.readouts) | dict.fromkeys(keys or ["hand"], readout)
        if keys:
            del readouts["hand"]
            arm = replace(arm, readouts=tuple(uses))
        torch.manual_seed(0)
        policy = Policy(
            replace(
                config,
                readouts=readouts,
                bodies={**config.bodies, ARM: arm},
                trunk=replace(config.trunk, **trunk),
            ),
            small.BODIES,
            {name: small.statistics(body) for name, body in small.BODIES.items()},
        ).eval()
        for key in keys or ["hand"]:
            fit = getattr(policy.readout(key), "fit", None)
            if fit is not None:
                codes, valid = policy.codes(ARM, small.batch(ARM, range(2, 22, 2)))[key]
                fit(codes, valid)
        return policy

    return made


def arms(small: ModuleType, numbers: Sequence[int], frames: int = 1) -> list[Observation]:
    return [small.window(ARM, number, frames).observation for number in numbers]


def rows(chunk: ActionChunk, first: int, count: int) -> dict[str, np.ndarray]:
    return {group: values[first : first + count] for group, values in chunk.action.items()}


def begins_with(chunk: ActionChunk, prefix: Any, small: ModuleType, within: float = 1e-5) -> None:
    """Its first rows are those, up to this share of each number's range."""
    body = small.BODIES[chunk.embodiment]
    for group, held in prefix.items():
        low, high = np.array([body.action[group].low, body.action[group].high])
        range_ = np.minimum(high - low, 100)
        assert (np.abs(chunk.action[group][: len(held)] - held) <= within * range_).all()


@pytest.mark.parametrize("held", [1, 2, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_begins_with_the_rows_that_are_executed_anyway(
    small: ModuleType, make: Make, kind: str, held: int
) -> None:
    policy = make(KINDS[kind])
    [seen], [other] = arms(small, [2]), policy.act(arms(small, [4]))
    prefix = rows(other, 0, held)
    [plain], [chunk] = policy.act([seen]), policy.act([replace(seen, prefix=prefix)])
    begins_with(chunk, prefix, small, within=1 / BINS if kind == "bins" else 1e-5)
    assert {group: a.shape for group, a in chunk.action.items()} == {
        group: a.shape for group, a in plain.action.items()
    }
    assert any(not np.allclose(plain.action[g][:held], prefix[g], atol=1e-4) for g in prefix)
    for answer in policy.sample([replace(seen, prefix=prefix)], 3)[0].action["arm"]:
        begins_with(replace(chunk, action={"arm": answer}), {"arm": prefix["arm"]}, small, 1 / BINS)


@pytest.mark.parametrize("codec", ["constant_velocity", "course", "scaled"])
def test_a_path_is_held_relative_to_how_the_car_moves(
    small: ModuleType, make: Make, codec: str
) -> None:
    config = small.config()
    flow = FlowConfig(hidden=32, layers=2, codec=codec)
    known = {name: small.statistics(body) for name, body in small.BODIES.items()}
    policy = Policy(
        replace(config, readouts={**config.readouts, "path": flow}), small.BODIES, known
    ).eval()
    window = small.window(CAR, 4)
    prefix = {"path": window.action["path"][:7]}
    [chunk] = policy.act([replace(window.observation, prefix=prefix)])
    begins_with(chunk, prefix, small)


@pytest.mark.parametrize("kind", ["flow", "clean"])
def test_what_follows_goes_on_from_the_rows_that_are_held(
    small: ModuleType, make: Make, kind: str
) -> None:
    """Left or right, each is done half of the time: what began left mostly stays left."""
    policy = make(KINDS[kind]).train()
    batch = small.batch(ARM, [2] * 16)
    side = torch.tensor([-1.0, 1.0]).repeat(8)[:, None, None]
    high = torch.tensor(small.BODIES[ARM].action["arm"].high)
    action = {**batch.action, "arm": (0.7 * side * high).expand(-1, small.HORIZON, -1)}
    optimizer = torch.optim.Adam(policy.parameters(), 4e-3)
    for step in range(250):
        seeds = torch.arange(16) + 16 * step
        optimizer.zero_grad()
        policy.loss({ARM: replace(batch, action=action, seeds=seeds)}).total.backward()
        optimizer.step()
    [seen] = arms(small, [2])
    policy.eval()
    free = policy.sample([seen], 32)[0].action["arm"]
    lefts = (free[:, 2:] < 0).mean()
    assert 0.2 < lefts < 0.8
    for sign in (-1, 1):
        held = {
            "arm": np.tile(0.7 * sign * high.numpy(), (2, 1)),
            "gripper": action_of(batch, "gripper"),
        }
        drawn = policy.sample([replace(seen, prefix=held)], 32)[0].action["arm"]
        assert (np.sign(drawn[:, 2:]) == sign).mean() > 0.8


def action_of(batch: Any, group: str) -> np.ndarray:
    found: np.ndarray = batch.action[group][0, :2].numpy()
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_prefix_changes_no_number_at_all(small: ModuleType, make: Make, kind: str) -> None:
    policy, seen = make(KINDS[kind]), arms(small, [2, 4])
    empty = {"arm": np.zeros((0, 4), np.float32), "gripper": np.zeros((0, 1), np.float32)}
    plain = policy.act(seen)
    for chunk, other in zip(
        plain, policy.act([replace(o, prefix=empty) for o in seen]), strict=True
    ):
        for group, values in chunk.action.items():
            assert np.array_equal(values, other.action[group])


@pytest.mark.parametrize("memory", [False, True])
@pytest.mark.parametrize("kind", ["regression", "bins", "flow", "diffusion"])
def test_who_shares_the_batch_changes_nothing_however_many_rows_each_holds(
    small: ModuleType, make: Make, kind: str, memory: bool
) -> None:
    policy = make(KINDS[kind], frames=2)
    [old, *_] = policy.act(arms(small, [6], 2))
    seen = [
        replace(one, prefix=rows(old, 1, held), frames=(0, 1) if memory else ())
        for one, held in zip(arms(small, range(10, 20, 2), 2), (0, 2, 1, 2, 0), strict=True)
    ]
    cars = [small.window(CAR, n, 2).observation for n in (3, 5)]
    if memory:
        cars = [replace(one, frames=(0, 1)) for one in cars]
    mixed = [seen[0], cars[0], *seen[1:], cars[1]]

    def act(observations: list[Observation]) -> list[ActionChunk]:
        return policy.act(observations, [{} for _ in observations] if memory else None)

    for one, chunk in zip(mixed, act(mixed), strict=True):
        begins_with(chunk, one.prefix, small, within=1 / BINS if kind == "bins" else 1e-5)
        assert chunk.observed_at_ns == one.observed_at_ns
        [alone] = act([one])
        for group, values in alone.action.items():
            np.testing.assert_allclose(chunk.action[group], values, rtol=1e-5, atol=1e-5)


def test_streams_of_robots_that_hold_unlike_rows_run_apart_and_remember_the_same(
    small: ModuleType, make: Make
) -> None:
    policy = make(KINDS["flow"], frames=3, positions="rotary", span=3)
    held = [open_session(policy, small.BODIES[ARM]) for _ in range(3)]
    free = [open_session(policy, small.BODIES[ARM]) for _ in range(3)]
    rng = np.random.default_rng(0)
    for step in range(4):
        frames = [random_frame(small.BODIES[ARM], rng) for _ in range(3)]
        for one, other, frame in zip(held, free, frames, strict=True):
            one.observe(frame, step * 100_000_000)
            other.observe(frame, step * 100_000_000)
        plain = policy.act([s.observation() for s in free], [s.memory for s in free])
        prefixes = [rows(chunk, 1, count) for chunk, count in zip(plain, (0, 1, 2), strict=True)]
        seen = [s.observation(prefix=p) for s, p in zip(held, prefixes, strict=True)]
        chunks = policy.act(seen, [s.memory for s in held])
        for chunk, prefix in zip(chunks, prefixes, strict=True):
            begins_with(chunk, prefix, small)
        np.testing.assert_allclose(
            chunks[0].action["arm"], plain[0].action["arm"], rtol=1e-5, atol=1e-5
        )


@pytest.mark.parametrize("kind", ["regression", "flow", "diffusion", "expert"])
def test_a_padded_readout_holds_the_numbers_that_the_body_has(
    small: ModuleType, make: Make, kind: str
) -> None:
    policy = make(KINDS[kind], [ReadoutUse(key="hand9", groups=("gripper", "arm"), size=9)])
    [seen], [other] = arms(small, [2]), policy.act(arms(small, [4]))
    [chunk] = policy.act([replace(seen, prefix=rows(other, 0, 2))])
    begins_with(chunk, rows(other, 0, 2), small)


def test_readouts_hold_the_rows_of_their_own_groups(small: ModuleType, make: Make) -> None:
    apart = [ReadoutUse(key=group, groups=(group,)) for group in ("arm", "gripper")]
    policy = make(KINDS["flow"], apart)
    [seen], [other] = arms(small, [2]), policy.act(arms(small, [4]))
    [plain] = policy.act([seen])
    [chunk] = policy.act([replace(seen, prefix={"arm": other.action["arm"][:2]})])
    begins_with(chunk, {"arm": other.action["arm"][:2]}, small)
    assert np.array_equal(chunk.action["gripper"], plain.action["gripper"])


NAN = np.full((1, 4), np.nan, np.float32)


@pytest.mark.parametrize(
    ("prefix", "error", "words"),
    [
        ({"arn": NAN}, UnknownName, "No action group of 'tabletop_arm' named 'arn'. Did you mean"),
        ({"arm": NAN}, SpecMismatch,
         r"prefix of tabletop_arm.arm: expected finite numbers within the body's limits, got \[\["),
        ({"arm": np.full((1, 4), 9.0)}, SpecMismatch, r"within the body's limits, got \[\[9"),
        ({"arm": np.zeros(4)}, SpecMismatch,
         r"prefix of tabletop_arm.arm: expected \(up to 4 rows, 4\), got \(4,\)"),
        ({"arm": np.zeros((1, 5))}, SpecMismatch, r"expected \(up to 4 rows, 4\), got \(1, 5\)"),
        ({"arm": np.zeros((5, 4))}, SpecMismatch, r"got \(5, 4\). No more can be held than a chun"),
        ({"arm": np.zeros((2, 4)), "gripper": np.zeros((1, 1))}, SpecMismatch,
         "as many rows of every group that the readout 'hand' makes, got 2 of arm, 1 of gripper"),
        ({"arm": np.zeros((2, 4))}, SpecMismatch, "got 2 of arm, 0 of gripper. Hold whole control"),
    ],
)  # fmt: skip
def test_rows_that_no_answer_could_begin_with_are_refused(
    small: ModuleType, prefix: dict[str, np.ndarray], error: type[Exception], words: str
) -> None:
    policy, [seen] = small.policy(), arms(small, [2])
    with pytest.raises(error, match=words):
        policy.act([replace(seen, prefix=prefix)])


class Differences:
    """A code whose every row tells the one after it."""

    def encode(self, actions: Tensor, reference: Reference) -> Tensor:
        return actions - torch.cat([actions[:, 1:], actions[:, -1:] * 0], 1)

    def decode(self, code: Tensor, reference: Reference) -> Tensor:
        return code.flip(1).cumsum(1).flip(1)


def test_a_codec_whose_rows_tell_later_ones_cannot_hold_the_first(small: ModuleType) -> None:
    policy, [seen] = small.policy(), arms(small, [2])
    policy.codecs["hand"] = Differences()
    [chunk] = policy.act([seen])
    with pytest.raises(BadConfig, match=r"codec 'scaled' makes the code of a row of later rows"):
        policy.act([replace(seen, prefix=rows(chunk, 0, 2))])
    whole = rows(chunk, 0, 4)
    begins_with(policy.act([replace(seen, prefix=whole)])[0], whole, small)
