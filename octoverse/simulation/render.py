"""Camera frames from MuJoCo, fast on a processor without a graphics card.

One GL context serves the whole process: making a second one after closing the first gives black
frames. Each model has one Renderer, whose one buffer serves every size and every MjData of that
model. Shadows, reflections, haze, skybox and multisampling are off, since software rendering
spends nearly all of its time on them; pictures for people ask for shadows.
"""

import atexit
import importlib
import os
import sys
import threading
import weakref
from collections.abc import Sequence
from typing import Any

import mujoco
import numpy as np

from octoverse.errors import OctoverseError

_BACKENDS = {
    "egl": "mujoco.egl",
    "osmesa": "mujoco.osmesa",
    "glfw": "mujoco.glfw",
    "cgl": "mujoco.cgl",
}
_DRIVER_CURE = (
    "On Debian or Ubuntu install one with: "
    "apt-get install libegl1 libgl1 libegl-mesa0 libgles2 (then MUJOCO_GL=egl, the default here)."
)
_OFF_FOR_ROBOTS = (
    mujoco.mjtRndFlag.mjRND_SHADOW,
    mujoco.mjtRndFlag.mjRND_REFLECTION,
    mujoco.mjtRndFlag.mjRND_HAZE,
    mujoco.mjtRndFlag.mjRND_SKYBOX,
)
_ON_FOR_PEOPLE = (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_SKYBOX)


class Renderer:
    """Renders the cameras of one model; make it with `renderer_for`."""

    def __init__(self, model: mujoco.MjModel) -> None:
        _make_current()
        model.vis.quality.offsamples = 0
        self._model = weakref.ref(model)
        self._scene = mujoco.MjvScene(model, maxgeom=1000)
        self._option = mujoco.MjvOption()
        self._camera = mujoco.MjvCamera()
        self._context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._context)

    def render(
        self,
        data: mujoco.MjData,
        camera: str,
        height: int,
        width: int,
        *,
        for_people: bool = False,
    ) -> np.ndarray:
        """What the named camera sees.

        Args:
            data: a state of this renderer's model, after mj_forward or mj_step.
            camera: name of a camera of the model.
            height: of the picture [pixels].
            width: of the picture [pixels].
            for_people: with shadows, sky and smooth edges; ten to twenty times slower.

        Returns:
            uint8 (height, width, 3), RGB.

        Raises:
            OctoverseError: if the picture is black, or this is not the process and thread that
                rendered first.
        """
        _check_owner()
        model = self._model()
        assert model is not None
        for flag in _OFF_FOR_ROBOTS:
            self._scene.flags[flag] = for_people and flag in _ON_FOR_PEOPLE
        self._camera.type = mujoco.mjtCamera.mjCAMERA_FIXED
        self._camera.fixedcamid = model.camera(camera).id
        mujoco.mjv_updateScene(
            model,
            data,
            self._option,
            None,
            self._camera,
            mujoco.mjtCatBit.mjCAT_ALL,
            self._scene,
        )
        scale = 2 if for_people else 1
        frame = self._draw(height * scale, width * scale)
        if for_people:
            rows = frame[0::2].astype(np.uint16) + frame[1::2]
            frame = ((rows[:, 0::2] + rows[:, 1::2] + 2) // 4).astype(np.uint8)
        check_not_black(frame, camera)
        return frame

    def _draw(self, height: int, width: int) -> np.ndarray:
        context = self._context
        if height > context.offHeight or width > context.offWidth:
            mujoco.mjr_resizeOffscreen(
                max(width, context.offWidth), max(height, context.offHeight), context
            )
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, context)
        area = mujoco.MjrRect(0, 0, width, height)
        frame = np.empty((height, width, 3), dtype=np.uint8)
        mujoco.mjr_render(area, self._scene, context)
        mujoco.mjr_readPixels(frame, None, area, context)
        return np.ascontiguousarray(frame[::-1])  # GL's first row is the lowest

    def upload_mesh(self, name: str) -> None:
        """Show a mesh as it stands in the model now, after its vertices were written anew."""
        _check_owner()
        model = self._model()
        assert model is not None
        mujoco.mjr_uploadMesh(model, self._context, model.mesh(name).id)

    def close(self) -> None:
        """Free what the renderer holds on the graphics side."""
        self._context.free()


_renderers: "weakref.WeakKeyDictionary[mujoco.MjModel, Renderer]" = weakref.WeakKeyDictionary()
_gl: Any = None
_owner: tuple[int, int] | None = None


def renderer_for(model: mujoco.MjModel) -> Renderer:
    """The one renderer of this model in this process, made at the first call.

    Raises:
        OctoverseError: if no GL driver can be loaded.
    """
    if model not in _renderers:
        _renderers[model] = Renderer(model)
    return _renderers[model]


def check_not_black(frame: np.ndarray, camera: str = "camera") -> None:
    """Raise OctoverseError if a frame, uint8 (h, w, 3), has nothing but black in it."""
    if not frame.any():
        raise OctoverseError(
            f"The frame of '{camera}' ({frame.shape[0]} x {frame.shape[1]}) is black, expected a "
            "scene. Look for a light and for a camera inside a geom; if both are right, a second "
            "GL context was opened in this process: render through octoverse.simulation.render."
        )


def check_not_frozen(frames: Sequence[np.ndarray], camera: str = "camera") -> None:
    """Raise OctoverseError if two or more frames, uint8 (h, w, 3) each, are all the same."""
    if len(frames) > 1 and all(np.array_equal(frames[0], frame) for frame in frames[1:]):
        raise OctoverseError(
            f"The {len(frames)} frames of '{camera}' are all the same, expected a moving scene. "
            "Look for a world that is not stepped, or a buffer that is stored without a copy."
        )


def _make_current() -> None:
    global _gl, _owner
    if _gl is not None:
        _check_owner()
        return
    # Threads of the software driver cost more than they give at camera sizes.
    os.environ.setdefault("LP_NUM_THREADS", "0")
    _gl = _open_context()
    _owner = (os.getpid(), threading.get_ident())
    atexit.register(_close)


def _open_context() -> Any:
    if "MUJOCO_GL" not in os.environ and sys.platform == "linux":
        os.environ["MUJOCO_GL"] = "egl"  # MuJoCo's own loader reads it too
    default = "cgl" if sys.platform == "darwin" else "glfw"
    backend = os.environ.get("MUJOCO_GL", default).lower()
    if backend not in _BACKENDS:
        raise OctoverseError(
            f"MUJOCO_GL: expected one of {', '.join(_BACKENDS)}, got '{backend}'. "
            "Unset it to take the default."
        )
    try:
        context = importlib.import_module(_BACKENDS[backend]).GLContext(640, 480)
        context.make_current()
    except Exception as error:  # each backend fails in its own way without a driver
        raise OctoverseError(
            f"No GL driver: the cameras need '{backend}', which cannot be opened ({error}). "
            + _DRIVER_CURE
        ) from error
    return context


def _check_owner() -> None:
    here = (os.getpid(), threading.get_ident())
    if here != _owner:
        raise OctoverseError(
            f"Rendering began in process {_owner and _owner[0]}, thread {_owner and _owner[1]}, "
            f"and was asked for in process {here[0]}, thread {here[1]}. A GL context stays where "
            "it was opened: make worlds in the process that steps them (start it with 'spawn')."
        )


def _close() -> None:
    global _gl
    if _owner != (os.getpid(), threading.get_ident()):
        return
    for renderer in list(_renderers.values()):
        renderer.close()
    _renderers.clear()
    _gl.free()
    _gl = None
