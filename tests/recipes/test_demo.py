from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from octoverse import registry
from octoverse.acting import open_session
from octoverse.embodiments.road_car import ROAD_CAR
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.policy import Policy
from octoverse.recipes import demo
from octoverse.synthetic import random_frame
from octoverse.training.config import Recipe
from octoverse.training.loop import window_spec

BODIES = {"tabletop_arm": TABLETOP_ARM, "road_car": ROAD_CAR}


@pytest.fixture(scope="module")
def policy(small: ModuleType) -> Policy:
    torch.manual_seed(0)
    statistics = {name: small.statistics(body) for name, body in BODIES.items()}
    return Policy(demo.policy_config(), BODIES, statistics).eval()


def test_both_bodies_act_in_one_call(policy: Policy) -> None:
    seen = []
    for body in BODIES.values():
        session = open_session(policy, body)
        session.observe(random_frame(body, np.random.default_rng(0)), 0)
        seen.append(session.observation())
    arm, car = policy.act(seen)
    assert arm.action["arm"].shape == (8, 4) and arm.action["gripper"].shape == (8, 1)
    assert car.action["path"].shape == (30, 3)


def test_the_bodies_share_trunk_and_language_and_the_car_s_side_cameras_one_tokenizer(
    policy: Policy,
) -> None:
    arm, car = (
        {use.key for use in policy.config.bodies[name].tokenizers} for name in policy.bodies
    )
    assert arm & car == {"language"}
    cross = [use for use in policy.config.bodies["road_car"].tokenizers if "cross" in use.key]
    assert len({use.key for use in cross}) == 1 and len({use.place for use in cross}) == 2


def test_its_weights_fit_into_what_may_be_shipped(policy: Policy) -> None:
    count = sum(weight.numel() for weight in policy.parameters())
    assert 3e6 < count < 20e6 / 2  # 20 MB in half precision


def test_a_sample_holds_what_is_read_and_no_image_more(policy: Policy) -> None:
    assert window_spec(policy, "tabletop_arm").streams == ("table", "wrist", "tool", "instruction")
    assert set(window_spec(policy, "road_car").streams or ()) == set(ROAD_CAR.observation)


def test_its_data_are_recorded_where_they_are_missing(
    small: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def recorded(environment: str, data: Path, episodes: int) -> object:
        asked.append(environment)
        return small.Made(embodiment=registry.load("environment", environment).embodiment)

    monkeypatch.setattr(demo, "recorded", recorded)
    recipe: Recipe = demo.demo(Path("anywhere"))
    assert asked == ["tabletop-lift", "tabletop-reach", "road-lane"]
    assert {entry.source.embodiment for entry in recipe.sources} == set(BODIES)
    assert sum(entry.weight for entry in recipe.sources) == pytest.approx(1)
    assert registry.load("recipe", "demo") is demo.demo


def test_a_recording_is_asked_for_by_environment_and_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from octoverse.data import record

    calls = []

    class Recorded:
        folder = tmp_path

    def recording(*given: object) -> Recorded:
        calls.append(given)
        return Recorded()

    monkeypatch.setattr(record, "record", recording)
    monkeypatch.setattr(demo, "LeRobotSource", lambda folder: folder)
    assert demo.recorded("road-lane", tmp_path, 12) == tmp_path  # type: ignore[comparison-overlap]
    assert calls == [("road-lane", tmp_path / "road-lane", 12)]
