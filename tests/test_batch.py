from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from octoverse.batch import batch_of, measured, newest
from octoverse.data.windows import StackedWindows
from octoverse.embodiments.fourier_gr1 import FOURIER_GR1
from octoverse.embodiments.passenger_car import PASSENGER_CAR
from octoverse.episode import Observation
from octoverse.errors import SpecMismatch
from octoverse.synthetic import random_frame

ARM, CAR = "tabletop_arm", "road_car"
CPU = torch.device("cpu")


def test_acting_and_training_stack_the_same_streams(small: ModuleType) -> None:
    windows = [small.window(CAR, n, 2) for n in (1, 2, 3)]
    acting = batch_of(small.BODIES[CAR], [w.observation for w in windows], CPU)
    training = small.batch(CAR, [1, 2, 3], 2)
    assert acting.streams.keys() == training.streams.keys()
    for name, one in acting.streams.items():
        other = training.streams[name]
        assert torch.equal(one.valid, other.valid)
        if isinstance(one.values, tuple):
            assert one.values == other.values
        else:
            assert one.values.dtype == other.values.dtype
            assert torch.equal(one.values, other.values)
    assert len(acting) == len(training) == 3
    assert acting.action == {}


def test_every_seed_and_step_has_its_own_number(small: ModuleType) -> None:
    seen = small.window(ARM, 1).observation
    many = [replace(seen, seed=s, step=t) for s in (0, 1, 2**62) for t in range(5)]
    seeds = batch_of(small.BODIES[ARM], many, CPU).seeds
    assert seeds.dtype == torch.int64
    assert len(set(seeds.tolist())) == 15
    negative = batch_of(small.BODIES[ARM], [replace(seen, seed=-3)], CPU).seeds
    assert negative.item() >= 0


def test_what_is_invalid_becomes_zero_and_the_given_arrays_stay_as_they_are(
    small: ModuleType,
) -> None:
    seen = small.window(ARM, 1, 2).observation
    seen.streams["tool"][0] = np.nan
    seen.valid["tool"][0] = seen.valid["wrist"][1] = False
    seen.valid["instruction"][:] = False
    batch = batch_of(small.BODIES[ARM], [seen, small.window(ARM, 3, 2).observation], CPU)
    assert not batch.streams["tool"].values[0, 0].any()
    assert batch.streams["tool"].values[0, 1].any()
    assert not batch.streams["wrist"].values[0, 1].any()
    assert batch.streams["instruction"].values[0] == ""
    assert batch.streams["instruction"].values[1] != ""
    assert np.isnan(seen.streams["tool"][0]).all()
    stacked = StackedWindows.from_windows([small.window(ARM, 1, 2)])
    stacked.valid["tool"][:] = False
    small.training_batch(small.BODIES[ARM], stacked, CPU)
    assert stacked.streams["tool"].any()


def test_numbers_of_double_precision_become_single(small: ModuleType) -> None:
    seen = small.window(ARM, 1).observation
    double = {**seen.streams, "tool": seen.streams["tool"].astype(np.float64)}
    batch = batch_of(small.BODIES[ARM], [replace(seen, streams=double)], CPU)
    assert batch.streams["tool"].values.dtype == torch.float32


def test_the_newest_command_is_its_index_and_minus_one_where_none_is_given() -> None:
    seen = [
        Observation(
            embodiment="passenger_car",
            streams={"command": np.array([3, 2])},
            valid={"command": np.array([True, given])},
            observed_at_ns=0,
        )
        for given in (True, False)
    ]
    found = newest(PASSENGER_CAR, batch_of(PASSENGER_CAR, seen, CPU))
    assert found["command"].tolist() == [2, -1]


def test_the_newest_numbers_are_those_of_the_last_frame(small: ModuleType) -> None:
    windows = [small.window(CAR, n, 3).observation for n in (1, 2)]
    found = newest(small.BODIES[CAR], batch_of(small.BODIES[CAR], windows, CPU))
    assert set(found) == {"speed", "ego_history"}
    assert found["speed"][1, 0] == float(windows[1].streams["speed"][-1, 0])
    assert found["ego_history"].shape == (2, 8, 3)


def test_commands_keep_their_numbers() -> None:
    frame = random_frame(PASSENGER_CAR, np.random.default_rng(0))
    streams = {k: v if isinstance(v, str) else np.asarray(v)[None] for k, v in frame.items()}
    seen = Observation(
        embodiment="passenger_car", streams=streams, valid={k: np.ones(1, bool) for k in streams}
    )
    batch = batch_of(PASSENGER_CAR, [seen, seen], CPU)
    assert batch.streams["command"].values.dtype == torch.int64
    assert batch.streams["command"].values.tolist() == [[int(frame["command"])]] * 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tool": np.zeros((1, 4), np.float32)}, r"tool: expected \(t, \*\(5,\)\), got \(1, 4\)"),
        ({"tool": np.zeros(5, np.float32)}, r"tool: expected \(t, \*\(5,\)\), got \(5,\)"),
        ({"table": np.zeros((1, 16, 16), np.uint8)}, r"table: expected \(t, .*got \(1, 16, 16\)"),
        ({"table": np.zeros((1, 16, 16, 3), np.float32)}, "expected uint8 images, got float32"),
        ({"table": np.zeros((1, 8, 16, 3), np.uint8)}, r"of one shape, got \(1, 16, 16, 3\) and"),
        ({"tool": np.zeros((2, 5), np.float32)}, r"got \(1, 5\) and \(2, 5\), with 1 steps mar"),
        ({"instruction": 3}, r"instruction: expected words \(str\), got int"),
    ],
)
def test_a_window_that_does_not_fit_the_body_is_refused(
    small: ModuleType, changes: dict[str, Any], words: str
) -> None:
    seen = small.window(ARM, 1).observation
    wrong = replace(seen, streams={**seen.streams, **changes})
    with pytest.raises(SpecMismatch, match=words):
        batch_of(small.BODIES[ARM], [seen, wrong], CPU)


def test_a_stream_that_only_some_windows_have_is_refused(small: ModuleType) -> None:
    seen = small.window(ARM, 1).observation
    fewer = {k: v for k, v in seen.streams.items() if k != "wrist"}
    words = "wrist: expected it in every window or in none, got it in 2 of 3"
    with pytest.raises(SpecMismatch, match=words):
        batch_of(small.BODIES[ARM], [seen, replace(seen, streams=fewer), seen], CPU)
    none = batch_of(small.BODIES[ARM], [replace(seen, streams=fewer)], CPU)
    assert "wrist" not in none.streams


def test_a_hidden_stream_is_seen_by_nobody_and_codecs_may_refer_to_it(small: ModuleType) -> None:
    stacked = StackedWindows.from_windows([small.window(CAR, n) for n in (1, 2)])
    stacked = replace(stacked, hidden={"speed": np.array([True, False])})
    batch = small.training_batch(small.BODIES[CAR], stacked, CPU)
    assert batch.streams["speed"].valid.tolist() == [[False], [True]]
    assert newest(small.BODIES[CAR], batch)["speed"][:, 0].all()


def test_what_an_action_is_measured_to_be_now_comes_from_the_state_of_its_name(
    small: ModuleType,
) -> None:
    def seen(arm: float, valid: bool) -> Observation:
        streams = {
            "left_arm": np.full((2, 7), [[0.0], [arm]]),
            "left_hand": np.full((2, 6), 9.0),
        }
        valids = {"left_arm": np.array([True, valid]), "left_hand": np.ones(2, bool)}
        return Observation(embodiment="fourier_gr1", streams=streams, valid=valids)

    batch = batch_of(FOURIER_GR1, [seen(1.5, True), seen(2.5, False)], CPU)
    now = measured(FOURIER_GR1, ("left_arm", "left_hand"), batch)
    assert now is not None and now.shape == (2, 13)
    assert (now[0, :7] == 1.5).all() and now[1, :7].isnan().all()
    assert now[:, 7:].isnan().all()  # a hand's command is no joint angle, as its names say
    assert measured(FOURIER_GR1, ("left_hand", "right_arm"), batch) is None
