from typing import Any

import pytest

from octoverse import registry
from octoverse.embodiment import Embodiment, Stream
from octoverse.errors import BadConfig, UnknownName
from octoverse.readouts.regression import RegressionConfig
from octoverse.recipes.architecture import Architecture
from octoverse.recipes.compose import (
    Reading,
    Writing,
    compose,
    goal_of,
    instruction,
    joined,
    simple,
)
from octoverse.tokenizers.image import ImageTokenizerConfig
from octoverse.trunk.config import NativeTrunkConfig

ARM: Embodiment = registry.load("embodiment", "tabletop_arm")
CAR: Embodiment = registry.load("embodiment", "road_car")
WIDOWX: Embodiment = registry.load("embodiment", "widowx")
IMAGE = ImageTokenizerConfig(height=32, width=32)


def read(body: Embodiment, name: str, stream: Stream) -> Reading | None:
    if name in ("table", "wrist"):
        return Reading(key="image", config=IMAGE, inputs={"image": name})
    return simple(body, name, stream)


def write(body: Embodiment) -> list[Writing]:
    return [Writing(key="all", config=RegressionConfig(), groups=g) for g in joined(body)]


def test_streams_that_share_a_key_get_slots_of_their_own() -> None:
    made = compose([ARM], trunk=NativeTrunkConfig(), read=read, write=write)
    uses = made.bodies["tabletop_arm"].tokenizers
    assert [use.place for use in uses if use.key == "image"] == ["image", "image:wrist"]
    assert made.bodies["tabletop_arm"].readouts[0].groups == ("arm", "gripper")


def test_one_key_for_two_modules_is_refused() -> None:
    def differ(body: Embodiment) -> list[Writing]:
        config = RegressionConfig(hidden=len(body.name))
        return [Writing(key="all", config=config, groups=g) for g in joined(body)]

    with pytest.raises(BadConfig, match=r"'all' is .*hidden=12.* and .*hidden=8.* for 'road_car'"):
        compose([ARM, CAR], trunk=NativeTrunkConfig(), read=simple, write=differ)


def test_what_a_body_has_is_found_by_kind() -> None:
    assert instruction(ARM) == "instruction"
    goal = goal_of(WIDOWX, "primary")
    assert goal is not None and WIDOWX.observation[goal].camera == "primary"  # type: ignore[union-attr]
    assert goal_of(ARM, "table") is None
    assert joined(CAR) == [("path",)]


def test_a_size_that_a_recipe_has_not_is_named() -> None:
    def policy(bodies: Any, size: str) -> Any:
        return compose(bodies, trunk=NativeTrunkConfig(), read=read, write=write)

    made = Architecture(
        name="x", policy=policy, sizes=("base", "tiny"), example=("a", "b"), about="It."
    )
    assert made.config([ARM]) == made.config([ARM], "tiny")
    with pytest.raises(UnknownName, match="size of 'x'"):
        made.config([ARM], "huge")
