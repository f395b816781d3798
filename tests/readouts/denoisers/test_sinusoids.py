import math

import pytest
import torch

from octoverse.readouts.denoisers.sinusoids import sinusoids


def test_its_numbers_are_sines_then_cosines_from_fast_to_slow() -> None:
    times = [0, 1, 99]
    found = sinusoids(torch.tensor(times), 6)
    for time, row in zip(times, found.tolist(), strict=True):
        angles = [time, time / 100, time / 10_000]
        wanted = [math.sin(one) for one in angles] + [math.cos(one) for one in angles]
        assert row == pytest.approx(wanted, abs=1e-5)


def test_all_times_are_told_apart() -> None:
    found = sinusoids(torch.arange(1000), 32)
    apart = torch.cdist(found, found) + 9 * torch.eye(1000)
    assert apart.min() > 0.1
