from collections.abc import Callable

import numpy as np

from octoverse import registry
from octoverse.evaluation.evaluate import Evaluation
from octoverse.evaluation.films import film_jobs, side_by_side
from octoverse.evaluation.rollout import Rollout

LIFT, REACH, LANE = (
    registry.load("environment", name) for name in ("tabletop-lift", "tabletop-reach", "road-lane")
)


def test_each_row_shows_a_success_in_a_scene_of_its_own_and_its_first_failure(
    rollout: Callable[..., Rollout],
) -> None:
    evaluation = Evaluation([REACH, LIFT, LANE], 4)
    for spec, successes, steps in (
        (REACH, (True, True, True, True), 12),
        (LIFT, (False, True, False, True), 19),
        (LANE, (False, False, False, False), 300),
    ):
        for seed, success in enumerate(successes):
            evaluation.of(spec).append(rollout(seed=seed, success=success, steps=steps))
    jobs = film_jobs(evaluation)
    assert [(job.environment.row, job.seed) for job in jobs] == [
        ("arm/reach", 0),
        ("arm/lift", 3),
        ("arm/lift", 0),
        ("car/lane", 0),
    ]
    films = [job.film for job in jobs]
    assert [film.every for film in films if film] == [1, 1, 1, 4]
    # One picture of each body: the longest task's success, or else what there is.
    assert [film.portrait_at for film in films if film] == [None, 18, None, 100]


def test_pictures_lie_beside_each_other_with_white_between() -> None:
    black = np.zeros((10, 20, 3), np.uint8)
    made = side_by_side([black, black])
    assert made.shape == (10, 48, 3)
    assert (made[:, 20:28] == 255).all() and not made[:, :20].any() and not made[:, 28:].any()
    np.testing.assert_array_equal(side_by_side([black]), black)
