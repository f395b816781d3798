"""What the road looks like: one compiled model whose meshes are written anew for each episode.

Compiling a model per episode would cost more than driving it. So the model holds one pool of
triangles per colour; an episode writes its road, trees and houses into the pools and uploads them.
"""

from colorsys import hsv_to_rgb
from pathlib import Path

import mujoco
import numpy as np

from octoverse.simulation import road_shapes as shapes
from octoverse.simulation.render import renderer_for
from octoverse.simulation.road_geometry import BEHIND, BEYOND, LANE_WIDTH, LENGTH, Road

POOLS = {
    "shoulder": 400,
    "asphalt": 400,
    "marking": 1600,
    "post": 700,
    "trunk": 500,
    "leaf": 2000,
    "needle": 2600,
    "wall": 100,
    "roof": 60,
    "horizon": 60,
    "haze": 60,
    "sky": 100,
}
"""How many triangles each colour can hold."""
RIGHT, MIDDLE, LEFT = -LANE_WIDTH / 2, LANE_WIDTH / 2, 1.5 * LANE_WIDTH
"""Offsets [m] of the carriageway's edges and of the line between its two lanes."""
TREES, HOUSES = 46, 6
HEAVEN = ("horizon", "haze", "sky")


def compile_model() -> mujoco.MjModel:
    """Compile the road world with empty pools."""
    spec = mujoco.MjSpec.from_file(str(Path(__file__).parent / "assets" / "road.xml"))
    for name, size in POOLS.items():
        corners = np.tile(np.eye(3), (size, 1))  # any shape with an area compiles
        spec.add_mesh(
            name=name,
            uservert=corners.ravel(),
            userface=np.arange(size * 3),
            inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL,
        )
        heavenly = name in HEAVEN
        body = spec.body("car") if heavenly else spec.worldbody
        body.add_geom(
            name=name,
            type=mujoco.mjtGeom.mjGEOM_MESH,
            meshname=name,
            material="glow" if heavenly else "matt",
            contype=0,
            conaffinity=0,
        )
    model = spec.compile()
    for name in POOLS:
        # The compiler moves a mesh to its centre of mass; what is written later is not moved.
        geom = model.geom(name).id
        model.geom_pos[geom], model.geom_quat[geom] = 0, (1, 0, 0, 0)
        model.geom_sameframe[geom] = mujoco.mjtSameFrame.mjSAMEFRAME_NONE
        _write(model, name, np.zeros((0, 3, 3)))
    return model


def furnish(model: mujoco.MjModel, road: Road, random: np.random.Generator) -> None:
    """Draw one episode's world into the model: geometry, colours and light."""
    _paint(model, random)
    for name, triangles in _triangles(road, random).items():
        _write(model, name, triangles)


def upload(model: mujoco.MjModel) -> None:
    """Hand the pools to the graphics side; needed once after `furnish`, before rendering."""
    renderer = renderer_for(model)
    for name in POOLS:
        renderer.upload_mesh(name)


def _write(model: mujoco.MjModel, name: str, triangles: np.ndarray) -> None:
    mesh = model.mesh(name)
    room = POOLS[name]
    if len(triangles) > room:
        raise ValueError(f"pool '{name}' holds {room} triangles, got {len(triangles)}.")
    padded = np.zeros((room, 3, 3))
    padded[: len(triangles)] = triangles
    first = mesh.vertadr[0]
    model.mesh_vert[first : first + room * 3] = padded.reshape(-1, 3)


def _triangles(road: Road, random: np.random.Generator) -> dict[str, np.ndarray]:
    along, end = (-BEHIND, LENGTH + BEYOND), LENGTH + BEYOND
    lines = [
        shapes.ribbon(road, along, (RIGHT + 0.05, RIGHT + 0.3), 0.03, 1.5),
        shapes.ribbon(road, along, (LEFT - 0.3, LEFT - 0.05), 0.03, 1.5),
        shapes.dashes(road, along, (MIDDLE - 0.11, MIDDLE + 0.11), 0.03, 3.0, 4.5),
    ]
    places = np.arange(-BEHIND + 5, end, 24.0)
    sides = np.concatenate([road.aside(places, RIGHT - 0.9), road.aside(places, LEFT + 0.9)])
    count = len(sides)
    heading = np.tile(road.pose_at(places)[:, 2], 2)
    post = shapes.block((0.12, 0.12, 1.0))
    found = {
        "shoulder": shapes.ribbon(road, along, (RIGHT - 0.7, LEFT + 0.7), 0.01, 1.5),
        "asphalt": shapes.ribbon(road, along, (RIGHT, LEFT), 0.02, 1.5),
        "marking": np.concatenate(lines),
        "post": shapes.place(post, sides, heading, np.ones((count, 3))),
    }
    return found | _trees(road, random) | _houses(road, random) | _dome()


def _free_places(
    road: Road, random: np.random.Generator, count: int, near: float, far: float
) -> tuple[np.ndarray, np.ndarray]:
    """Up to `count` points (k, 2) beside the road and clear of all of it, and headings (k,)."""
    distance = random.uniform(-BEHIND, LENGTH + BEYOND, 2 * count)
    side = random.choice([-1.0, 1.0], 2 * count)
    offset = LANE_WIDTH / 2 + side * (LANE_WIDTH + near + (far - near) * random.random(2 * count))
    points = road.aside(distance, offset)
    centre = road.aside(road.distance[::8], LANE_WIDTH / 2)
    gap = np.hypot(*(points[:, None] - centre).transpose(2, 0, 1)).min(axis=1)
    clear = np.flatnonzero(gap > LANE_WIDTH + near - 0.5)[:count]
    return points[clear], road.pose_at(distance[clear])[:, 2]


def _trees(road: Road, random: np.random.Generator) -> dict[str, np.ndarray]:
    points, _ = _free_places(road, random, TREES, 3.0, 26.0)
    heading = random.uniform(0, 2 * np.pi, len(points))
    size = random.uniform(0.7, 1.35, len(points))
    scale = np.stack([size, size, size * random.uniform(0.85, 1.25, len(points))], axis=-1)
    leafy = random.random(len(points)) < random.uniform(0.2, 0.8)
    crown = np.array([[0.3, 1.7], [1.7, 2.6], [1.9, 3.8], [1.1, 5.2], [0.0, 5.7]])
    firs = np.array([[1.6, 1.0], [0.55, 2.9], [1.25, 2.7], [0.4, 4.4], [0.9, 4.2], [0.0, 6.4]])
    trunk = shapes.turned(np.array([[0.22, 0.0], [0.16, 2.2]]), 5)
    return {
        "trunk": shapes.place(trunk, points, heading, scale),
        "leaf": _some(shapes.turned(crown, 6), points, heading, scale, leafy, POOLS["leaf"]),
        "needle": _some(shapes.turned(firs, 6), points, heading, scale, ~leafy, POOLS["needle"]),
    }


def _some(
    shape: np.ndarray,
    points: np.ndarray,
    heading: np.ndarray,
    scale: np.ndarray,
    chosen: np.ndarray,
    room: int,
) -> np.ndarray:
    # In a wood of one kind the last few trees stay bare; room for all would slow every frame.
    chosen = np.flatnonzero(chosen)[: room // len(shape)]
    return shapes.place(shape, points[chosen], heading[chosen], scale[chosen])


def _houses(road: Road, random: np.random.Generator) -> dict[str, np.ndarray]:
    points, heading = _free_places(road, random, HOUSES, 9.0, 24.0)
    scale = random.uniform(0.8, 1.3, (len(points), 3))
    return {
        "wall": shapes.place(shapes.block((9.0, 7.0, 3.4)), points, heading, scale),
        "roof": shapes.place(shapes.gable((9.8, 8.0, 2.6), 3.4), points, heading, scale),
    }


def _dome() -> dict[str, np.ndarray]:
    # Seen from inside, so the corners run the other way; it travels with the car.
    rings = {
        "horizon": np.array([[260.0, -8.0], [258.0, 20.0]]),
        "haze": np.array([[258.0, 20.0], [250.0, 48.0]]),
        "sky": np.array([[250.0, 48.0], [190.0, 150.0], [0.0, 200.0]]),
    }
    return {name: shapes.turned(ring, 24)[:, ::-1] for name, ring in rings.items()}


def _paint(model: mujoco.MjModel, random: np.random.Generator) -> None:
    def colour(name: str, hue: float, saturation: float, value: float, spread: float) -> None:
        shift = random.uniform(-1, 1, 3) * spread
        hsv = np.array([hue, saturation, value]) + shift * [0.25, 1, 1]
        rgb = hsv_to_rgb(hsv[0] % 1, *np.clip(hsv[1:], 0, 1))
        model.geom(name).rgba = (*rgb, 1)

    colour("ground", 0.27, 0.5, 0.62, 0.16)
    colour("shoulder", 0.1, 0.22, 0.5, 0.08)
    colour("asphalt", 0.6, 0.05, 0.36, 0.08)
    colour("marking", 0.14, 0.04, 0.95, 0.04)
    colour("post", 0.0, 0.0, 0.92, 0.04)
    colour("trunk", 0.07, 0.45, 0.35, 0.08)
    colour("leaf", 0.26, 0.55, 0.5, 0.2)
    colour("needle", 0.36, 0.5, 0.38, 0.1)
    colour("wall", 0.1, 0.15, 0.85, 0.12)
    colour("roof", 0.03, 0.55, 0.5, 0.16)
    blue = random.uniform(0.08, 0.42)
    colour("horizon", 0.57, 0.3 * blue, 0.97, 0.02)
    colour("haze", 0.57, 0.65 * blue, 0.95, 0.02)
    colour("sky", 0.58, blue, 0.92, 0.04)
    azimuth, slant = random.uniform(0, 2 * np.pi), random.uniform(0.3, 0.9)
    sun = model.light("sun")
    sun.dir = np.array([slant * np.cos(azimuth), slant * np.sin(azimuth), -1.0])
    sun.dir /= np.linalg.norm(sun.dir)
    sun.diffuse = random.uniform(0.45, 0.7) * np.array([1.0, 0.98, 0.94])
    ambient = random.uniform(0.4, 0.55)
    model.vis.headlight.ambient[:] = ambient * np.array([0.97, 0.98, 1.02])
