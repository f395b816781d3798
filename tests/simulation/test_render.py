"""Tests for octoverse/simulation/render.py."""

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from typing import Any

import mujoco
import numpy as np
import pytest

from octoverse.errors import OctoverseError
from octoverse.simulation import render

SCENE = """
<mujoco>
  <worldbody>
    <light pos="0 0 3"/>
    <geom type="plane" size="2 2 .1" rgba=".5 .6 .5 1"/>
    <body name="box" pos="0 0 .5">
      <freejoint/>
      <geom type="box" size=".2 .2 .2" rgba="1 0 0 1"/>
    </body>
    <camera name="front" pos="0 -2 1.5" xyaxes="1 0 0 0 .6 .8"/>
    <camera name="down" pos="0 0 3"/>
  </worldbody>
</mujoco>
"""


@pytest.fixture(scope="module")
def model() -> mujoco.MjModel:
    return mujoco.MjModel.from_xml_string(SCENE)


@pytest.fixture
def data(model: mujoco.MjModel) -> mujoco.MjData:
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    return data


@pytest.mark.sim
def test_a_frame_is_rgb_and_upright(model: mujoco.MjModel, data: mujoco.MjData) -> None:
    data.qpos[0] = 0.5  # to the right of the image
    data.qpos[2] = 0.8  # in its upper half
    mujoco.mj_forward(model, data)
    frame = render.renderer_for(model).render(data, "front", 96, 128)
    assert frame.shape == (96, 128, 3)
    assert frame.dtype == np.uint8
    rows, columns = np.nonzero((frame[..., 0] > 100) & (frame[..., 1] < 50))
    assert rows.mean() < 48
    assert columns.mean() > 64


@pytest.mark.sim
def test_one_renderer_serves_every_size_and_state_of_a_model(
    model: mujoco.MjModel, data: mujoco.MjData
) -> None:
    renderer = render.renderer_for(model)
    before = renderer.render(data, "down", 64, 64)
    other = mujoco.MjData(model)
    other.qpos[0] = 0.5
    mujoco.mj_forward(model, other)
    assert renderer.render(data, "front", 700, 900).shape == (700, 900, 3)
    assert not np.array_equal(renderer.render(other, "down", 64, 64), before)
    assert np.array_equal(renderer.render(data, "down", 64, 64), before)
    assert render.renderer_for(model) is renderer


@pytest.mark.sim
def test_two_models_render_in_turn(model: mujoco.MjModel, data: mujoco.MjData) -> None:
    blue = mujoco.MjModel.from_xml_string(SCENE.replace("1 0 0 1", "0 0 1 1"))
    blue_data = mujoco.MjData(blue)
    mujoco.mj_forward(blue, blue_data)
    for _ in range(3):
        red_frame = render.renderer_for(model).render(data, "down", 64, 64)
        blue_frame = render.renderer_for(blue).render(blue_data, "down", 64, 64)
        assert int(red_frame[32, 32, 0]) > int(red_frame[32, 32, 2]) + 50
        assert int(blue_frame[32, 32, 2]) > int(blue_frame[32, 32, 0]) + 50


@pytest.mark.sim
def test_pictures_for_people_have_shadows(model: mujoco.MjModel, data: mujoco.MjData) -> None:
    data.qpos[2] = 0.8
    mujoco.mj_forward(model, data)
    renderer = render.renderer_for(model)
    plain = renderer.render(data, "front", 96, 96)
    nice = renderer.render(data, "front", 96, 96, for_people=True)
    again = renderer.render(data, "front", 96, 96)
    assert nice.shape == plain.shape
    darkened = plain.astype(int) - nice
    assert (darkened.max(axis=2) > 20).sum() > 100
    assert np.array_equal(plain, again)


@pytest.mark.sim
def test_a_frame_for_robots_is_drawn_once_without_what_is_slow_in_software(
    model: mujoco.MjModel, data: mujoco.MjData, monkeypatch: pytest.MonkeyPatch
) -> None:
    renderer, draw, read = render.renderer_for(model), mujoco.mjr_render, mujoco.mjr_readPixels
    done: list[str] = []

    def drawn(area: mujoco.MjrRect, scene: mujoco.MjvScene, context: mujoco.MjrContext) -> None:
        on = [flag.name for flag in render._OFF_FOR_ROBOTS if scene.flags[flag]]
        done.append(f"{area.width} x {area.height} {on} {context.offSamples}")
        draw(area, scene, context)

    def pixels(*given: Any) -> None:
        done.append("read")
        read(*given)

    monkeypatch.setattr(mujoco, "mjr_render", drawn)
    monkeypatch.setattr(mujoco, "mjr_readPixels", pixels)
    for _ in range(2):
        renderer.render(data, "front", 96, 128)
    assert done == ["128 x 96 [] 0", "read"] * 2
    assert len(render._OFF_FOR_ROBOTS) == 4
    assert os.environ["LP_NUM_THREADS"] == "0"


@pytest.mark.sim
@pytest.mark.slow  # a figure of a machine that does nothing else
def test_a_core_renders_150_frames_a_second(model: mujoco.MjModel, data: mujoco.MjData) -> None:
    renderer = render.renderer_for(model)
    renderer.render(data, "front", 128, 128)
    start = time.process_time()
    for _ in range(150):
        renderer.render(data, "front", 128, 128)
    assert time.process_time() - start < 1.0


@pytest.mark.sim
def test_a_black_frame_is_refused(model: mujoco.MjModel) -> None:
    dark = mujoco.MjModel.from_xml_string(
        SCENE.replace('<light pos="0 0 3"/>', "").replace(
            "<worldbody>",
            '<visual><headlight diffuse="0 0 0" ambient="0 0 0" specular="0 0 0"/></visual>'
            "<worldbody>",
        )
    )
    data = mujoco.MjData(dark)
    mujoco.mj_forward(dark, data)
    with pytest.raises(OctoverseError, match=r"The frame of 'front' \(8 x 9\) is black"):
        render.renderer_for(dark).render(data, "front", 8, 9)


def test_a_frozen_sequence_is_refused() -> None:
    frame = np.full((4, 4, 3), 7, dtype=np.uint8)
    with pytest.raises(OctoverseError, match="The 3 frames of 'wrist' are all the same"):
        render.check_not_frozen([frame, frame.copy(), frame.copy()], "wrist")
    render.check_not_frozen([frame])
    render.check_not_frozen([frame, frame + 1, frame])


@pytest.mark.sim
def test_another_thread_is_refused(model: mujoco.MjModel, data: mujoco.MjData) -> None:
    renderer = render.renderer_for(model)
    caught: list[Exception] = []

    def work() -> None:
        try:
            renderer.render(data, "front", 8, 8)
        except OctoverseError as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert "A GL context stays where it was opened" in str(caught[0])


def _run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    prelude = f"import mujoco\nSCENE = '''{SCENE}'''\n"
    return subprocess.run(
        [sys.executable, "-c", prelude + code],
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )


RENDER = """
from octoverse.simulation.render import renderer_for
model = mujoco.MjModel.from_xml_string(SCENE)
data = mujoco.MjData(model)
mujoco.mj_forward(model, data)
print(renderer_for(model).render(data, "front", 32, 32).shape)
"""


@pytest.mark.sim
def test_a_process_renders_without_settings_and_ends_without_noise() -> None:
    done = _run(RENDER)
    assert done.stdout == "(32, 32, 3)\n"
    assert done.stderr == ""
    assert done.returncode == 0


def test_a_missing_driver_is_named_with_its_cure() -> None:
    hide = "import sys\nsys.modules['mujoco.egl'] = None\n"
    done = _run(hide + RENDER)
    assert "No GL driver: the cameras need 'egl', which cannot be opened" in done.stderr
    assert "apt-get install libegl1 libgl1 libegl-mesa0 libgles2" in done.stderr


def test_an_unknown_backend_is_refused() -> None:
    code = "from octoverse.simulation.render import _open_context\n_open_context()"
    done = _run("import os\nos.environ['MUJOCO_GL'] = 'vulkan'\n" + code)
    assert "MUJOCO_GL: expected one of egl, osmesa, glfw, cgl, got 'vulkan'" in done.stderr


@pytest.mark.sim
def test_a_forked_child_is_refused(model: mujoco.MjModel, data: mujoco.MjData) -> None:
    code = (
        RENDER
        + """
import os
from octoverse.errors import OctoverseError
if os.fork() == 0:
    try:
        renderer_for(model).render(data, "front", 32, 32)
    except OctoverseError as error:
        print(error, flush=True)
    os._exit(0)
os.wait()
"""
    )
    assert "make worlds in the process that steps them (start it with 'spawn')" in _run(code).stdout


def _frame_in_a_process(number: int) -> int:
    model = mujoco.MjModel.from_xml_string(SCENE)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    return int(render.renderer_for(model).render(data, "front", 32, 32).max())


@pytest.mark.sim
def test_parallel_processes_render_each_for_itself() -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert min(pool.map(_frame_in_a_process, range(4))) > 50
