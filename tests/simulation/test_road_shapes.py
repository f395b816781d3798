import numpy as np
import pytest

from octoverse.simulation import road_shapes as shapes
from octoverse.simulation.road_geometry import draw_road, lay_out

STRAIGHT = lay_out(np.zeros(1200))


def areas(triangles: np.ndarray) -> np.ndarray:
    return np.linalg.norm(normals(triangles), axis=1) / 2


def normals(triangles: np.ndarray) -> np.ndarray:
    return np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])


def volume(triangles: np.ndarray) -> float:
    return float(np.linalg.det(triangles).sum() / 6)


def test_a_ribbon_covers_its_band_and_faces_up() -> None:
    road = draw_road(np.random.default_rng(0))
    band = shapes.ribbon(road, (0.0, 60.0), (-1.0, 2.0), 0.1, 1.0)
    assert (normals(band)[:, 2] > 0).all()
    assert (band[..., 2] == 0.1).all()
    _, offset = road.locate(band.reshape(-1, 3)[:, :2])
    assert offset.min() == pytest.approx(-1.0, abs=0.01)
    assert offset.max() == pytest.approx(2.0, abs=0.01)
    straight = shapes.ribbon(STRAIGHT, (0.0, 60.0), (-1.0, 2.0), 0.1, 1.0)
    assert areas(straight).sum() == pytest.approx(180.0)


def test_dashes_leave_gaps() -> None:
    line = shapes.dashes(STRAIGHT, (0.0, 75.0), (0.0, 0.2), 0.0, 3.0, 4.5)
    assert areas(line).sum() == pytest.approx(10 * 3.0 * 0.2)
    x = line[..., 0]
    assert not ((x > 3.1) & (x < 7.4)).any()


def test_a_turned_cylinder_faces_outward() -> None:
    tube = shapes.turned(np.array([[2.0, 0.0], [2.0, 3.0]]), 64)
    middle = tube.mean(axis=1)
    assert (np.sum(normals(tube)[:, :2] * middle[:, :2], axis=1) > 0).all()
    assert areas(tube).sum() == pytest.approx(2 * np.pi * 2 * 3, rel=0.01)


def test_a_turned_cone_has_no_triangle_without_an_area() -> None:
    cone = shapes.turned(np.array([[1.0, 0.0], [0.0, 2.0]]), 8)
    assert len(cone) == 8 and areas(cone).min() > 0.1


def test_a_block_and_a_roof_hold_their_volume() -> None:
    # A floor at height 0 adds nothing to the sum, so the open block counts as closed.
    assert volume(shapes.block((2.0, 3.0, 4.0))) == pytest.approx(24.0)
    assert volume(shapes.gable((4.0, 6.0, 2.0), 3.0)) == pytest.approx(24.0)


def test_copies_are_scaled_turned_and_moved() -> None:
    one = shapes.block((2.0, 1.0, 1.0))
    points = np.array([[10.0, 0.0], [0.0, 20.0]])
    heading, scale = np.array([0.0, np.pi / 2]), np.array([[1.0, 1, 1], [2.0, 1, 3]])
    both = shapes.place(one, points, heading, scale).reshape(2, -1, 3)
    np.testing.assert_allclose(both[0].min(axis=0), [9.0, -0.5, 0.0])
    np.testing.assert_allclose(both[1].min(axis=0), [-0.5, 18.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(both[1].max(axis=0), [0.5, 22.0, 3.0], atol=1e-12)
