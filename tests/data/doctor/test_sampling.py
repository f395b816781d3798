import numpy as np

from octoverse.data.doctor.sampling import evenly, series
from octoverse.episode import Episode


def test_even_samples_have_both_ends() -> None:
    assert evenly(10, 4) == [0, 3, 6, 9]
    assert evenly(3, 100) == [0, 1, 2]
    assert evenly(5, 0) == [0]


def test_what_is_not_valid_is_no_number() -> None:
    episode = Episode(
        embodiment="rc_car",
        source="made",
        key="0",
        times_ns=np.arange(3),
        observation={},
        action={"pedals": np.ones((3, 2), np.float32)},
        action_valid={"pedals": np.array([True, False, True])},
    )
    found = series(episode, "action", "pedals")
    assert found is not None and found.dtype == np.float64
    assert np.isnan(found).all(axis=1).tolist() == [False, True, False]
    assert series(episode, "action", "arm") is None
