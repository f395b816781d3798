"""What is remembered equals what would be computed, and is not computed again."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from octoverse.acting import LocalPolicy, open_session
from octoverse.batch import batch_of
from octoverse.episode import ActionChunk, Observation
from octoverse.errors import SpecMismatch
from octoverse.policy import Policy
from octoverse.synthetic import random_frame

ARM, CAR = "tabletop_arm", "road_car"
STEP_NS = 100_000_000


@pytest.fixture
def make(small: ModuleType) -> Callable[..., Policy]:
    """Makes the small policy with another trunk and window."""

    def made(
        frames: int, readout: str = "regression", repeat: bool = False, **trunk: Any
    ) -> Policy:
        config = small.config(readout, frames)
        bodies = {
            name: replace(
                body,
                tokenizers=tuple(
                    replace(use, repeat=repeat and use.key == "language") for use in body.tokenizers
                ),
            )
            for name, body in config.bodies.items()
        }
        torch.manual_seed(0)
        return Policy(
            replace(config, bodies=bodies, trunk=replace(config.trunk, **trunk)),
            small.BODIES,
            {name: small.statistics(body) for name, body in small.BODIES.items()},
        ).eval()

    return made


def counted(policy: Policy) -> Counter[str]:
    """How many frames every tokenizer has read, counted from now on."""
    counts: Counter[str] = Counter()

    def hook(name: str) -> Callable[..., None]:
        def seen(module: Any, given: Any, made: Any) -> None:
            counts[name] += made.values.shape[0] * made.values.shape[1]

        return seen

    for name, tokenizer in policy.tokenizers.items():
        tokenizer.register_forward_hook(hook(name))
    return counts


def close(one: ActionChunk, other: ActionChunk) -> None:
    for group, values in one.action.items():
        np.testing.assert_allclose(values, other.action[group], rtol=1e-4, atol=1e-5)


TRUNKS: list[dict[str, Any]] = [
    {},
    {"repeat": True},
    {"positions": "rotary"},
    {"positions": "rotary", "repeat": True},
    {"max_frames": 5, "norm": "rms", "activation": "swiglu"},
]


@pytest.mark.parametrize("readout", ["regression", "flow"])
@pytest.mark.parametrize("trunk", TRUNKS)
@pytest.mark.parametrize("body", [ARM, CAR])
def test_acting_with_a_memory_equals_acting_without(
    small: ModuleType, make: Callable[..., Policy], body: str, trunk: dict[str, Any], readout: str
) -> None:
    policy, rng = make(3, readout, **trunk), np.random.default_rng(0)
    camera, spec = "table" if body == ARM else "front", small.BODIES[body]
    loose = msgspec.structs.replace(spec.observation[camera], optional=True)
    spec = msgspec.structs.replace(spec, observation={**spec.observation, camera: loose})
    session = open_session(policy, spec)
    words = ["lift the cube"] * 4 + ["open the door"] * 3
    for step, text in enumerate(words):
        frame = {**random_frame(small.BODIES[body], rng), "instruction": text}
        if step == 2:
            del frame[camera]  # a camera that skipped a frame
        at = step if step < 5 else step + 1  # and a frame that nobody saw
        session.observe(frame, at * STEP_NS)
        seen = session.observation(seed=1, step=step)
        [with_memory] = policy.act([seen], [session.memory])
        [without] = policy.act([seen])
        close(with_memory, without)


def test_only_new_frames_are_read(small: ModuleType, make: Callable[..., Policy]) -> None:
    policy, rng = make(3), np.random.default_rng(0)
    counts = counted(policy)
    robot = LocalPolicy(policy, CAR)
    for step in range(5):
        frame = {**random_frame(small.BODIES[CAR], rng), "instruction": "go"}
        robot.act(frame, observed_at_ns=step * STEP_NS)
    assert counts == {"language": 1, "image": 10, "ego_history": 5, "state/speed": 5}
    robot.act(
        {**random_frame(small.BODIES[CAR], rng), "instruction": "stop"}, observed_at_ns=5 * STEP_NS
    )
    assert counts["language"] == 2 and counts["image"] == 12
    robot.reset()
    robot.act(random_frame(small.BODIES[CAR], rng), observed_at_ns=0)
    assert counts["language"] == 3


def test_what_is_modulated_by_the_words_is_read_again_when_they_change(
    small: ModuleType, make: Callable[..., Policy]
) -> None:
    policy, rng = make(3), np.random.default_rng(0)
    counts = counted(policy)
    robot = LocalPolicy(policy, ARM)
    for step, text in enumerate(["lift", "lift", "lift", "push"]):
        frame = {**random_frame(small.BODIES[ARM], rng), "instruction": text}
        robot.act(frame, observed_at_ns=step * STEP_NS)
    assert counts["keypoints"] == 3 + 3 and counts["state/tool"] == 4


def test_the_task_is_run_through_the_trunk_once(
    small: ModuleType, make: Callable[..., Policy]
) -> None:
    policy, rng, lengths = make(2), np.random.default_rng(0), []
    policy.trunk.register_forward_pre_hook(lambda module, given: lengths.append(len(given[1])))
    robot = LocalPolicy(policy, CAR)
    for step in range(3):
        frame = {**random_frame(small.BODIES[CAR], rng), "instruction": "go"}
        robot.act(frame, observed_at_ns=step * STEP_NS)
    whole = len(policy.layouts[CAR])
    assert lengths == [1, whole - 1, whole - 1, whole - 1]


def test_robots_of_mixed_memories_answer_as_each_would_alone(
    small: ModuleType, make: Callable[..., Policy]
) -> None:
    for trunk in ({}, {"positions": "rotary", "span": 2}):
        policy, rng = make(3, **trunk), np.random.default_rng(0)
        sessions = [open_session(policy, small.BODIES[name]) for name in (CAR, ARM, CAR, CAR)]
        for step in range(4):
            asked = [s for i, s in enumerate(sessions) if step or i != 2]  # one comes later
            for session in asked:
                frame = random_frame(session.body, rng)
                session.observe({**frame, "instruction": "go"}, step * STEP_NS)
            seen = [one.observation(step=step) for one in asked]
            alone = [dict(one.memory) for one in asked]
            copies = [{k: dict(v) for k, v in memory.items()} for memory in alone]
            together = policy.act(seen, [one.memory for one in asked])
            for one, memory, chunk in zip(seen, copies, together, strict=True):
                close(policy.act([one], [memory])[0], chunk)


@pytest.mark.parametrize("span", [1, 2, 3])
@pytest.mark.parametrize("repeat", [True, False])
@pytest.mark.parametrize("readout", ["regression", "flow"])
def test_a_stream_equals_computing_all_of_it(
    small: ModuleType, make: Callable[..., Policy], span: int, repeat: bool, readout: str
) -> None:
    """Every answer of a stream against one forward over all frames up to it, as in training."""
    count = 6
    policy = make(count, readout, repeat, positions="rotary", span=span)
    rng = np.random.default_rng(0)
    assert policy.frames == span
    session = open_session(policy, small.BODIES[CAR])
    frames = [{**random_frame(small.BODIES[CAR], rng), "instruction": "go"} for _ in range(count)]
    for step, frame in enumerate(frames):
        session.observe(frame, step * STEP_NS)
        [streamed] = policy.act([session.observation(seed=3, step=step)], [session.memory])
        seen = [dict(policy.prepare(CAR, one)) for one in frames[: step + 1]]
        whole = make(step + 1, readout, repeat, positions="rotary", span=span)
        streams = {
            name: value if name == "instruction" else np.stack([one[name] for one in seen])
            for name, value in frame.items()
        }
        everything = Observation(
            embodiment=CAR,
            streams=streams,
            valid={name: np.ones(step + 1, bool) for name in frame},
            seed=3,
            step=step,
        )
        batch = batch_of(small.BODIES[CAR], [everything], torch.device("cpu"))
        with torch.inference_mode():
            groups, _ = whole._tokens(CAR, whole._scaled(CAR, batch), None)
            [run] = whole._runs(CAR, groups, None)
            [expected] = whole._sample(batch, run, [everything], 1)
        np.testing.assert_allclose(
            streamed.action["path"], expected.action["path"][0], rtol=1e-4, atol=1e-4
        )


def test_a_stream_computes_new_frames_alone_even_those_that_were_not_asked_about(
    small: ModuleType, make: Callable[..., Policy]
) -> None:
    policy, rng, lengths = make(4, positions="rotary", span=3), np.random.default_rng(0), []
    policy.trunk.register_forward_pre_hook(lambda module, given: lengths.append(given[1].steps))
    robot = LocalPolicy(policy, CAR)
    frames = [{**random_frame(small.BODIES[CAR], rng), "instruction": "go"} for _ in range(4)]
    robot.act(frames[0], observed_at_ns=0)
    robot.observe(frames[1], observed_at_ns=STEP_NS)
    before = robot.act(frames[2], observed_at_ns=2 * STEP_NS)
    assert lengths == [1, 1, 1, 1]  # the task, then every frame once
    other = LocalPolicy(policy, CAR)
    for i in range(3):
        asked = other.act(frames[i], observed_at_ns=i * STEP_NS)
    close(asked, before)


def test_several_samples_are_given_with_scores_where_a_readout_tells(small: ModuleType) -> None:
    seen = [small.window(name, n).observation for n, name in enumerate([ARM, CAR, ARM])]
    found = small.policy("bins").sample(seen, 4)
    assert found[0].action["arm"].shape == (4, 4, 4) and found[1].action["path"].shape[0] == 4
    assert found[0].scores["hand"].shape == (4,)
    assert small.policy("flow").sample(seen, 2)[0].scores == {}
    with pytest.raises(ValueError, match="samples must be at least 1, got 0"):
        small.policy().sample(seen, 0)


@pytest.mark.parametrize("readout", ["regression", "flow"])
def test_acting_in_bfloat16_stays_near_float32(small: ModuleType, readout: str) -> None:
    seen = [small.window(name, n).observation for n, name in enumerate([ARM, CAR])]
    exact, rough = small.policy(readout), small.policy(readout).lower()
    assert rough.trunk.blocks[0].project_in.weight.dtype == torch.bfloat16
    for one, other in zip(exact.act(seen), rough.act(seen), strict=True):
        for group, values in one.action.items():
            spread = small.statistics(small.BODIES[one.embodiment]).action[group].std
            assert 0 < (np.abs(values - other.action[group]) / np.array(spread)).max() < 0.2


def test_a_stream_without_anything_to_see_is_refused(
    small: ModuleType, make: Callable[..., Policy]
) -> None:
    policy = make(2, positions="rotary", span=2)
    seen = small.window(ARM, 1, 2).observation
    nothing = replace(seen, valid={name: np.zeros(2, bool) for name in seen.valid})
    words = "window of 'tabletop_arm': expected a frame in which something is valid, got 2 without"
    with pytest.raises(SpecMismatch, match=words):
        policy.act([nothing])
