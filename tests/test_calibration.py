"""Calibration reaches a policy alike in training and serving, whatever is done to the picture."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from octoverse.acting import LocalPolicy
from octoverse.augmentation import Augmentation, Jitter
from octoverse.batch import batch_of, training_batch
from octoverse.calibration import NUMBERS, camera_of, jittered, known, numbers_of, stream_of
from octoverse.cli.check import random_statistics
from octoverse.config import TokenizerUse, WindowConfig
from octoverse.data.cutting import Cutter, cut
from octoverse.data.dataset import open_data
from octoverse.data.opened import OpenedEpisode
from octoverse.data.pictures import picture_of
from octoverse.data.variation import Variation
from octoverse.data.windows import StackedWindows, WindowSpec
from octoverse.embodiments.passenger_car import PASSENGER_CAR
from octoverse.episode import Calibration, Episode
from octoverse.errors import BadData, SpecMismatch, UnknownName
from octoverse.fitting import check_streams
from octoverse.policy import Policy
from octoverse.preprocess import Preprocess, PreprocessConfig
from octoverse.recipes.calibrated import calibrated
from octoverse.recipes.generic import policy_config
from octoverse.session import Session
from octoverse.synthetic import random_frame
from octoverse.tokenizers.calibration import CalibrationTokenizerConfig
from octoverse.training.loop import window_spec

HEIGHT, WIDTH = 320, 576
POSE = np.eye(4)
POSE[:3] = [[0, 0, 1, 1.5], [-1, 0, 0, 0.1], [0, -1, 0, 1.4]]
LENS = Calibration(
    intrinsics=(400.0, 0.0, 290.0, 0.0, 380.0, 150.0, 0.0, 0.0, 1.0),
    extrinsics=tuple(POSE.ravel().tolist()),
)
NAME, CPU = "front.calibration", torch.device("cpu")
SMALL = Preprocess(PreprocessConfig(height=16, width=24))


def pictures(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, HEIGHT, WIDTH, 3), np.uint8)


def drive(images: Any, calibration: Calibration | None = LENS) -> Episode:
    return Episode(
        embodiment="passenger_car",
        source="made",
        key="0",
        times_ns=np.arange(len(images)) * 100_000_000,
        observation={"front": images},
        action={"path": np.zeros((len(images), 64, 3), np.float32)},
        calibration={} if calibration is None else {"front": calibration},
    )


def test_the_numbers_are_those_of_the_formula() -> None:
    numbers = numbers_of("front", LENS, HEIGHT, WIDTH)
    assert numbers.shape == (NUMBERS,) and numbers.dtype == np.float32
    lens = [400 / WIDTH, 380 / HEIGHT, 290 / WIDTH, 150 / HEIGHT]
    np.testing.assert_allclose(numbers[:4], lens, rtol=1e-6)
    assert numbers[4:13].tolist() == [0, 0, 1, -1, 0, 0, 0, -1, 0]
    np.testing.assert_allclose(numbers[13:], [1.5, 0.1, 1.4], rtol=1e-6)


def test_a_picture_that_was_resized_before_has_the_same_numbers() -> None:
    half = tuple(x / 2 for x in LENS.intrinsics[:8])
    smaller = Calibration(intrinsics=(*half, 1.0), extrinsics=LENS.extrinsics)
    whole = numbers_of("front", LENS, HEIGHT, WIDTH)
    assert np.array_equal(numbers_of("front", smaller, HEIGHT // 2, WIDTH // 2), whole)


def test_a_crop_and_a_shift_move_the_numbers_as_they_move_the_picture() -> None:
    jitter = Jitter(box=(0.25, 0.125, 0.75, 0.625), shift=(2, -3))
    numbers = numbers_of("front", LENS, HEIGHT, WIDTH)
    moved = jittered(numbers, jitter, 32, 48)
    # A thing straight ahead is seen at the principal point: mark it, change the picture, find it.
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    picture[150 - 8 : 150 + 8, 290 - 8 : 290 + 8] = 255
    prepare = Preprocess(PreprocessConfig(height=32, width=48))
    seen = prepare.finished("front", picture, jitter)[..., 0].astype(float)
    row, column = (np.argwhere(seen > 128) + 0.5).mean(0)
    np.testing.assert_allclose([column / 48, row / 32], moved[2:4], atol=0.02)
    np.testing.assert_allclose(moved[:2], 2 * numbers[:2], rtol=1e-6)
    assert np.array_equal(moved[4:], numbers[4:])
    assert np.array_equal(jittered(numbers, Jitter(), 32, 48), numbers)


def test_training_and_serving_see_the_same_numbers() -> None:
    seen, rng = pictures(2), np.random.default_rng(1)
    spec = WindowSpec(frames=3, streams=("front", NAME))
    window = cut(drive(seen), 1, PASSENGER_CAR, spec, SMALL)
    trained = training_batch(PASSENGER_CAR, StackedWindows.from_windows([window]), CPU)
    session = Session(PASSENGER_CAR, frames=3, calibration={"front": LENS})
    for step in range(2):
        frame = {**random_frame(PASSENGER_CAR, rng), "front": seen[step]}
        session.observe(frame, step * 100_000_000)
    served = batch_of(PASSENGER_CAR, [session.observation()], CPU, [NAME])
    for batch in (trained, served):
        assert batch.streams[NAME].valid.tolist() == [[False, True, True]]
        assert not batch.streams[NAME].values[0, 0].any()
    assert torch.equal(trained.streams[NAME].values, served.streams[NAME].values)
    wanted = torch.from_numpy(numbers_of("front", LENS, HEIGHT, WIDTH))
    assert torch.equal(served.streams[NAME].values[0, 2], wanted)


def test_the_size_is_that_of_the_recorded_picture_not_of_the_body() -> None:
    import simplejpeg

    small = pictures(1)[0, :80, :144]
    stored = [simplejpeg.encode_jpeg(np.ascontiguousarray(small))]
    window = cut(drive(stored), 0, PASSENGER_CAR, WindowSpec(streams=("front", NAME)), SMALL)
    numbers = window.observation.streams[NAME][0]
    assert np.array_equal(numbers, numbers_of("front", LENS, 80, 144))


def test_what_is_not_known_is_invalid_wherever_it_is_asked_for() -> None:
    spec = WindowSpec(streams=("front", NAME))
    for episode in (drive(pictures(1), None), replace(drive(pictures(1)), observation={})):
        window = cut(episode, 0, PASSENGER_CAR, spec, SMALL)
        assert not window.observation.valid[NAME].any()
        assert not window.observation.streams[NAME].any()
    session = Session(PASSENGER_CAR)
    session.observe(random_frame(PASSENGER_CAR, np.random.default_rng(0)), 0)
    silent = session.observation()
    session.calibrate({"front": LENS})
    told = session.observation()
    both = batch_of(PASSENGER_CAR, [silent, told], CPU, [NAME]).streams[NAME]
    assert both.valid.tolist() == [[False], [True]] and both.values.shape == (2, 1, NUMBERS)


def test_where_nobody_asks_for_it_nothing_is_there() -> None:
    window = cut(drive(pictures(1)), 0, PASSENGER_CAR, WindowSpec(), SMALL)
    assert NAME not in window.observation.streams
    session = Session(PASSENGER_CAR, calibration={"front": LENS})
    session.observe(random_frame(PASSENGER_CAR, np.random.default_rng(0)), 0)
    assert NAME not in batch_of(PASSENGER_CAR, [session.observation()], CPU).streams


def test_training_pictures_that_are_cropped_come_with_numbers_that_are() -> None:
    changes = Augmentation(crop=0.5, shift=2)
    prepare = Preprocess(PreprocessConfig(height=16, width=24, augmentation=changes))
    spec = WindowSpec(streams=("front", NAME))
    opened = OpenedEpisode(drive(pictures(1)), PASSENGER_CAR)
    cutter = Cutter(PASSENGER_CAR, spec, prepare, Variation(dropout={"front": 1.0}), augment=True)
    into = StackedWindows.empty(PASSENGER_CAR, spec, prepare, 2)
    for row in range(2):
        cutter.cut(
            into,
            row,
            opened,
            0,
            lambda name, at: picture_of(opened, prepare, name, at),
            np.random.default_rng(row),
        )
    first, second = into.streams[NAME][:, 0]
    whole = numbers_of("front", LENS, HEIGHT, WIDTH)
    assert not np.array_equal(first, second) and (first[:2] > whole[:2]).all()
    assert np.array_equal(first[4:], whole[4:])
    assert into.hidden[NAME].all()  # who does not see the camera does not see where it looks
    assert not training_batch(PASSENGER_CAR, into, CPU).streams[NAME].valid.any()


def test_a_policy_with_the_tokenizer_acts_by_the_calibration_and_asks_training_for_it() -> None:
    policy, frame = built(), random_frame(PASSENGER_CAR, np.random.default_rng(0))
    assert NAME in (window_spec(policy, "passenger_car").streams or ())
    other = replace_lens(500.0)
    looks: list[dict[str, Calibration]] = [{}, {"front": LENS}, {"front": other}, {"rear": LENS}]
    paths = [
        LocalPolicy(policy, "passenger_car", calibration=known).act(frame).action["path"]
        for known in looks
    ]
    assert not np.array_equal(paths[0], paths[1]) and not np.array_equal(paths[1], paths[2])
    assert not np.array_equal(paths[0], paths[3])


def test_what_is_remembered_of_frames_does_not_outlive_their_calibration() -> None:
    policy, rng = built(frames=2), np.random.default_rng(0)
    frames = [random_frame(PASSENGER_CAR, rng) for _ in range(3)]
    robot = LocalPolicy(policy, "passenger_car", calibration={"front": LENS})
    for step, frame in enumerate(frames):
        if step == 2:
            robot.session.calibrate({"front": replace_lens(500.0)})
        path = robot.act(frame, observed_at_ns=step * 100_000_000).action["path"]
    fresh = LocalPolicy(policy, "passenger_car", calibration={"front": replace_lens(500.0)})
    fresh.observe(frames[1], observed_at_ns=100_000_000)
    wanted = fresh.act(frames[2], observed_at_ns=200_000_000).action["path"]
    np.testing.assert_allclose(path, wanted, rtol=1e-5, atol=1e-5)


def built(frames: int = 1) -> Policy:
    plain = replace(policy_config(PASSENGER_CAR), window=WindowConfig(frames=frames))
    config = calibrated(plain, [PASSENGER_CAR])
    statistics = {
        "passenger_car": random_statistics(PASSENGER_CAR, np.random.default_rng(0)),
    }
    torch.manual_seed(0)
    return Policy(config, {"passenger_car": PASSENGER_CAR}, statistics).eval()


def test_a_policy_that_reads_the_calibration_of_no_camera_is_refused() -> None:
    config = policy_config(PASSENGER_CAR)
    use = TokenizerUse(key="calibration", streams={"calibration": "roof.calibration"})
    body = replace(config.bodies["passenger_car"], tokenizers=(use,))
    config = replace(
        config,
        bodies={"passenger_car": body},
        tokenizers={"calibration": CalibrationTokenizerConfig()},
    )
    with pytest.raises(UnknownName, match="No camera of 'passenger_car' named 'roof'"):
        check_streams(PASSENGER_CAR, config)


def replace_lens(focal: float) -> Calibration:
    return Calibration(intrinsics=(focal, *LENS.intrinsics[1:]), extrinsics=LENS.extrinsics)


def test_kitti_s_front_camera_looks_ahead_from_above_the_ground(
    real_data: Callable[[str], Path],
) -> None:
    folder = real_data("kitti-raw-drive-0002").parent
    source = open_data("kitti-raw-drive-0002", str(folder), "all")
    spec = WindowSpec(streams=("front", NAME))
    window = cut(source.episode(0), 5, PASSENGER_CAR, spec, SMALL)
    [numbers] = window.observation.streams[NAME]
    assert window.observation.valid[NAME].all()
    # Of pictures of 1242 x 375 pixels, with a focal length of 721.5 pixels.
    np.testing.assert_allclose(numbers[:2], [721.5 / 1242, 721.5 / 375], rtol=1e-3)
    ahead, height = numbers[4:13].reshape(3, 3) @ [0, 0, 1], numbers[15]
    np.testing.assert_allclose(ahead, [1, 0, 0], atol=0.03)
    assert 1.2 < height < 1.9


def test_streams_of_calibrations_are_told_from_others() -> None:
    assert stream_of("front") == NAME
    assert camera_of(PASSENGER_CAR, NAME) == "front" and camera_of(PASSENGER_CAR, "speed") is None
    with pytest.raises(UnknownName, match=r"No camera of 'passenger_car' named 'fromt'.*'front'"):
        camera_of(PASSENGER_CAR, "fromt.calibration")
    with pytest.raises(UnknownName, match="No camera of 'passenger_car' named 'speed'"):
        WindowSpec(streams=("speed.calibration",)).wanted(PASSENGER_CAR)


def test_a_robot_whose_calibration_cannot_be_right_is_told_so() -> None:
    session = Session(PASSENGER_CAR, calibration={"front": LENS})
    for focal in (float("nan"), 0.0, -3.0, 1e300):
        with pytest.raises(SpecMismatch, match="calibration of 'rear': expected finite numbers"):
            session.calibrate({"rear": replace_lens(focal)})
    with pytest.raises(UnknownName, match="No camera of 'passenger_car' named 'roof'"):
        known(PASSENGER_CAR, {"roof": LENS})
    assert session.calibration == {"front": LENS}  # what was wrong has not been taken


def test_a_recording_whose_calibration_or_first_image_is_damaged_is_named() -> None:
    spec = WindowSpec(streams=("front", NAME))
    bad = drive(pictures(1), replace_lens(float("inf")))
    with pytest.raises(BadData, match="'made', episode 0, 'front': calibration of 'front': exp"):
        cut(bad, 0, PASSENGER_CAR, spec, SMALL)
    with pytest.raises(BadData, match=r"'made', episode 0, 'front'.*: Expected an encoded image"):
        cut(drive([b"nothing"]), 0, PASSENGER_CAR, WindowSpec(streams=(NAME,)), SMALL)
