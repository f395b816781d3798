from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from octoverse.data.cutting import Cutter, cut, cut_all
from octoverse.data.opened import OpenedEpisode
from octoverse.data.pictures import picture_of
from octoverse.data.variation import Variation
from octoverse.data.windows import StackedWindows, WindowSpec
from octoverse.embodiment import Camera, Embodiment, GoalImage
from octoverse.episode import Episode
from octoverse.errors import BadData, UnknownName
from octoverse.preprocess import Preprocess, PreprocessConfig
from octoverse.registry import load
from octoverse.session import Session

ARM: Embodiment = load("embodiment", "tabletop_arm")
CAR: Embodiment = load("embodiment", "road_car")
SMALL = Preprocess(PreprocessConfig(height=8, width=8))


def arm(steps: int = 6) -> Episode:
    at = np.arange(steps, dtype=np.float32)
    return Episode(
        embodiment="tabletop_arm",
        source="made",
        key="0",
        times_ns=np.arange(steps) * 100_000_000,
        observation={
            "table": np.full((steps, 8, 8, 3), at[:, None, None, None], np.uint8),
            "tool": np.repeat(at[:, None], 5, axis=1),
            "instruction": [f"word {i}" for i in range(steps)],
        },
        action={"arm": np.repeat(at[:, None], 4, axis=1), "gripper": at[:, None]},
    )


def test_frames_before_the_start_are_zero_and_invalid() -> None:
    window = cut(arm(), 4, ARM, WindowSpec(frames=4, spacing=2), SMALL)
    assert window.observation.valid["tool"].tolist() == [False, True, True, True]
    assert window.observation.streams["tool"][:, 0].tolist() == [0, 0, 2, 4]
    assert window.observation.streams["table"][:, 0, 0, 0].tolist() == [0, 0, 2, 4]
    assert window.observation.observed_at_ns == 400_000_000


def test_the_first_frame_stands_for_a_place_half_a_spacing_early() -> None:
    window = cut(arm(), 3, ARM, WindowSpec(frames=3, spacing=2), SMALL)
    assert window.observation.valid["tool"].tolist() == [True, True, True]
    assert window.observation.streams["tool"][:, 0].tolist() == [0, 1, 3]


def test_a_chunk_starts_now_and_is_masked_after_the_end() -> None:
    window = cut(arm(6), 4, ARM, WindowSpec(horizon=4), SMALL)
    assert window.action["arm"][:, 0].tolist() == [4, 5, 0, 0]
    assert window.action_valid["arm"].tolist() == [True, True, False, False]


def test_groups_may_have_horizons_of_their_own() -> None:
    window = cut(arm(), 0, ARM, WindowSpec(horizon=4, horizons={"gripper": 2}), SMALL)
    assert window.action["arm"].shape == (4, 4)
    assert window.action["gripper"].shape == (2, 1)


def test_a_stream_that_the_recording_lacks_is_invalid_throughout() -> None:
    window = cut(arm(), 2, ARM, WindowSpec(frames=2), SMALL)
    assert window.observation.streams["wrist"].shape == (2, 8, 8, 3)
    assert not window.observation.valid["wrist"].any()


def test_the_newest_words_are_the_instruction() -> None:
    window = cut(arm(), 5, ARM, WindowSpec(frames=2), SMALL)
    assert window.observation.streams["instruction"] == "word 5"
    assert window.observation.valid["instruction"].tolist() == [True, True]
    silent = replace(arm(), observation_valid={"instruction": np.zeros(6, bool)})
    window = cut(silent, 5, ARM, WindowSpec(frames=2), SMALL)
    assert window.observation.streams["instruction"] == ""
    assert not window.observation.valid["instruction"].any()


def test_invalid_numbers_become_zero_and_stay_invalid() -> None:
    episode = arm()
    tool = np.array(episode.observation["tool"])
    tool[2] = np.nan
    spoilt = replace(
        episode,
        observation={**episode.observation, "tool": tool},
        observation_valid={"tool": np.arange(6) != 2},
        action_valid={"arm": np.arange(6) != 3},
    )
    window = cut(spoilt, 2, ARM, WindowSpec(frames=2, horizon=3), SMALL)
    assert window.observation.streams["tool"][:, 0].tolist() == [1, 0]
    assert window.observation.valid["tool"].tolist() == [True, False]
    assert window.action["arm"][:, 0].tolist() == [2, 0, 4]
    assert window.action_valid["arm"].tolist() == [True, False, True]


def test_a_path_is_the_row_of_its_step() -> None:
    path = np.arange(3 * 30 * 3, dtype=np.float32).reshape(3, 30, 3)
    known = np.arange(30)[None] < np.array([30, 20, 10])[:, None]
    episode = Episode(
        embodiment="road_car",
        source="made",
        key="0",
        times_ns=np.arange(3) * 100_000_000,
        observation={"speed": np.ones((3, 1))},
        action={"path": path},
        action_valid={"path": known},
    )
    window = cut(episode, 1, CAR, WindowSpec(horizon=2), SMALL)
    assert window.action["path"].shape == (30, 3)
    assert np.array_equal(window.action["path"][:20], path[1, :20])
    assert window.action_valid["path"].sum() == 20 and not window.action["path"][20:].any()


def test_only_the_wanted_streams_are_cut() -> None:
    window = cut(arm(), 0, ARM, WindowSpec(streams=("tool",)), SMALL)
    assert list(window.observation.streams) == ["tool"]
    with pytest.raises(UnknownName, match=r"No stream of 'tabletop_arm' named 'tol'"):
        cut(arm(), 0, ARM, WindowSpec(streams=("tol",)), SMALL)


def test_a_step_that_there_is_not_is_refused() -> None:
    with pytest.raises(IndexError, match="step must be from 0 to 5, got 6"):
        cut(arm(), 6, ARM, WindowSpec(), SMALL)


@given(
    st.lists(st.integers(2, 30), min_size=1, max_size=12),
    st.integers(1, 4),
    st.sampled_from([0.5, 1.0, 1.3, 2.0, 3.0]),
)
def test_training_cuts_the_window_that_a_session_keeps(
    gaps: list[int], frames: int, spacing: float
) -> None:
    # Clocks of recordings are irregular: frames come 20 to 300 ms apart.
    times = np.cumsum([0, *gaps]) * 10_000_000
    steps = len(times)
    episode = replace(arm(steps), times_ns=times)
    tool = np.array(episode.observation["tool"]) / 100
    episode = replace(episode, observation={"tool": tool}, action={})
    body = msgspec.structs.replace(ARM, observation={"tool": ARM.observation["tool"]})
    session = Session(body, frames=frames, spacing=spacing / ARM.control_hz)
    spec = WindowSpec(frames=frames, spacing=spacing)
    for step, window in enumerate(cut_all(episode, range(steps), body, spec, SMALL)):
        session.observe({"tool": tool[step]}, int(times[step]))
        kept = session.observation()
        assert np.array_equal(window.observation.valid["tool"], kept.valid["tool"])
        assert np.array_equal(window.observation.streams["tool"], kept.streams["tool"])


def test_all_streams_are_cut_as_a_session_keeps_them() -> None:
    episode = arm(6)
    sent = {
        name: msgspec.structs.replace(stream, height=8, width=8, optional=True)
        if isinstance(stream, Camera)
        else stream
        for name, stream in ARM.observation.items()
    }
    body = msgspec.structs.replace(ARM, observation=sent)
    session = Session(body, frames=3, spacing=0.2, prepare=lambda frame: SMALL.frame(ARM, frame))
    tool = np.array(episode.observation["tool"]) / 10
    episode = replace(episode, observation={**episode.observation, "tool": tool})
    windows = cut_all(episode, range(6), ARM, WindowSpec(frames=3, spacing=2), SMALL)
    for step, window in enumerate(windows):
        frame = {name: values[step] for name, values in episode.observation.items()}
        session.observe(frame, int(episode.times_ns[step]))
        kept, trained = session.observation(), window.observation
        assert trained.streams.keys() == kept.streams.keys()
        for name in kept.streams:
            assert np.array_equal(trained.streams[name], kept.streams[name]), name
            assert np.array_equal(trained.valid[name], kept.valid[name]), name


GOAL_ARM = msgspec.structs.replace(
    ARM,
    observation={**ARM.observation, "goal": GoalImage(camera="table", height=8, width=8)},
)


def varied(
    variation: Variation, step: int, seed: int = 0, episode: Episode | None = None
) -> StackedWindows:
    opened = OpenedEpisode(arm(10) if episode is None else episode, GOAL_ARM)
    spec = WindowSpec(frames=2, horizon=8)
    into = StackedWindows.empty(GOAL_ARM, spec, SMALL, 1)
    for array in (*into.valid.values(), *into.action.values(), *into.action_valid.values()):
        array[:] = 1  # what an earlier batch has left
    Cutter(GOAL_ARM, spec, SMALL, variation).cut(
        into,
        0,
        opened,
        step,
        lambda name, at: picture_of(opened, SMALL, name, at),
        np.random.default_rng(seed),
    )
    return into


def test_a_goal_is_the_picture_of_a_later_frame_and_ends_the_chunk() -> None:
    goals = set()
    for seed in range(60):
        found = varied(Variation(goal="uniform"), step=3, seed=seed)
        goal = int(found.streams["goal"][0, 0, 0, 0, 0])
        assert found.valid["goal"].all()
        assert (found.streams["goal"] == goal).all()
        # The action of the step before the goal reaches it: steps 3 to goal - 1 count.
        assert found.action_valid["arm"][0].sum() == min(8, goal - 3)
        assert not found.action["arm"][0, goal - 3 :].any()
        goals.add(goal)
    assert goals == set(range(4, 10))


def test_the_last_frame_may_be_the_goal() -> None:
    found = varied(Variation(goal="last"), step=3)
    assert (found.streams["goal"] == 9).all() and found.action_valid["arm"][0].sum() == 6


@pytest.mark.parametrize(("variation", "step"), [(Variation(), 3), (Variation(goal="last"), 9)])
def test_without_a_later_frame_there_is_no_goal_and_the_chunk_goes_to_the_end(
    variation: Variation, step: int
) -> None:
    found = varied(variation, step)
    assert not found.valid["goal"].any() and not found.streams["goal"].any()
    assert found.action_valid["arm"][0].sum() == min(8, 10 - step)


def test_words_or_goal_may_be_dropped_but_never_both() -> None:
    either = Variation(goal="uniform", goal_only=0.5, words_only=0.5)
    shown = set()
    for seed in range(40):
        found = varied(either, 3, seed)
        goal, words = bool(found.valid["goal"].all()), bool(found.valid["instruction"].all())
        assert goal != words and bool(found.streams["instruction"][0]) == words
        assert (found.action_valid["arm"][0].sum() == 7) or goal
        shown.add(goal)
    assert shown == {True, False}
    silent = replace(arm(10), observation_valid={"instruction": np.zeros(10, bool)})
    assert all(varied(either, 3, seed, silent).valid["goal"].all() for seed in range(20))
    assert all(varied(either, 9, seed).valid["instruction"].all() for seed in range(20))


def test_a_path_ends_at_the_goal_too() -> None:
    path = np.ones((3, 30, 3), np.float32)
    car = msgspec.structs.replace(
        CAR, observation={**CAR.observation, "goal": GoalImage(camera="front", height=8, width=8)}
    )
    episode = Episode(
        embodiment="road_car",
        source="made",
        key="0",
        times_ns=np.arange(3) * 100_000_000,
        observation={"front": np.zeros((3, 8, 8, 3), np.uint8)},
        action={"path": path},
    )
    opened, spec = OpenedEpisode(episode, car), WindowSpec()
    into = StackedWindows.empty(car, spec, SMALL, 1)
    cutter = Cutter(car, spec, SMALL, Variation(goal="last"))
    cutter.cut(
        into,
        0,
        opened,
        0,
        lambda name, at: picture_of(opened, SMALL, name, at),
        np.random.default_rng(0),
    )
    assert into.action_valid["path"][0].tolist() == [True, True] + [False] * 28


def test_instructions_are_rephrased_where_there_are_other_words() -> None:
    other = Variation(rephrase=0.5, rephrasings={"word 3": ("word three", "the third word")})
    said = {varied(other, 3, seed).streams["instruction"][0] for seed in range(60)}
    assert said == {"word 3", "word three", "the third word"}
    assert {varied(other, 4, seed).streams["instruction"][0] for seed in range(20)} == {"word 4"}


def test_a_dropped_stream_is_hidden_and_its_values_stay() -> None:
    blind = Variation(dropout={"tool": 0.5})
    hidden = [bool(varied(blind, 3, seed).hidden["tool"][0]) for seed in range(60)]
    assert 15 < sum(hidden) < 45
    assert (varied(blind, 3, hidden.index(True)).streams["tool"][0, -1] == 3).all()


def test_a_damaged_image_is_named_with_its_place() -> None:
    episode = arm()
    torn = replace(episode, observation={**episode.observation, "table": [b"torn"] * 6})
    with pytest.raises(BadData, match=r"'made', episode 0, 'table' at step 2: Expected an encoded"):
        cut(torn, 2, ARM, WindowSpec(), SMALL)
