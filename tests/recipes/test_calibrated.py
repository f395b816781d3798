import pytest

from octoverse import registry
from octoverse.embodiment import Embodiment
from octoverse.errors import BadConfig
from octoverse.recipes.calibrated import calibrated
from octoverse.recipes.crossformer import CROSSFORMER
from octoverse.recipes.generic import policy_config

CAR: Embodiment = registry.load("embodiment", "passenger_car")
ARM: Embodiment = registry.load("embodiment", "widowx")


def test_every_calibrated_camera_that_is_read_gets_a_token_and_all_share_a_tokenizer() -> None:
    config = calibrated(policy_config(CAR, ARM), [CAR, ARM])
    extra = [use for use in config.bodies["passenger_car"].tokenizers if use.key == "calibration"]
    streams = [use.streams["calibration"] for use in extra]
    assert streams == [f"{camera}.calibration" for camera in CAR.cameras]
    assert len({use.place for use in extra}) == 9
    assert not any(use.key == "calibration" for use in config.bodies["widowx"].tokenizers)
    main = calibrated(CROSSFORMER.config([CAR], "tiny"), [CAR])  # which reads one camera of a car
    assert [u.slot for u in main.bodies["passenger_car"].tokenizers][-1] == "front.calibration"


def test_a_policy_without_calibrated_cameras_is_refused() -> None:
    with pytest.raises(BadConfig, match=r"reads no camera of widowx that is declared calibrated\."):
        calibrated(policy_config(ARM), [ARM])
    with pytest.raises(BadConfig, match="has a tokenizer 'calibration' already"):
        calibrated(calibrated(policy_config(CAR), [CAR]), [CAR])
