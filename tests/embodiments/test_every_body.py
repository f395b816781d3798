"""What holds for every body that octoverse brings."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from octoverse import registry
from octoverse.embodiment import (
    ActionGroup,
    Embodiment,
    GoalImage,
    Instruction,
    State,
    differences,
)
from octoverse.errors import SpecMismatch
from octoverse.synthetic import random_action, random_frame

SHELF = Path(__file__).parents[2] / "embodiments"
OURS = [
    name
    for name in registry.names("embodiment")
    if registry.provider("embodiment", name) == "octoverse"
]


@pytest.fixture(params=OURS)
def body(request: pytest.FixtureRequest) -> Embodiment:
    found: Embodiment = registry.load("embodiment", request.param)
    return found


def test_every_file_of_the_shelf_offers_a_body_of_its_name() -> None:
    assert {path.stem for path in SHELF.glob("*.py")} <= set(OURS)


def test_a_random_frame_and_action_fit(body: Embodiment) -> None:
    rng = np.random.default_rng(0)
    body.check_frame(random_frame(body, rng))
    body.check_action(random_action(body, rng))


def test_gymnasium_s_spaces_contain_them(body: Embodiment) -> None:
    pytest.importorskip("gymnasium")
    rng = np.random.default_rng(0)
    assert body.observation_space.contains(random_frame(body, rng))
    assert body.action_space.contains(random_action(body, rng))


def test_it_survives_the_wire(body: Embodiment) -> None:
    copy = msgspec.msgpack.decode(msgspec.msgpack.encode(body), type=Embodiment)
    assert copy.fingerprint == body.fingerprint
    assert differences(body, copy) == []


def test_no_two_bodies_mean_the_same() -> None:
    prints = {name: registry.load("embodiment", name).fingerprint for name in OURS}
    assert len(set(prints.values())) == len(prints)


def test_units_are_si(body: Embodiment) -> None:
    known = {"m", "rad", "m/s", "rad/s", "m/s^2", "1/m", "1"}
    for part in [*body.observation.values(), *body.action.values()]:
        if isinstance(part, State | ActionGroup):
            assert set(part.units) <= known


def test_a_gripper_and_a_state_named_opening_run_from_closed_0_to_open_1(
    body: Embodiment,
) -> None:
    for part in [*body.observation.values(), *body.action.values()]:
        if isinstance(part, State | ActionGroup) and "opening" in part.names:
            i = part.names.index("opening")
            assert part.low[i] <= 0 and part.high[i] >= 1 and part.units[i] == "1"


@pytest.mark.parametrize("name", OURS)
def test_every_needed_stream_is_needed(name: str) -> None:
    body: Embodiment = registry.load("embodiment", name)
    whole = random_frame(body, np.random.default_rng(0))
    for stream, spec in body.observation.items():
        frame = {key: value for key, value in whole.items() if key != stream}
        if spec.optional:
            body.check_frame(frame)
        else:
            with pytest.raises(
                SpecMismatch, match=rf"{name}.{stream}: expected its .* got nothing"
            ):
                body.check_frame(frame)


def test_every_body_can_be_told_what_to_do_in_words(body: Embodiment) -> None:
    assert any(isinstance(s, Instruction | GoalImage) for s in body.observation.values())
