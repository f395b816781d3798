from dataclasses import replace
from pathlib import Path
from types import ModuleType

import msgspec
import numpy as np
import pytest
import torch

from octoverse import checkpoint
from octoverse.acting import open_session
from octoverse.batch import Batch, batch_of
from octoverse.embodiment import Command, Embodiment, Instruction, Route, Waypoints
from octoverse.embodiments.passenger_car import PASSENGER_CAR
from octoverse.embodiments.road_car import ROAD_CAR
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.errors import BadConfig
from octoverse.policy import Policy
from octoverse.readout import Fitted
from octoverse.recipes.architecture import Architecture
from octoverse.recipes.cars import check_cars, code_of, feature_map, read_state, writings
from octoverse.recipes.diffusiondrive import DIFFUSIONDRIVE
from octoverse.recipes.vad import VAD
from octoverse.synthetic import random_frame
from octoverse.tokenizers.route import RouteTokenizerConfig


def test_bodies_that_are_no_cars_are_refused_in_words() -> None:
    check_cars([PASSENGER_CAR, ROAD_CAR], "vad")
    with pytest.raises(
        BadConfig,
        match=r"'vad' is for cars .* 'tabletop_arm' has the cameras primary, wrist and makes "
        r"arm \(end effector delta\), gripper \(gripper\). Choose another recipe",
    ):
        check_cars([ROAD_CAR, TABLETOP_ARM], "vad")
    check_cars([ROAD_CAR], "vad", ("rear", "front"))
    with pytest.raises(BadConfig, match=r"of what rear or roof cameras see. .* cross_left, cross_"):
        check_cars([ROAD_CAR], "vad", ("rear", "roof"))


def test_words_are_read_where_no_command_is_given() -> None:
    assert read_state(ROAD_CAR, "instruction", Instruction()) is not None
    assert read_state(PASSENGER_CAR, "instruction", Instruction()) is None
    assert read_state(PASSENGER_CAR, "command", Command(names=("left", "right"))) is not None


def test_a_route_is_read_where_there_is_one() -> None:
    found = read_state(ROAD_CAR, "route", Route(points=20))
    assert found is not None and found.inputs == {"route": "route"}
    assert found.config == RouteTokenizerConfig(points=20, tokens=4)
    odd = read_state(ROAD_CAR, "route", Route(points=7))
    assert odd is not None and odd.config.tokens == 1


def test_paths_of_one_length_and_code_share_a_readout() -> None:
    [passenger], [road] = writings(PASSENGER_CAR, None), writings(ROAD_CAR, None)
    assert passenger.key == "path/64/constant_velocity"
    assert road.key == "path/30/constant_velocity"
    blind = {k: v for k, v in ROAD_CAR.observation.items() if k != "speed"}
    assert code_of(msgspec.structs.replace(ROAD_CAR, observation=blind)) == "scaled"


def test_the_tiny_backbone_is_thin() -> None:
    base, tiny = feature_map(96, 128, "base"), feature_map(96, 128, "tiny")
    assert (base.depth, base.channels, base.tokens) == (34, 64, 12)
    assert replace(tiny, channels=64, depth=34) == base


def drives(policy: Policy, body: Embodiment, small: ModuleType) -> Batch:
    """Four steady drives, each at the speed that is seen."""
    rng, seen, driven = np.random.default_rng(0), [], []
    path = body.action["path"]
    assert isinstance(path, Waypoints)
    for step in range(4):
        session, frame = open_session(policy, body), random_frame(body, rng)
        session.observe(frame, 0)
        seen.append(session.observation(step=step))
        driven.append(small._path(float(frame["speed"][0]), path.steps, rng))
    inputs = batch_of(body, seen, policy.device)
    action = torch.tensor(np.stack(driven))
    valid = torch.ones(action.shape[:2], dtype=torch.bool)
    return Batch(inputs.streams, {"path": action}, {"path": valid}, inputs.seeds)


@pytest.mark.parametrize("recipe", [DIFFUSIONDRIVE, VAD], ids=lambda recipe: recipe.name)
def test_a_car_learns_a_batch_in_30_steps_and_drives_as_it_learned(
    recipe: Architecture, small: ModuleType, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    assert recipe.example == (PASSENGER_CAR.name, ROAD_CAR.name)
    config, statistics = recipe.config([ROAD_CAR], "tiny"), small.statistics(ROAD_CAR)
    policy = Policy(config, {"road_car": ROAD_CAR}, {"road_car": statistics})
    batch = drives(policy, ROAD_CAR, small)
    for key, (codes, valid) in policy.codes("road_car", batch).items():
        readout = policy.readout(key)
        if isinstance(readout, Fitted):
            readout.fit(codes, valid)
    optimizer, losses = torch.optim.AdamW(policy.parameters(), 2e-3), []
    for _ in range(30):
        loss = policy.loss({"road_car": batch}).total
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2
    session = open_session(policy, ROAD_CAR)
    frame = random_frame(ROAD_CAR, np.random.default_rng(1))
    session.observe(frame, 0)

    def path(policy: Policy) -> np.ndarray:
        return policy.act([session.observation()])[0].action["path"]

    driven = path(policy.eval())
    straight = float(frame["speed"][0]) * np.arange(1, 31) / 10
    assert np.abs(driven[:, 0] - straight).max() < 20  # 2 g for 3 s would be 88 m
    checkpoint.save(policy, tmp_path / "kept")
    assert np.array_equal(path(checkpoint.load(tmp_path / "kept")), driven)
    assert np.abs(path(policy.lower()) - driven).max() < 1
