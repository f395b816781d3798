"""What lies on the table and how the light falls, drawn at random; and the model that holds it."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from math import hypot

import mujoco
import numpy as np

COLOURS = {
    "red": (0.86, 0.08, 0.08),
    "green": (0.06, 0.62, 0.16),
    "blue": (0.07, 0.22, 0.90),
    "yellow": (0.96, 0.80, 0.04),
}
OBJECTS = 2
CENTRE_X = (0.36, 0.52)
CENTRE_Y = (-0.15, 0.15)
APART = 0.135
"""Least distance [m] between two objects' centres: room for the open gripper beside a block."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One kind of object, a box."""

    word: str
    half_size: tuple[float, float, float]
    """Half the length along x, y and z at yaw 0 [m]; the gripper closes along y."""
    symmetry: float
    """The turn [rad] after which it looks and grasps the same."""
    yaw_limit: float
    """How far [rad] it is turned from yaw 0, less than half its symmetry."""
    mass: float


SHAPES = {
    "cube": Shape(
        word="cube",
        half_size=(0.0225, 0.0225, 0.0225),
        symmetry=np.pi / 2,
        yaw_limit=0.60,
        mass=0.06,
    ),
    "block": Shape(
        word="long block",
        half_size=(0.060, 0.021, 0.0225),
        symmetry=np.pi,
        yaw_limit=1.05,
        mass=0.08,
    ),
}


@dataclass(frozen=True, kw_only=True)
class Thing:
    """One object on the table."""

    colour: str
    shape: str
    x: float
    y: float
    yaw: float

    @property
    def words(self) -> str:
        """What people call it, such as "red cube"."""
        return f"{self.colour} {SHAPES[self.shape].word}"


@dataclass(frozen=True, kw_only=True)
class Look:
    """What differs from scene to scene for the eye alone."""

    table: tuple[float, ...]
    tint: tuple[float, ...]
    brightness: float
    light_shift: tuple[float, ...]
    camera_shift: tuple[float, ...]
    camera_turn: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Everything random about one episode but the instruction's wording."""

    things: tuple[Thing, ...]
    look: Look

    @property
    def shapes(self) -> tuple[str, ...]:
        """The shapes of the things, in their order."""
        return tuple(thing.shape for thing in self.things)


def draw_scene(random: np.random.Generator) -> Scene:
    """Draw a scene: objects of different colours, far enough apart to be grasped."""
    colours = random.permutation(list(COLOURS))[:OBJECTS]
    places: list[tuple[float, float]] = []
    while len(places) < OBJECTS:
        x, y = float(random.uniform(*CENTRE_X)), float(random.uniform(*CENTRE_Y))
        if all(hypot(x - other_x, y - other_y) > APART for other_x, other_y in places):
            places.append((x, y))
    things = []
    for colour, (x, y) in zip(colours, places, strict=True):
        shape = str(random.choice(list(SHAPES)))
        yaw = float(random.uniform(-1, 1)) * SHAPES[shape].yaw_limit
        things.append(Thing(colour=str(colour), shape=shape, x=x, y=y, yaw=yaw))
    return Scene(things=tuple(things), look=_draw_look(random))


def _draw_look(random: np.random.Generator) -> Look:
    wood, grey = np.array([0.72, 0.66, 0.58]), np.array([0.62, 0.64, 0.66])
    table = wood + random.uniform(0, 1) * (grey - wood) + random.uniform(-0.12, 0.04)
    return Look(
        table=tuple((table + random.uniform(-0.03, 0.03, 3)).tolist()),
        tint=tuple(random.uniform(0.93, 1.0, 3).tolist()),
        brightness=float(random.uniform(0.85, 1.05)),
        light_shift=tuple(random.uniform(-0.3, 0.3, 3).tolist()),
        camera_shift=tuple(random.uniform(-0.012, 0.012, 3).tolist()),
        camera_turn=tuple(random.uniform(-0.012, 0.012, 3).tolist()),
    )


@cache
def model_for(shapes: tuple[str, ...]) -> mujoco.MjModel:
    """The compiled arm, table and objects; one model serves all scenes of these shapes."""
    with as_file(files("octoverse.simulation") / "assets" / "tabletop.xml") as path:
        spec = mujoco.MjSpec.from_file(str(path))
    for number, shape in enumerate(shapes):
        body = spec.worldbody.add_body(name=f"thing{number}")
        body.add_freejoint(name=f"thing{number}")
        body.add_geom(
            name=f"thing{number}",
            type=mujoco.mjtGeom.mjGEOM_BOX,
            size=SHAPES[shape].half_size,
            mass=SHAPES[shape].mass,
            condim=4,
            friction=[1.2, 0.02, 0.001],
            solref=[0.01, 1.0],
        )
    return spec.compile()


class Painter:
    """Writes a scene's look into its shared model, which keeps its own as the middle."""

    def __init__(self, model: mujoco.MjModel) -> None:
        self._model = model
        self._table = model.camera("table").id
        self._camera = model.cam_pos[self._table].copy(), model.cam_quat[self._table].copy()
        self._light_pos, self._light = model.light_pos.copy(), model.light_diffuse.copy()

    def paint(self, scene: Scene, data: mujoco.MjData) -> None:
        """Make the model look like `scene` for what is rendered from `data` next."""
        model, look = self._model, scene.look
        for number, thing in enumerate(scene.things):
            model.geom(f"thing{number}").rgba[:3] = COLOURS[thing.colour]
        model.mat("table").rgba[:3] = look.table
        model.light_diffuse[:] = self._light * np.array(look.tint) * look.brightness
        model.light_pos[0] = self._light_pos[0] + look.light_shift
        model.cam_pos[self._table] = self._camera[0] + look.camera_shift
        turn = np.empty(4)
        mujoco.mju_euler2Quat(turn, np.array(look.camera_turn), "xyz")
        mujoco.mju_mulQuat(model.cam_quat[self._table], self._camera[1], turn)
        mujoco.mj_camlight(model, data)


@cache
def painter_for(shapes: tuple[str, ...]) -> Painter:
    """The one painter of the model of these shapes."""
    return Painter(model_for(shapes))
