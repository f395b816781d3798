"""What Octo's config.json says of a model, in our words, or why it cannot be imported.

Source: octo-models/octo, octo/model/octo_module.py and components/, as of July 2024 and December
2023.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from octoverse.errors import BadData
from octoverse.interop.octo_folder import OctoFolder
from octoverse.interop.octo_heads import Head, read_head
from octoverse.interop.octo_spec import Spec


@dataclass(frozen=True, kw_only=True)
class OctoCamera:
    """One image tokenizer with the camera that it reads."""

    name: str
    """Of the tokenizer, such as primary."""
    role: str
    """Of the camera: image_wrist is wrist."""
    height: int
    width: int
    goal: bool
    """Whether the goal image of this camera is stacked behind it."""
    encoder: str
    """Name of its encoder's class, which names its parameters."""
    channels: tuple[int, ...]
    side: int
    features: int
    pixels: str


@dataclass(frozen=True, kw_only=True)
class OctoSettings:
    """A model."""

    cameras: tuple[OctoCamera, ...]
    language: str | None
    """Name of the tokenizer of instructions, if there is one."""
    encoder: str | None
    """Its encoder, such as t5-base; None where embeddings are given."""
    readout: str
    """Name of the readout group."""
    readout_tokens: int
    head: Head
    width: int
    layers: int
    heads: int
    mlp_width: int
    max_frames: int
    window: int
    repeat: bool
    """Whether task tokens stand again in every step."""
    exact_groups: bool
    """False for models of December 2023, whose first token of a group counts as the group before
    it."""


def read_settings(folder: OctoFolder) -> OctoSettings:
    """Understand a checkpoint's config.json.

    Raises:
        BadData: if something in it cannot be imported.
    """
    path = f"{folder.path / 'config.json'}: model"
    model = Spec.of("OctoModule", folder.config.get("model"), path)
    observation: Mapping[str, Any] = model.take("observation_tokenizers")
    found = [
        _camera(folder, name, Spec(one, f"{path}.{name}")) for name, one in observation.items()
    ]
    language, encoder = _language(folder, model.take("task_tokenizers"), path)
    head_name, head = _only(model.take("heads"), f"{path}.heads", "head")
    readout, count = _only(model.take("readouts"), f"{path}.readouts", "readout")
    inner = f"{path}.transformer_kwargs"
    transformer = Spec.of("Transformer", model.take("transformer_kwargs"), inner)
    transformer.only("add_position_embedding", False, "Octo itself refuses it.")
    for name in ("dropout_rate", "attention_dropout_rate"):
        transformer.take(name, 0.0)  # in training only
    settings = OctoSettings(
        cameras=tuple(camera for camera in found if camera is not None),
        language=language,
        encoder=encoder,
        readout=readout,
        readout_tokens=int(count),
        head=read_head(head_name, Spec(head, f"{path}.heads.{head_name}"), f"readout_{readout}"),
        width=int(model.take("token_embedding_size")),
        layers=int(transformer.take("num_layers")),
        heads=int(transformer.take("num_attention_heads")),
        mlp_width=int(transformer.take("mlp_dim")),
        max_frames=int(model.take("max_horizon")),
        window=_window(folder),
        repeat=bool(model.take("repeat_task_tokens", False)),
        exact_groups=bool(model.take("use_correct_attention", False)),
    )
    transformer.finish()
    model.finish()
    return settings


def _camera(folder: OctoFolder, name: str, spec: Spec) -> OctoCamera | None:
    """None where Octo skips it: the model was made without such images."""
    if spec.name != "ImageTokenizer":
        raise BadData(
            f"{spec.where}: expected an ImageTokenizer, got {spec.name}. "
            "Only models that see images and nothing else can be imported."
        )
    seen, goals = (_keys(folder, part) for part in ("observation", "task"))
    keys = _matching(spec.take("obs_stack_keys", ("image_.*", "depth_.*")), seen)
    wanted = spec.take("task_stack_keys", ())
    goal = _matching(wanted, sorted({*goals, *_matching(wanted, seen)}))
    if not keys:
        return None
    if len(keys) > 1 or goal not in ([], keys):
        raise BadData(
            f"{spec.where}: expected one camera, with or without its own goal image, got "
            f"{', '.join(keys)} with the goal {', '.join(goal) or 'none'}. "
            "Tokenizers that stack several cameras cannot be imported."
        )
    spec.only("use_token_learner", False, "Its pooling of tokens is not built here.")
    spec.only("proper_pad_mask", True, "Images that are absent would have to be read as black.")
    spec.take("num_tokens", 0)
    spec.take("conditioning_type", "none")
    spec.only("task_film_keys", [], "FiLM is not built here.")
    encoder = Spec(spec.take("encoder"), f"{spec.where}.encoder")
    spec.finish()
    sides = {"SmallStem": 32, "SmallStem16": 16, "SmallStem32": 32}
    if encoder.name not in sides:
        raise BadData(
            f"{encoder.where}: expected one of {', '.join(sides)}, got {encoder.name}. "
            "Only Octo's small convolutional stem is built here."
        )
    height, width = folder.shapes[f"observation/{keys[0]}"][2:4]
    channels = tuple(encoder.take("features", (32, 96, 192, 384)))
    for part, number in (("kernel_sizes", 3), ("strides", 2), ("padding", 1)):
        given = tuple(encoder.take(part, (number,) * 4))[: len(channels)]
        if given != (number,) * len(channels):
            raise BadData(
                f"{encoder.where}.{part}: expected {number} for each of {len(channels)} "
                f"convolutions, got {given}. Others are not built here."
            )
    encoder.only("use_film", False, "FiLM is not built here.")
    pixels = encoder.take("img_norm_type", "default")
    if pixels not in ("default", "imagenet"):
        raise BadData(
            f"{encoder.where}.img_norm_type: expected default or imagenet, got {pixels}. "
            "Other scales of pixels are not built here."
        )
    settings = OctoCamera(
        name=name,
        role=keys[0].removeprefix("image_"),
        height=height,
        width=width,
        goal=bool(goal),
        encoder=encoder.name,
        channels=channels,
        side=int(encoder.take("patch_size", sides[encoder.name])) // 16,
        features=int(encoder.take("num_features", 512)),
        pixels="symmetric" if pixels == "default" else pixels,
    )
    encoder.finish()
    return settings


def _language(folder: OctoFolder, tokenizers: Mapping[str, Any], path: str) -> Any:
    """Name of the tokenizer of words and of its encoder; None where there is none."""
    if not tokenizers:
        return None, None
    name, value = _only(tokenizers, f"{path}.task_tokenizers", "tokenizer of the task")
    spec = Spec(value, f"{path}.task_tokenizers.{name}")
    if spec.name != "LanguageTokenizer":
        raise BadData(
            f"{spec.where}: expected a LanguageTokenizer, got {spec.name}. "
            "Other tokenizers of tasks cannot be imported."
        )
    encoder = spec.take("encoder", None)
    spec.take("finetune_encoder", False)
    spec.only("proper_pad_mask", True, "Absent instructions would have to be read as words.")
    spec.take("num_tokens", 0)
    spec.finish()
    if encoder is not None and "t5" not in encoder:
        raise BadData(
            f"{spec.where}.encoder: expected T5 or none, got {encoder}. Only T5 is built here."
        )
    given = any(key.partition("/")[0] == "language_instruction" for key in _keys(folder, "task"))
    return (name, encoder) if given else (None, None)


def _window(folder: OctoFolder) -> int:
    """Frames of a window, as the model was trained."""
    told = folder.config.get("window_size")
    if told is None:
        masks = [s for n, s in folder.shapes.items() if n.endswith("pad_mask") and len(s) == 2]
        told = masks[0][1] if masks else 1
    return int(told)


def _keys(folder: OctoFolder, part: str) -> list[str]:
    """What the example batch has of one part, in Octo's order."""
    names = (name.removeprefix(f"{part}/") for name in folder.shapes if name.startswith(f"{part}/"))
    return sorted(name for name in names if not name.startswith("pad_mask_dict/"))


def _matching(patterns: Sequence[str], keys: Sequence[str]) -> list[str]:
    return [key for key in keys if any(re.match(pattern, key) for pattern in patterns)]


def _only(parts: Any, where: str, what: str) -> tuple[str, Any]:
    if not isinstance(parts, dict) or len(parts) != 1:
        found = ", ".join(sorted(parts)) if isinstance(parts, dict) and parts else "none"
        raise BadData(
            f"{where}: expected one {what}, got {found}. Models with several cannot be imported."
        )
    return next(iter(parts.items()))
