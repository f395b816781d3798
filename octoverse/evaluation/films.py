"""Which episodes of an evaluation to film again, and the picture that comes of them."""

from collections.abc import Sequence

import numpy as np

from octoverse.evaluation.evaluate import Evaluation
from octoverse.evaluation.film import FilmConfig
from octoverse.evaluation.fleet import Fleet
from octoverse.evaluation.report import Shown
from octoverse.evaluation.robot import Done, Job
from octoverse.evaluation.rollout import Rollout

_LONG = 100
"""An episode of more control steps is filmed in time-lapse."""
_LAPSE = 4
_GAP = 8
"""Pixels between the parts of the picture."""


def film(evaluation: Evaluation, fleet: Fleet) -> tuple[list[Shown], np.ndarray]:
    """Play a success of each row again, and its first failure, with a camera beside it.

    Args:
        evaluation: Has an episode of every environment.
        fleet: Plays them.

    Returns:
        The films, and one wide picture with every body, uint8 (height, width, 3).
    """
    jobs = film_jobs(evaluation)
    done = [said for said in fleet.play(jobs) if isinstance(said, Done)]
    done.sort(key=lambda one: jobs.index(one.job))
    films, portraits = [], []
    for one in done:
        assert one.film is not None and one.job.film is not None
        if one.film.portrait is not None:
            portraits.append(one.film.portrait)
        films.append(
            Shown(
                film=one.film,
                row=one.job.environment.row,
                instruction=one.rollout.instruction,
                success=one.rollout.success,
                faster=one.job.film.every,
            )
        )
    return films, side_by_side(portraits)


def film_jobs(evaluation: Evaluation) -> list[Job]:
    """One job for each film; one of each body's keeps a large picture."""
    chosen = [_chosen(evaluation.of(spec), row) for row, spec in enumerate(evaluation.specs)]
    portrayed = _portrayed(evaluation, chosen)
    jobs = []
    for spec, rollouts in zip(evaluation.specs, chosen, strict=True):
        for found in rollouts:
            every = _LAPSE if found.steps > _LONG else 1
            # A short task is best seen when it is nearly done, a long one on its way.
            telling = found.steps - 1 if every == 1 else found.steps // (3 * every) * every
            portrait_at = telling if found in portrayed else None
            jobs.append(
                Job(
                    environment=spec,
                    seed=found.seed,
                    execute=evaluation.execute,
                    film=FilmConfig(every=every, portrait_at=portrait_at),
                )
            )
    return jobs


def side_by_side(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Lay pictures of one height beside each other, with white between them."""
    gap = np.full((pictures[0].shape[0], _GAP, 3), 255, np.uint8)
    parts = [part for picture in pictures for part in (gap, picture)]
    return np.concatenate(parts[1:], axis=1)


def _chosen(rollouts: Sequence[Rollout], row: int) -> list[Rollout]:
    """What to film of a row: a success, if there is one, and the first failure, if there is one.

    The tasks of one world share their scenes, so each row takes a later success than the last.
    """
    successes = [one for one in rollouts if one.success]
    failures = [one for one in rollouts if not one.success]
    return successes[: row + 1][-1:] + failures[:1]


def _portrayed(evaluation: Evaluation, chosen: Sequence[Sequence[Rollout]]) -> list[Rollout]:
    """For each body the episode to show: of its longest task, a success if there is one."""
    found: dict[str, tuple[float, Rollout]] = {}
    for spec, rollouts in zip(evaluation.specs, chosen, strict=True):
        successes = [one.steps for one in evaluation.of(spec) if one.success]
        length = float(np.mean(successes or [0]))
        if spec.embodiment not in found or length > found[spec.embodiment][0]:
            found[spec.embodiment] = (length, rollouts[0])
    return [rollout for _, rollout in found.values()]
