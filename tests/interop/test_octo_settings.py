from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from octoverse.errors import BadData
from octoverse.interop.octo_folder import OctoFolder
from octoverse.interop.octo_settings import OctoSettings, read_settings

Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def read(made_octo: Any) -> Callable[..., OctoSettings]:
    """Reads the settings of a tiny model that is changed first."""

    def found(change: Change = lambda model: None, **given: Any) -> OctoSettings:
        told = made_octo.config(made_octo.TINY)
        change(told["model"])
        shapes = {name: value.shape for name, value in made_octo.inputs(made_octo.TINY).items()}
        return read_settings(
            OctoFolder(
                path=Path("octo"),
                step=1,
                config=given.get("config", told),
                statistics={},
                shapes=given.get("shapes", shapes),
                parameters={},
            )
        )

    return found


def stem(model: dict[str, Any], **arguments: Any) -> None:
    encoder = model["observation_tokenizers"]["wrist"]["kwargs"]["encoder"]
    encoder["kwargs"] |= arguments


def camera(model: dict[str, Any], **arguments: Any) -> None:
    model["observation_tokenizers"]["wrist"]["kwargs"] |= arguments


def language(model: dict[str, Any], **arguments: Any) -> None:
    model["task_tokenizers"]["language"]["kwargs"] |= arguments


def test_a_model_of_2024_is_understood(read: Callable[..., OctoSettings]) -> None:
    found = read()
    assert (found.width, found.layers, found.heads, found.mlp_width) == (64, 2, 4, 128)
    assert (found.max_frames, found.window, found.repeat, found.exact_groups) == (5, 2, True, True)
    assert (found.readout, found.readout_tokens, found.language, found.encoder) == (
        "action", 1, "language", None
    )  # fmt: skip
    assert [(one.name, one.role, one.height, one.goal) for one in found.cameras] == [
        ("primary", "primary", 64, True),
        ("wrist", "wrist", 32, True),
    ]
    wrist = found.cameras[1]
    assert (wrist.channels, wrist.features, wrist.side) == ((32, 32, 32, 64), 64, 1)


def test_a_model_of_2023_is_understood(read: Callable[..., OctoSettings]) -> None:
    def change(model: dict[str, Any]) -> None:
        del model["use_correct_attention"], model["repeat_task_tokens"]
        head = model["heads"]["action"]["kwargs"]
        head["pred_horizon"] = head.pop("action_horizon")
        head["dropout_rate"] = 0.1

    found = read(change)
    assert (found.exact_groups, found.repeat, found.head.horizon) == (False, False, 4)


def test_octo_s_defaults_are_its_small_stem(read: Callable[..., OctoSettings]) -> None:
    def change(model: dict[str, Any]) -> None:
        encoder = model["observation_tokenizers"]["wrist"]["kwargs"]["encoder"]
        encoder["name"], encoder["kwargs"] = "SmallStem32", {"img_norm_type": "imagenet"}

    wrist = read(change).cameras[1]
    assert (wrist.channels, wrist.features) == ((32, 96, 192, 384), 512)
    assert (wrist.side, wrist.pixels, wrist.encoder) == (2, "imagenet", "SmallStem32")


def test_what_the_model_was_made_without_is_skipped_as_octo_skips_it(
    read: Callable[..., OctoSettings], made_octo: Any
) -> None:
    shapes = {n: v.shape for n, v in made_octo.inputs(made_octo.TINY).items() if "wrist" not in n}
    del shapes["task/language_instruction"]
    found = read(shapes=shapes)
    assert [one.name for one in found.cameras] == ["primary"]
    assert found.language is None
    assert read(lambda model: model.update(task_tokenizers={})).language is None


def test_a_camera_without_its_goal_image_is_understood(read: Callable[..., OctoSettings]) -> None:
    found = read(lambda model: camera(model, task_stack_keys=[]))
    assert [one.goal for one in found.cameras] == [True, False]


def test_the_window_may_be_told_by_the_example_batch(
    read: Callable[..., OctoSettings], made_octo: Any
) -> None:
    told = made_octo.config(made_octo.TINY)
    del told["window_size"]
    assert read(config=told).window == 2


def test_a_config_without_a_model_is_refused(read: Callable[..., OctoSettings]) -> None:
    with pytest.raises(
        BadData, match=r"octo/config\.json: model: expected settings by name, got No"
    ):
        read(config={})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda m: m["observation_tokenizers"]["wrist"].update(name="LowdimObsTokenizer"),
            r"model\.wrist: expected an ImageTokenizer, got LowdimObsTokenizer\. Only models that",
        ),
        (
            lambda m: camera(m, obs_stack_keys=["image_.*"]),
            "expected one camera, .* got image_primary, image_wrist with the goal image_wrist",
        ),
        (
            lambda m: camera(m, task_stack_keys=["image_primary"]),
            "expected one camera, .* got image_wrist with the goal image_primary",
        ),
        (
            lambda m: camera(m, use_token_learner=True),
            "use_token_learner: expected False, got True",
        ),
        (lambda m: camera(m, proper_pad_mask=False), "proper_pad_mask: expected True, got False"),
        (lambda m: camera(m, task_film_keys=["x"]), r"task_film_keys: expected \[\], got \['x'\]"),
        (lambda m: camera(m, colour=1), "ImageTokenizer has the setting 'colour', which is not"),
        (
            lambda m: m["observation_tokenizers"]["wrist"]["kwargs"]["encoder"].update(name="ViT"),
            r"encoder: expected one of SmallStem, SmallStem16, SmallStem32, got ViT\. Only Octo's",
        ),
        (
            lambda m: stem(m, strides=[2, 2, 1, 2]),
            r"encoder\.strides: expected 2 for each of 4 convolutions, got \(2, 2, 1, 2\)",
        ),
        (
            lambda m: stem(m, use_film=True),
            r"encoder\.use_film: expected False, got True\. FiLM is",
        ),
        (
            lambda m: stem(m, img_norm_type="other"),
            r"img_norm_type: expected default or imagenet, got other\.",
        ),
        (
            lambda m: m["task_tokenizers"]["language"].update(name="ImageTokenizer"),
            "language: expected a LanguageTokenizer, got ImageTokenizer",
        ),
        (
            lambda m: language(m, encoder="distilbert"),
            r"language\.encoder: expected T5 or none, got distilbert\. Only T5 is built here",
        ),
        (lambda m: language(m, proper_pad_mask=False), "proper_pad_mask: expected True, got False"),
        (
            lambda m: m["readouts"].update(value=1),
            "readouts: expected one readout, got action, value. Models with several cannot",
        ),
        (lambda m: m.update(heads={}), "heads: expected one head, got none"),
        (
            lambda m: m["transformer_kwargs"].update(add_position_embedding=True),
            "add_position_embedding: expected False, got True. Octo itself refuses it",
        ),
        (lambda m: m["transformer_kwargs"].update(x=1), "Transformer has the setting 'x', which"),
        (lambda m: m.update(y=1), "OctoModule has the setting 'y', which is not known here"),
    ],
)
def test_what_cannot_be_imported_is_refused_in_words(
    read: Callable[..., OctoSettings], change: Change, words: str
) -> None:
    with pytest.raises(BadData, match=words):
        read(change)
