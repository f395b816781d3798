import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from octoverse.readouts.noise_schedule import squared_cosine


@pytest.mark.parametrize("steps", [1, 20, 100, 1000])
def test_the_shares_are_those_of_nichol_and_dhariwal(steps: int) -> None:
    def kept(time: float) -> float:
        return math.cos((time + 0.008) / 1.008 * math.pi / 2) ** 2

    made = squared_cosine(steps)
    assert len(made.betas) == steps
    for number in range(steps):
        largest = float(np.float32(0.999))
        wanted = min(1 - kept((number + 1) / steps) / kept(number / steps), largest)
        assert made.betas[number] == pytest.approx(wanted, rel=1e-9)
    whole = [kept((number + 1) / steps) / kept(0) for number in range(steps - 1)]
    assert made.alpha_hats[:-1].tolist() == pytest.approx(whole, rel=1e-9)
    assert made.alpha_hats[-1] < 1e-2


def test_it_is_octo_s(real_data: Callable[[str], Path]) -> None:
    told, made = np.load(real_data("octo_parity_tiny") / "outputs.npz"), squared_cosine(20)
    for name in ("betas", "alphas", "alpha_hats"):
        np.testing.assert_allclose(getattr(made, name), told[f"head/{name}"], rtol=1e-4, atol=0)


def test_no_times_are_refused() -> None:
    with pytest.raises(ValueError, match=r"a noise schedule needs at least 1 step, got 0\."):
        squared_cosine(0)
