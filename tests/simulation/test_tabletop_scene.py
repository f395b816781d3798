"""Tests for octoverse/simulation/tabletop_scene.py."""

from math import hypot

import mujoco
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from octoverse.simulation.render import renderer_for
from octoverse.simulation.tabletop_scene import (
    APART,
    CENTRE_X,
    CENTRE_Y,
    COLOURS,
    SHAPES,
    draw_scene,
    model_for,
    painter_for,
)
from octoverse.simulation.tabletop_world import FINGER_TRAVEL


@given(st.integers(0, 2**32 - 1))
def test_a_scene_has_objects_of_different_colours_that_the_gripper_can_part(seed: int) -> None:
    scene = draw_scene(np.random.default_rng(seed))
    one, other = scene.things
    assert one.colour != other.colour
    assert hypot(one.x - other.x, one.y - other.y) > APART
    for thing in scene.things:
        assert CENTRE_X[0] <= thing.x <= CENTRE_X[1]
        assert CENTRE_Y[0] <= thing.y <= CENTRE_Y[1]
        assert abs(thing.yaw) <= SHAPES[thing.shape].yaw_limit
    assert scene == draw_scene(np.random.default_rng(seed))


def test_all_colours_and_pairs_of_shapes_come_up() -> None:
    scenes = [draw_scene(np.random.default_rng(seed)) for seed in range(100)]
    assert {thing.colour for scene in scenes for thing in scene.things} == set(COLOURS)
    assert {scene.shapes for scene in scenes} == {(a, b) for a in SHAPES for b in SHAPES}


def test_a_block_fits_the_gripper_across_and_not_along() -> None:
    long, across, _ = SHAPES["block"].half_size
    assert across + 0.015 < FINGER_TRAVEL < long
    assert SHAPES["block"].yaw_limit < SHAPES["block"].symmetry / 2
    assert SHAPES["cube"].yaw_limit < SHAPES["cube"].symmetry / 2


def test_one_model_serves_all_scenes_of_the_same_shapes() -> None:
    assert model_for(("cube", "block")) is model_for(("cube", "block"))
    assert model_for(("cube", "block")) is not model_for(("block", "cube"))


def _painted(seed: int) -> tuple[mujoco.MjModel, mujoco.MjData]:
    scene = draw_scene(np.random.default_rng(seed))
    model = model_for(scene.shapes)
    data = mujoco.MjData(model)
    for number, thing in enumerate(scene.things):
        half = thing.yaw / 2
        data.joint(f"thing{number}").qpos = [
            *(thing.x, thing.y, SHAPES[thing.shape].half_size[2]),
            *(np.cos(half), 0, 0, np.sin(half)),
        ]
    mujoco.mj_forward(model, data)
    painter_for(scene.shapes).paint(scene, data)
    return model, data


def test_the_table_camera_has_every_object_in_view() -> None:
    for seed in range(300):
        model, data = _painted(seed)
        camera = data.camera("table")
        focal = 1 / np.tan(np.radians(model.camera("table").fovy[0]) / 2)
        for number in range(2):
            box = data.geom(f"thing{number}")
            signs = np.array(np.meshgrid(*[(-1, 1)] * 3)).reshape(3, 8).T
            half = model.geom(f"thing{number}").size
            corners = box.xpos + signs * half @ box.xmat.reshape(3, 3).T
            seen = (corners - camera.xpos) @ camera.xmat.reshape(3, 3)
            assert np.abs(seen[:, :2] / -seen[:, 2:] * focal).max() < 1, seed


@pytest.mark.sim
def test_every_object_shows_its_colour_to_the_table_camera() -> None:
    for seed in range(40):
        scene = draw_scene(np.random.default_rng(seed))
        model, data = _painted(seed)
        image = renderer_for(model).render(data, "table", 96, 96).astype(float)
        hue = image / (image.max(axis=2, keepdims=True) + 1)
        for thing in scene.things:
            colour = np.array(COLOURS[thing.colour])
            near = np.abs(hue - colour / colour.max()).max(axis=2) < 0.22
            assert near.sum() > 70, (seed, thing)


@pytest.mark.sim
def test_a_scene_looks_the_same_whatever_was_painted_before() -> None:
    scene = draw_scene(np.random.default_rng(5))
    others = [
        seed
        for seed in range(6, 60)
        if draw_scene(np.random.default_rng(seed)).shapes == scene.shapes
    ]

    def picture() -> np.ndarray:
        model, data = _painted(5)
        return renderer_for(model).render(data, "table", 96, 96)

    before = picture()
    for seed in others:
        model, data = _painted(seed)
        assert not np.array_equal(renderer_for(model).render(data, "table", 96, 96), before)
    assert np.array_equal(picture(), before)
