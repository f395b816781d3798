"""The way back from noise to a chunk, as numbers worked out before the loop begins.

Source: Ho, Jain, Abbeel, "Denoising diffusion probabilistic models", 2020, equations 7 and 11
(DDPM); Song, Meng, Ermon, "Denoising diffusion implicit models", 2021, equation 12 with eta 0
(DDIM); Salimans and Ho, "Progressive distillation", 2022, section 4 and appendix D (v).
"""

from dataclasses import dataclass
from typing import Literal

from octoverse.readouts.noise_schedule import NoiseSchedule

Sampler = Literal["ddpm", "ddim"]
Predicted = Literal["epsilon", "x0", "v"]
Variance = Literal["beta", "posterior"]


@dataclass(frozen=True, kw_only=True)
class ReverseStep:
    """One step from the time `time` to the next one down; p is what the denoiser predicts.

    clean = from_noised x + from_predicted p; then, once it may have been clipped,
    next = keep_clean clean + keep_noised x + keep_predicted p + spread z, z standard normal.
    """

    time: int
    from_noised: float
    from_predicted: float
    keep_clean: float
    keep_noised: float
    keep_predicted: float
    spread: float
    level: float
    """Share alpha_hat of the variance at `time` that is the chunk's."""
    next_level: float
    """The same after the step; 1 after the last one."""

    @property
    def unclipped(self) -> tuple[float, float]:
        """What multiplies x and p if nothing happens to `clean`."""
        return (
            self.keep_clean * self.from_noised + self.keep_noised,
            self.keep_clean * self.from_predicted + self.keep_predicted,
        )


def reverse_steps(
    schedule: NoiseSchedule,
    count: int,
    *,
    sampler: Sampler,
    predict: Predicted,
    variance: Variance,
) -> tuple[ReverseStep, ...]:
    """The steps from pure noise to a chunk.

    Args:
        schedule: The one of training.
        count: How many steps; fewer than the schedule's leave times out evenly, from 0 up.
        sampler: ddpm adds noise in every step but the last, ddim in none.
        predict: What the denoiser predicts: the noise, the chunk, or v.
        variance: Of ddpm's noise: beta (Octo) or, smaller, that of the posterior (diffusers).
    """
    times = len(schedule.alpha_hats)
    if not 1 <= count <= times:
        raise ValueError(
            f"inference_steps must be 1 to {times}, the number of times of training, got {count}."
        )
    chosen = [number * times // count for number in range(count)]
    found = []
    for time, after in zip(reversed(chosen), [*reversed(chosen[:-1]), None], strict=True):
        level = float(schedule.alpha_hats[time])
        below = 1.0 if after is None else float(schedule.alpha_hats[after])
        clean, epsilon = _parts(level, predict)
        if sampler == "ddim":
            noise = (1 - below) ** 0.5
            keep = (below**0.5, noise * epsilon[0], noise * epsilon[1])
            spread = 0.0
        else:
            alpha = level / below
            share = (1 - alpha) / (1 - level)
            keep = (below**0.5 * share, alpha**0.5 * (1 - below) / (1 - level), 0.0)
            wide = 1 - alpha if variance == "beta" else share * (1 - below)
            spread = 0.0 if after is None else wide**0.5
        found.append(
            ReverseStep(
                time=time,
                from_noised=clean[0],
                from_predicted=clean[1],
                keep_clean=keep[0],
                keep_noised=keep[1],
                keep_predicted=keep[2],
                spread=spread,
                level=level,
                next_level=below,
            )
        )
    return tuple(found)


def _parts(level: float, predict: Predicted) -> tuple[tuple[float, float], tuple[float, float]]:
    """What the chunk and its noise are, as multiples of what is noised and what is predicted."""
    chunk, noise = level**0.5, (1 - level) ** 0.5
    if predict == "epsilon":
        return (1 / chunk, -noise / chunk), (0.0, 1.0)
    if predict == "x0":
        return (0.0, 1.0), (1 / noise, -chunk / noise)
    return (chunk, -noise), (noise, chunk)
