import math

import numpy as np
import pytest
import torch

from octoverse.sinusoids import sinusoids


def test_positions_are_those_of_the_transformer() -> None:
    found = sinusoids(7, 6)
    for place in range(7):
        for channel in range(6):
            angle = place / 10_000 ** (2 * (channel // 2) / 6)
            expected = np.cos(angle) if channel % 2 else np.sin(angle)
            assert found[place, channel].item() == pytest.approx(expected, abs=1e-5)


def test_places_have_waves_of_their_own() -> None:
    waves = sinusoids(4, 5)
    assert waves.shape == (4, 5)
    assert torch.allclose(waves[0], torch.tensor([0.0, 1.0, 0.0, 1.0, 0.0]))
    assert torch.allclose(waves[2, :2], torch.tensor([math.sin(2), math.cos(2)]))
