from dataclasses import replace

import msgspec
import numpy as np
import pytest

from octoverse.data.windows import StackedWindows, WindowSpec, cut
from octoverse.embodiment import Camera, Embodiment
from octoverse.episode import Episode
from octoverse.errors import UnknownName
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


def test_windows_stack() -> None:
    windows = [cut(arm(), step, ARM, WindowSpec(), SMALL) for step in (0, 4)]
    batch = StackedWindows.from_windows(windows)
    assert len(batch) == 2
    assert batch.streams["table"].shape == (2, 1, 8, 8, 3)
    assert batch.streams["instruction"] == ["word 0", "word 4"]
    assert batch.action["arm"].shape == (2, 8, 4)


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="must be at least 1"):
        WindowSpec(frames=0)
    with pytest.raises(ValueError, match="must be at least 1"):
        WindowSpec(horizons={"arm": 0})
    with pytest.raises(IndexError, match="step must be from 0 to 5, got 6"):
        cut(arm(), 6, ARM, WindowSpec(), SMALL)
    with pytest.raises(ValueError, match="Expected windows of one body, got none"):
        StackedWindows.from_windows([])


@pytest.mark.parametrize(("frames", "spacing"), [(1, 1), (3, 1), (3, 2), (4, 3), (2, 5)])
def test_training_cuts_the_window_that_a_session_keeps(frames: int, spacing: int) -> None:
    episode = arm(6)
    sent = {
        name: msgspec.structs.replace(stream, height=8, width=8, optional=True)
        if isinstance(stream, Camera)
        else stream
        for name, stream in ARM.observation.items()
    }
    body = msgspec.structs.replace(ARM, observation=sent)
    session = Session(
        body,
        frames=frames,
        spacing=spacing / ARM.control_hz,
        prepare=lambda frame: SMALL.frame(ARM, frame),
    )
    tool = np.array(episode.observation["tool"]) / 10
    episode = replace(episode, observation={**episode.observation, "tool": tool})
    for step in range(6):
        frame = {name: values[step] for name, values in episode.observation.items()}
        session.observe(frame, int(episode.times_ns[step]))
        kept = session.observation()
        window = cut(episode, step, ARM, WindowSpec(frames=frames, spacing=spacing), SMALL)
        trained = window.observation
        assert trained.streams.keys() == kept.streams.keys()
        for name in kept.streams:
            assert np.array_equal(trained.streams[name], kept.streams[name]), name
            assert np.array_equal(trained.valid[name], kept.valid[name]), name
