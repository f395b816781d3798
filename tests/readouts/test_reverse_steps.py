import math

import pytest

from octoverse.readouts.noise_schedule import NoiseSchedule, squared_cosine
from octoverse.readouts.reverse_steps import Predicted, Sampler, Variance, reverse_steps

SCHEDULE = squared_cosine(100)
PREDICTED: tuple[Predicted, ...] = ("epsilon", "x0", "v")


def walk(
    schedule: NoiseSchedule,
    count: int,
    sampler: Sampler,
    predict: Predicted,
    truth: float,
    variance: Variance = "beta",
) -> list[tuple[float, float]]:
    """Noised number and level at each step, where the denoiser knows the truth."""
    x, seen = 1.7, []
    for step in reverse_steps(schedule, count, sampler=sampler, predict=predict, variance=variance):
        seen.append((x, step.level))
        chunk, noise = math.sqrt(step.level), math.sqrt(1 - step.level)
        epsilon = (x - chunk * truth) / noise
        predicted = {"epsilon": epsilon, "x0": truth, "v": chunk * epsilon - noise * truth}[predict]
        clean = step.from_noised * x + step.from_predicted * predicted
        assert clean == pytest.approx(truth, abs=1e-9)
        of_noised, of_predicted = step.unclipped
        at_once = of_noised * x + of_predicted * predicted
        x = step.keep_clean * clean + step.keep_noised * x + step.keep_predicted * predicted
        assert at_once == pytest.approx(x, abs=1e-9)
    return [*seen, (x, 1.0)]


@pytest.mark.parametrize("predict", PREDICTED)
@pytest.mark.parametrize("count", [1, 7, 10, 100])
@pytest.mark.parametrize("sampler", ["ddpm", "ddim"])
def test_a_denoiser_that_knows_the_truth_ends_there(
    sampler: Sampler, count: int, predict: Predicted
) -> None:
    assert walk(SCHEDULE, count, sampler, predict, 0.3)[-1][0] == pytest.approx(0.3, abs=1e-9)


@pytest.mark.parametrize("predict", PREDICTED)
def test_ddim_keeps_the_noise_that_it_foresees(predict: Predicted) -> None:
    way = walk(SCHEDULE, 10, "ddim", predict, 0.3)
    noises = [(x - math.sqrt(level) * 0.3) / math.sqrt(1 - level) for x, level in way[:-1]]
    assert noises == pytest.approx([noises[0]] * 10)


@pytest.mark.parametrize("variance", ["beta", "posterior"])
def test_every_ddpm_step_is_the_posterior_of_ho(variance: Variance) -> None:
    """Equations 6 and 7, and the two choices of section 3.2."""
    kept, betas = SCHEDULE.alpha_hats.numpy(), SCHEDULE.betas.numpy()
    steps = reverse_steps(SCHEDULE, 100, sampler="ddpm", predict="x0", variance=variance)
    assert [step.time for step in steps] == list(range(99, -1, -1))
    for step in steps:
        t, beta = step.time, betas[step.time]
        below = kept[t - 1] if t else 1.0
        narrow = beta * (1 - below) / (1 - kept[t])
        wanted = {"beta": beta, "posterior": narrow}[variance] if t else 0.0
        assert step.spread**2 == pytest.approx(wanted, rel=1e-6)
        assert step.keep_clean == pytest.approx(math.sqrt(below) * beta / (1 - kept[t]), rel=1e-6)
        of_noised = math.sqrt(1 - beta) * (1 - below) / (1 - kept[t])
        assert step.keep_noised == pytest.approx(of_noised, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("variance", ["beta", "posterior"])
def test_a_step_over_many_leaves_as_much_noise_as_its_level_says(variance: Variance) -> None:
    """Exact for the posterior where the chunk is known, and for beta where it is noise alone."""
    steps = reverse_steps(SCHEDULE, 7, sampler="ddpm", predict="x0", variance=variance)
    assert [step.time for step in steps] == [85, 71, 57, 42, 28, 14, 0]
    for step in steps[:-1]:
        spread = step.keep_noised**2 * (1 - step.level) + step.spread**2
        if variance == "beta":
            clean = step.keep_clean * step.level**0.5 + step.keep_noised
            spread = clean**2 + step.spread**2
            assert spread == pytest.approx(1, rel=1e-9)
        else:
            assert spread == pytest.approx(1 - step.next_level, rel=1e-9)


def test_octo_s_step_is_one_of_these() -> None:
    """Its mean is (x - (1 - alpha) / sqrt(1 - alpha_hat) noise) / sqrt(alpha)."""
    schedule = squared_cosine(20)
    for step in reverse_steps(schedule, 20, sampler="ddpm", predict="epsilon", variance="beta"):
        alpha, kept = schedule.alphas[step.time].item(), schedule.alpha_hats[step.time].item()
        of_noised, of_noise = step.unclipped
        assert of_noised == pytest.approx(alpha**-0.5, rel=1e-6)
        assert of_noise == pytest.approx(-(alpha**-0.5) * (1 - alpha) / (1 - kept) ** 0.5, rel=1e-6)


@pytest.mark.parametrize("count", [0, 101])
def test_more_steps_than_times_or_none_are_refused(count: int) -> None:
    words = f"inference_steps must be 1 to 100, the number of times of training, got {count}"
    with pytest.raises(ValueError, match=words):
        reverse_steps(SCHEDULE, count, sampler="ddim", predict="v", variance="beta")
