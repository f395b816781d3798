from typing import Any

import pytest

from octoverse.data.delivery import deliveries
from octoverse.data.weighted import Weighted
from octoverse.data.windows import StackedWindows, WindowSpec
from octoverse.embodiment import Embodiment
from octoverse.errors import BadConfig
from octoverse.preprocess import Preprocess, PreprocessConfig

PREPROCESS = Preprocess(PreprocessConfig(height=8, width=10))


def spec(body: Embodiment) -> WindowSpec:
    return WindowSpec(frames=2, horizon=4, streams=("front", "speed"))


def test_sizes_shares_and_epochs_are_told(made_data: Any) -> None:
    first, second = made_data.MadeDrives(), made_data.MadeDrives(name="b", sizes=(30,))
    entries = [
        Weighted(source=first, weight=3.0),
        Weighted(source=second, weight=1.0, per_episode=10),
    ]
    one, other = deliveries(entries, spec, PREPROCESS)
    assert (one.source, one.embodiment) == ("made_drives", "passenger_car")
    assert (one.episodes, one.frames, one.drawn) == (3, 15, 15)
    assert one.hours == pytest.approx(1.5 / 3600)
    assert (one.share, other.share) == (0.75, 0.25)
    assert (other.frames, other.drawn) == (30, 10)
    assert one.epochs(1000) == 50 and other.epochs(1000) == 25
    assert one.frame_bytes == 8 * 10 * 3


def test_a_sample_is_as_large_as_it_will_be(made_data: Any) -> None:
    from octoverse.data.source import body_of

    source = made_data.MadeDrives()
    (one,) = deliveries([Weighted(source=source)], spec, PREPROCESS)
    body = body_of(source)
    assert one.sample_bytes == StackedWindows.empty(body, spec(body), PREPROCESS, 1).nbytes


def test_no_source_is_refused() -> None:
    with pytest.raises(BadConfig, match="A mixture needs at least one source, got none"):
        deliveries([], spec, PREPROCESS)
