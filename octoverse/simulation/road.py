"""The Road world: drive a car along its lane on a road drawn at random.

Geometry, vehicle, tracker, expert and looks each have a file of their own (road_*.py); a new task
brings another road or another end and keeps the rest.
"""

from collections import deque
from typing import Any, cast

import gymnasium
import mujoco
import numpy as np

from octoverse.embodiment import EgoHistory, Waypoints
from octoverse.motion import compose, relative
from octoverse.simulation.render import renderer_for
from octoverse.simulation.road_expert import RoadExpert
from octoverse.simulation.road_geometry import LANE_WIDTH, LENGTH, draw_road
from octoverse.simulation.road_scenery import compile_model, furnish, upload
from octoverse.simulation.road_tracker import PathTracker
from octoverse.simulation.road_vehicle import SteeringNoise, Vehicle, VehicleLimits
from octoverse.simulation.world import EnvironmentSpec, Expert

LANE = EnvironmentSpec(
    name="road-lane",
    gym_id="octoverse/RoadLane-v0",
    embodiment="road_car",
    max_steps=400,
    row="car/lane",
)
INSTRUCTION = "follow your lane"
SUBSTEPS = 5
ROAD_CAR = LANE.body
HISTORY = cast(EgoHistory, ROAD_CAR.observation["ego_history"])
PATH = cast(Waypoints, ROAD_CAR.action["path"])


class RoadLane(gymnasium.Env[dict[str, Any], dict[str, Any]]):
    """Reach the end of 200 m of road with all four wheels in the right-hand lane.

    The action's path is tracked by pure pursuit for one control step. `info` of every step holds
    "success" (bool) and, as floats, "off_road" (1 when a wheel has left the lane, which ends the
    episode), "progress" (share of the road), "lateral_error" [m], "acceleration" [m/s^2], "jerk"
    [m/s^3] and "lateral_acceleration" [m/s^2]. The reward is the progress made, less 1 on leaving.

    Args:
        cameras: Whether to render; without, observations lack the camera streams.
        offset: Whether episodes start beside the lane's centre, askew and at any speed.
        disturbance: Strength of the pushes that the steering gets; 0 is none, 1 is for
            demonstrations.
        render_mode: None or "rgb_array", a picture from behind the car.
    """

    # Gymnasium declares it an instance variable.
    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012

    def __init__(
        self,
        *,
        cameras: bool = True,
        offset: bool = False,
        disturbance: float = 0.0,
        render_mode: str | None = None,
    ) -> None:
        self.embodiment = ROAD_CAR
        self.render_mode = render_mode
        self.offset, self.disturbance = offset, disturbance
        self.cameras = tuple(ROAD_CAR.cameras) if cameras else ()
        space = ROAD_CAR.observation_space
        hidden = set(ROAD_CAR.cameras) - set(self.cameras)
        self.observation_space = gymnasium.spaces.Dict(
            {name: part for name, part in space.items() if name not in hidden}
        )
        self.action_space = ROAD_CAR.action_space
        self.tracker = PathTracker(hz=PATH.hz)
        self._model: mujoco.MjModel | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Draw a road and put the car at its start.

        Args:
            seed: Decides everything random about the episode.
            options: "offset" and "disturbance" override the constructor's for this episode.
        """
        super().reset(seed=seed)
        chosen = {"offset": self.offset, "disturbance": self.disturbance} | (options or {})
        if unknown := set(chosen) - {"offset", "disturbance"}:
            raise ValueError(
                f"options of a reset must be among offset and disturbance, got {sorted(unknown)}."
            )
        # One stream each, so that a road looks the same with and without disturbance.
        road, looks, start, noise = self.np_random.spawn(4)
        self.road = draw_road(road)
        self.driver = RoadExpert(self.road)
        self.noise = SteeringNoise(random=noise, scale=float(chosen["disturbance"]))
        self.vehicle = self._start(start if chosen["offset"] else None)
        self._looks, self._furnished = looks, False
        # Until it has a past of its own, the car came straight on at its present speed.
        self._poses = deque(self._straight_past(), maxlen=HISTORY.steps)
        return self._observe(), self._measure(0.0)

    def step(
        self, action: dict[str, Any]
    ) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Track the path for one control step of 0.1 s."""
        ROAD_CAR.check_action(action)
        vehicle, before = self.vehicle, self.vehicle.acceleration
        done = self._progress()
        steering, acceleration = self.tracker.command(action["path"], vehicle.speed)
        steering += self.noise.next()
        for _ in range(SUBSTEPS):
            vehicle.drive(steering, acceleration, 1 / ROAD_CAR.control_hz / SUBSTEPS)
        self._poses.append(vehicle.pose)
        info = self._measure((vehicle.acceleration - before) * ROAD_CAR.control_hz)
        reward = info["progress"] - done - info["off_road"]
        ended = bool(info["success"] or info["off_road"])
        return self._observe(), float(reward), ended, False, info

    def _start(self, random: np.random.Generator | None) -> Vehicle:
        vehicle = Vehicle(limits=VehicleLimits(), speed=self.driver.speed_at(0.0))
        while random is not None:
            vehicle.y, vehicle.heading = random.normal(0, 0.5), random.normal(0, 0.1)
            vehicle.speed = random.uniform(3.0, 9.0)
            if np.abs(self.road.locate(vehicle.wheels)[1]).max() < LANE_WIDTH / 2 - 0.35:
                break
        return vehicle

    def expert(self) -> Expert:
        """The scripted driver; it sees the road's true course and the car's true state."""
        return lambda: {"path": self.expert_path()}

    def expert_path(self) -> np.ndarray:
        """The driver's plan from the present state, float32 (30, 3) in the rear-axle frame.

        It is the truth that a prediction is measured against: see motion.average_displacement.
        """
        plan = self.driver.plan(self.vehicle.pose, self.vehicle.speed, PATH.steps, PATH.hz)
        return plan.astype(np.float32)

    def view(self, height: int, width: int) -> np.ndarray:
        """From behind and above the car, uint8 (height, width, 3)."""
        return self._picture("chase", height, width, for_people=True)

    def render(self) -> np.ndarray | None:
        """The same as `view`, 480 x 640, if render_mode is "rgb_array"."""
        return self.view(480, 640) if self.render_mode == "rgb_array" else None

    def _straight_past(self) -> list[np.ndarray]:
        pose, step = self.vehicle.pose, self.vehicle.speed / HISTORY.hz
        back = [np.array([-step * i, 0.0, 0.0]) for i in reversed(range(HISTORY.steps))]
        return [compose(pose, past) for past in back]

    def _observe(self) -> dict[str, Any]:
        streams: dict[str, Any] = {}
        for name in self.cameras:
            size = ROAD_CAR.cameras[name]
            streams[name] = self._picture(name, size.height, size.width)
        past = relative(self.vehicle.pose, np.stack(self._poses))
        return streams | {
            "ego_history": past.astype(np.float32),
            "speed": np.array([self.vehicle.speed], dtype=np.float32),
            "instruction": INSTRUCTION,
        }

    def _measure(self, jerk: float) -> dict[str, Any]:
        vehicle = self.vehicle
        _, offsets = self.road.locate(np.concatenate([vehicle.pose[None, :2], vehicle.wheels]))
        off_road = bool(np.abs(offsets[1:]).max() > LANE_WIDTH / 2)
        progress = self._progress()
        return {
            "success": progress >= 1.0 and not off_road,
            "off_road": float(off_road),
            "progress": progress,
            "lateral_error": float(abs(offsets[0])),
            "acceleration": vehicle.acceleration,
            "jerk": jerk,
            "lateral_acceleration": vehicle.lateral_acceleration,
        }

    def _progress(self) -> float:
        distance, _ = self.road.locate(self.vehicle.pose[None, :2])
        return float(np.clip(distance[0] / LENGTH, 0.0, 1.0))

    def _picture(
        self, camera: str, height: int, width: int, *, for_people: bool = False
    ) -> np.ndarray:
        if self._model is None:
            self._model = compile_model()
            self._data = mujoco.MjData(self._model)
        if not self._furnished:
            furnish(self._model, self.road, self._looks)
            upload(self._model)
            self._furnished = True
        vehicle, data = self.vehicle, self._data
        data.mocap_pos[0] = vehicle.x, vehicle.y, 0
        data.mocap_quat[0] = np.cos(vehicle.heading / 2), 0, 0, np.sin(vehicle.heading / 2)
        mujoco.mj_kinematics(self._model, data)
        mujoco.mj_camlight(self._model, data)
        renderer = renderer_for(self._model)
        return renderer.render(data, camera, height, width, for_people=for_people)
