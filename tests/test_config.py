import copy
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import msgspec
import pytest

from octoverse.augmentation import Augmentation
from octoverse.config import (
    BodyConfig,
    ReadoutUse,
    TokenizerUse,
    WindowConfig,
    from_plain,
    to_plain,
)
from octoverse.errors import BadConfig, OctoverseError
from octoverse.preprocess import ImageSize, PreprocessConfig
from octoverse.recipes import demo, generic, real
from octoverse.registry import load, names


def through_json(plain: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(plain))


@pytest.mark.parametrize("readout", ["regression", "bins", "flow"])
def test_a_config_survives_json(small: ModuleType, readout: str) -> None:
    config = replace(
        small.config(readout, frames=3),
        window=WindowConfig(frames=3, spacing=0.2),
        preprocess=PreprocessConfig(
            height=16,
            width=16,
            sizes=(ImageSize(role="wrist", height=8, width=8),),
            augmentation=Augmentation(brightness=0.1, steady=("wrist",)),
        ),
    )
    assert from_plain(through_json(to_plain(config))) == config


def test_every_config_that_octoverse_makes_survives_json() -> None:
    bodies = [load("embodiment", name) for name in names("embodiment")]
    made = [demo.policy_config(), real.policy_config(), *map(generic.policy_config, bodies)]
    for config in made:
        assert from_plain(through_json(to_plain(config))) == config


def set_at(*path: Any, to: Any) -> Callable[[Any], None]:
    def change(plain: Any) -> None:
        for step in path[:-1]:
            plain = plain[step]
        plain[path[-1]] = to

    return change


def without(*path: Any) -> Callable[[Any], None]:
    def change(plain: Any) -> None:
        for step in path[:-1]:
            plain = plain[step]
        del plain[path[-1]]

    return change


ARM = ("bodies", "tabletop_arm")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (set_at("colour", to=1), "the config: no setting named 'colour'. Known: bodies, pre"),
        (without("trunk"), "the config: the setting 'trunk' is missing. Known: bodies"),
        (set_at("trunk", "depth", to=1), "trunk: no setting named 'depth'. Known: activation"),
        (set_at("trunk", "width", to="wide"), r"trunk: Expected `int`, got `str` - at `\$.width"),
        (set_at("trunk", "heads", to=5), r"trunk: width \(32\) must be divisible by heads \(5\)"),
        (set_at(*ARM, "speed", to=1), "bodies.tabletop_arm: no setting named 'speed'"),
        (
            set_at(*ARM, "tokenizers", 1, "colour", to=1),
            "bodies.tabletop_arm.tokenizers.1: no setting named 'colour'. Known: key, repeat",
        ),
        (without(*ARM, "readouts"), r"bodies: .* missing required field `readouts`"),
        (set_at(*ARM, "horizon", to=0), "bodies: horizon must be at least 1, got 0"),
        (set_at("preprocess", "augmentation", "blur", to=1), "augmentation: no setting named 'blu"),
        (set_at("preprocess", "filter", to="nearest"), "preprocess: Invalid enum value 'nearest'"),
        (set_at("window", "frames", to=0), "window: frames must be at least 1 and spacing above"),
        (
            set_at("tokenizers", "image", "name", to="imagee"),
            "named 'imagee'. Did you mean 'image'",
        ),
        (
            set_at("readouts", "hand", "settings", "dropout", to=1),
            "readouts.hand: no setting named",
        ),
        (set_at("readouts", "hand", "extra", to=1), "readouts.hand: no setting named 'extra'"),
        (without("readouts", "hand", "settings"), "readouts: .* missing required field `settings`"),
        (set_at("readouts", to=[]), "readouts: Expected `object`, got `array`"),
        (set_at("tokenizers", "image", "settings", "patch", to=3), "tokenizers.image: patch must"),
        (without("tokenizers", "image"), "uses the tokenizer 'image', which is not configured. C"),
    ],
)
def test_a_stored_config_that_is_not_ours_is_refused(
    small: ModuleType, change: Callable[[Any], None], words: str
) -> None:
    plain = copy.deepcopy(through_json(to_plain(small.config())))
    change(plain)
    with pytest.raises(OctoverseError, match=words):
        from_plain(plain)


@pytest.mark.parametrize("plain", [[], "text", 3])
def test_a_stored_config_must_have_names(plain: Any) -> None:
    with pytest.raises(BadConfig, match="the config: expected settings by name, got"):
        from_plain(plain)


def test_what_a_body_uses_must_be_configured(small: ModuleType) -> None:
    config = small.config()
    body = replace(config.bodies["road_car"], readouts=(ReadoutUse(key="pat", groups=("path",)),))
    words = "body 'road_car' uses the readout 'pat', which is not configured. Configured: hand, pat"
    with pytest.raises(BadConfig, match=words):
        replace(config, bodies={"road_car": body})


def test_two_uses_of_one_tokenizer_need_slots(small: ModuleType) -> None:
    config, body = small.config(), small.config().bodies["road_car"]
    again = TokenizerUse(key="image", streams={"image": "cross_right"})
    with pytest.raises(BadConfig, match="body 'road_car' puts two groups of tokens at 'image'"):
        replace(config, bodies={"road_car": replace(body, tokenizers=(*body.tokenizers, again))})


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: BodyConfig(tokenizers=(), readouts=(), horizon=0), "horizon must be at least 1"),
        (lambda: WindowConfig(frames=0), "at least 1 and spacing above 0 s, got 0 and None"),
        (lambda: WindowConfig(spacing=0.0), "spacing above 0 s, got 1 and 0.0"),
        (lambda: WindowConfig(spacing=float("nan")), "spacing above 0 s, got 1 and nan"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(make: Callable[[], Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()
