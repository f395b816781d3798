"""A six-joint arm above a table with coloured objects: what every tabletop task shares."""

from math import hypot
from typing import Any, ClassVar

import gymnasium
import mujoco
import numpy as np

from octoverse import registry
from octoverse.embodiment import Camera, Embodiment
from octoverse.episode import Action
from octoverse.simulation.render import renderer_for
from octoverse.simulation.tabletop_expert import Moment
from octoverse.simulation.tabletop_kinematics import (
    JOINTS,
    ToolPose,
    joints_for,
    pose_from_site,
    wrapped,
)
from octoverse.simulation.tabletop_scene import (
    SHAPES,
    Scene,
    Thing,
    draw_scene,
    model_for,
    painter_for,
)
from octoverse.simulation.world import Expert

HOME = ToolPose(0.30, 0.0, 0.22, 0.0)
HOME_SPREAD = ToolPose(0.02, 0.03, 0.02, 0.15)
WORKSPACE = ToolPose(0.24, -0.24, 0.016, -1.35), ToolPose(0.60, 0.24, 0.30, 1.35)
LEASH = ToolPose(0.04, 0.04, 0.04, 0.35)
"""How far the commanded pose may run ahead of the measured one."""
FINGER_TRAVEL = 0.040
SUBSTEPS = 5
RAMP = (0.5, 1.0, 1.0, 1.0)
"""Share of the way to the new joint angles in each part of a control step; then it settles."""
APPROACHED = 0.04
APPROACHED_HEIGHT = 0.07
"""The tool is at an object when it is this near sideways and this low [m]."""


class Tabletop(gymnasium.Env[dict[str, Any], Action]):
    """Act on the object named by the instruction, among objects of other colours.

    A task says its phrases, when it is done, and how an expert acts. Numbers of an action beyond
    the body's limits saturate, as in the arm's own controller. `info` holds "success" and, as
    floats, "distance" (tool to the named object, sideways [m]), "height" (of the named object
    above its rest [m]), "touched" (whether some object has been approached closely), and
    "right_object" (whether the first such was the named one).
    """

    # Gymnasium declares metadata as an instance variable.
    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012
    phrases: ClassVar[tuple[str, ...]]
    held_steps: ClassVar[int] = 3
    """How many steps in a row the goal must hold."""

    def __init__(self, *, cameras: bool = True, render_mode: str | None = "rgb_array") -> None:
        """Make the world; without cameras, observations have no images and steps cost less."""
        self.embodiment: Embodiment = registry.load("embodiment", "tabletop_arm")
        self.render_mode = render_mode
        self.action_space = self.embodiment.action_space
        self._cameras = self.embodiment.cameras if cameras else {}
        self.observation_space = gymnasium.spaces.Dict(
            {
                name: space
                for name, space in self.embodiment.observation_space.items()
                if cameras or not isinstance(self.embodiment.observation[name], Camera)
            }
        )
        self._limits = np.array(self.embodiment.action["arm"].high)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Lay a new scene and name one of its objects."""
        super().reset(seed=seed)
        self.scene: Scene = draw_scene(self.np_random)
        self.named = int(self.np_random.integers(len(self.scene.things)))
        phrase = self.phrases[int(self.np_random.integers(len(self.phrases)))]
        self.instruction = phrase.format(self.scene.things[self.named].words)
        spread = self.np_random.uniform(-1, 1, 4) * HOME_SPREAD
        self._commanded = ToolPose(*(np.array(HOME) + spread).tolist())
        self._first_touched: int | None = None
        self._held = 0
        self._lay()
        return self._observation(), self._info(False)

    def step(self, action: Action) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Move the commanded pose and the fingers for a tenth of a second.

        Raises:
            SpecMismatch: if the action has the wrong groups or shape, or is not finite.
        """
        arm, opening = self._saturated(action)
        leash, tool = np.array(LEASH), np.array(self.tool)
        goal = np.array(self._commanded) + arm
        goal = np.clip(np.clip(goal, tool - leash, tool + leash), *WORKSPACE)
        self._commanded = ToolPose(*goal.tolist())
        before, after = self._data.ctrl[: len(JOINTS)].copy(), joints_for(self._commanded)
        self._data.ctrl[len(JOINTS)] = opening * FINGER_TRAVEL
        for share in RAMP:
            self._data.ctrl[: len(JOINTS)] = before + share * (after - before)
            mujoco.mj_step(self._model, self._data, nstep=SUBSTEPS)
        mujoco.mj_kinematics(self._model, self._data)
        touched = self._touched()
        if self._first_touched is None:
            self._first_touched = touched
        self._held = self._held + 1 if self._at_goal() else 0
        success = self._held >= self.held_steps
        ended = success or self._failed()
        return self._observation(), float(success), ended, False, self._info(success)

    def render(self) -> np.ndarray:
        """The picture for people, uint8 (480, 640, 3)."""
        return self.view(480, 640)

    def view(self, height: int, width: int) -> np.ndarray:
        """The arm and its table from the side, uint8 (height, width, 3)."""
        self._paint()
        renderer = renderer_for(self._model)
        return renderer.render(self._data, "people", height, width, for_people=True)

    def expert(self) -> Expert:
        """A scripted expert that looks at the true state of this world."""
        return lambda: self._act(self._moment())

    @property
    def tool(self) -> ToolPose:
        """The measured pose of the tool."""
        return pose_from_site(self._data.site_xpos[self._site], self._data.site_xmat[self._site])

    @property
    def opening(self) -> float:
        """The measured opening of the gripper, 1 = open, 0 = closed."""
        return float(self._data.qpos[self._fingers].mean()) / FINGER_TRAVEL

    def pose_of(self, number: int) -> ToolPose:
        """The true pose of one object: its centre, and its yaw."""
        w, x, y, z = self._data.xquat[self._bodies[number]].tolist()
        yaw = float(np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z)))
        place = self._data.xpos[self._bodies[number]].tolist()
        return ToolPose(place[0], place[1], place[2], yaw)

    def _act(self, moment: Moment) -> Action:
        raise NotImplementedError

    def _at_goal(self) -> bool:
        raise NotImplementedError

    def _failed(self) -> bool:
        return False

    def _height(self) -> float:
        thing = self.scene.things[self.named]
        return self.pose_of(self.named).z - SHAPES[thing.shape].half_size[2]

    def _distance(self, number: int) -> float:
        tool, thing = self.tool, self.pose_of(number)
        return hypot(tool.x - thing.x, tool.y - thing.y)

    def _touched(self) -> int | None:
        if self.tool.z > APPROACHED_HEIGHT:
            return None
        distances = [self._distance(number) for number in range(len(self.scene.things))]
        nearest = int(np.argmin(distances))
        return nearest if distances[nearest] < APPROACHED else None

    def _lay(self) -> None:
        self._model = model_for(self.scene.shapes)
        self._data = mujoco.MjData(self._model)
        self._site = self._model.site("tool").id
        self._bodies = [self._model.body(f"thing{i}").id for i in range(len(self.scene.things))]
        self._fingers = [self._model.joint(f"{s}_finger").qposadr[0] for s in ("left", "right")]
        joints = joints_for(self._commanded)
        for name, angle in zip(JOINTS, joints, strict=True):
            self._data.joint(name).qpos = angle
        self._data.qpos[self._fingers] = FINGER_TRAVEL
        self._data.ctrl[: len(JOINTS)] = joints
        self._data.ctrl[len(JOINTS)] = FINGER_TRAVEL
        for number, thing in enumerate(self.scene.things):
            self._data.joint(f"thing{number}").qpos = _resting(thing)
        mujoco.mj_forward(self._model, self._data)

    def _saturated(self, action: Action) -> tuple[np.ndarray, float]:
        within = {}
        for name, value in action.items():
            group = self.embodiment.action.get(name)
            same = group is not None and np.shape(value) == (group.size,)
            within[name] = np.clip(value, group.low, group.high) if group and same else value
        self.embodiment.check_action(within)
        arm = np.asarray(within["arm"], dtype=np.float32)  # as it is recorded, to replay alike
        return arm.astype(float), float(np.float32(within["gripper"][0]))

    def _paint(self) -> None:
        painter_for(self.scene.shapes).paint(self.scene, self._data)

    def _observation(self) -> dict[str, Any]:
        seen: dict[str, Any] = {}
        if self._cameras:
            self._paint()
            renderer = renderer_for(self._model)
            for name, camera in self._cameras.items():
                seen[name] = renderer.render(self._data, name, camera.height, camera.width)
        seen["tool"] = np.array([*self.tool, self.opening], dtype=np.float32)
        seen["instruction"] = self.instruction
        return seen

    def _info(self, success: bool) -> dict[str, Any]:
        return {
            "success": success,
            "distance": self._distance(self.named),
            "height": self._height(),
            "touched": float(self._first_touched is not None),
            "right_object": float(self._first_touched == self.named),
        }

    def _moment(self) -> Moment:
        return Moment(
            tool=self.tool,
            opening=self.opening,
            target=self.pose_of(self.named),
            shape=SHAPES[self.scene.things[self.named].shape],
            gripper_width=2 * FINGER_TRAVEL,
        )


def _resting(thing: Thing) -> np.ndarray:
    half = wrapped(thing.yaw) / 2
    height = SHAPES[thing.shape].half_size[2]
    return np.array([thing.x, thing.y, height, np.cos(half), 0.0, 0.0, np.sin(half)])
