"""An Octo model as a policy of ours, before its weights: body, modules, sizes of images."""

from collections.abc import Mapping
from typing import Any, Literal, cast

import msgspec
import numpy as np

from octoverse.config import BodyConfig, PolicyConfig, ReadoutUse, TokenizerUse, WindowConfig
from octoverse.embodiment import Camera, Embodiment, GoalImage, Instruction
from octoverse.errors import BadData
from octoverse.interop.octo_settings import OctoCamera, OctoSettings
from octoverse.preprocess import ImageSize, PreprocessConfig
from octoverse.readouts.denoisers.mlp_resnet import MlpResNetConfig
from octoverse.readouts.diffusion import DiffusionConfig
from octoverse.readouts.octo_regression import OctoRegressionConfig
from octoverse.recipes.compose import goal_of, instruction
from octoverse.tokenizers.octo_stem import OctoStemTokenizerConfig
from octoverse.tokenizers.t5 import T5Size, T5TokenizerConfig
from octoverse.trunk.config import NativeTrunkConfig

LANGUAGE, ACTION = "language", "action"


def body_of(body: Embodiment, settings: OctoSettings, numbers: int) -> Embodiment:
    """The body as the model sees and moves it.

    It has every stream that the model reads; what it lacked is optional. A model may read cameras
    that this robot has not: their tokens are then invalid. Instructions are optional too, since the
    model is also led by goal images alone. Action groups after those that the model makes are left
    out: Octo drops what data sets say of a moving base, or of being done.

    Args:
        body: As it is installed.
        settings: What the model reads.
        numbers: How many numbers of an action have statistics.

    Raises:
        BadData: if no first groups of the body have just so many numbers.
    """
    action, left = {}, numbers
    for name, group in body.action.items():
        if left > 0:
            action[name], left = group, left - group.size
    if left:
        groups = ", ".join(f"{name} {group.size}" for name, group in body.action.items())
        raise BadData(
            f"expected a body whose first groups have the {numbers} numbers of the model's "
            f"actions, got '{body.name}' with {groups}. Name the body of these data "
            "(--embodiment NAME), or write one (octoverse embodiments new)."
        )
    body = msgspec.structs.replace(body, action=action)
    streams = dict(body.observation)
    for camera in settings.cameras:
        if _stream(body, camera) is None:
            streams[camera.role] = Camera(
                height=camera.height, width=camera.width, role=camera.role, optional=True
            )
    if settings.language is not None:
        streams[instruction(body) or "instruction"] = Instruction(optional=True)
    body = msgspec.structs.replace(body, observation=streams)
    for camera in settings.cameras:
        name = cast(str, _stream(body, camera))
        if camera.goal and goal_of(body, name) is None:
            streams[f"goal_{name}"] = GoalImage(
                camera=name, height=camera.height, width=camera.width
            )
    return msgspec.structs.replace(body, observation=streams)


def policy_config(
    settings: OctoSettings,
    parameters: Mapping[str, np.ndarray],
    body: Embodiment,
    vocabulary_bytes: int = 0,
) -> PolicyConfig:
    """The config of the policy.

    Args:
        settings: What config.json says.
        parameters: Their shapes say the sizes of the language encoder.
        body: As `body_of` made it.
        vocabulary_bytes: Size of the vocabulary of the language encoder.

    Raises:
        BadData: if the parameters lack what says the sizes.
    """
    tokenizers: dict[str, Any] = {}
    uses = []
    if settings.language is not None:
        tokenizers[LANGUAGE] = _language(settings, parameters, vocabulary_bytes)
        words = cast(str, instruction(body))
        uses.append(
            TokenizerUse(key=LANGUAGE, streams={"instruction": words}, repeat=settings.repeat)
        )
    for camera in settings.cameras:
        name = cast(str, _stream(body, camera))
        streams = {"image": name}
        if camera.goal:
            streams["goal"] = cast(str, goal_of(body, name))
        tokenizers[image_key(camera)] = OctoStemTokenizerConfig(
            height=camera.height,
            width=camera.width,
            goal=camera.goal,
            channels=camera.channels,
            side=camera.side,
            features=camera.features,
            pixels=cast(Literal["symmetric", "imagenet"], camera.pixels),
        )
        uses.append(TokenizerUse(key=image_key(camera), streams=streams))
    numbers = sum(group.size for group in body.action.values())
    made = ReadoutUse(
        key=ACTION,
        groups=tuple(body.action),
        every_step=True,
        size=settings.head.size if settings.head.size > numbers else 0,
    )
    return PolicyConfig(
        trunk=NativeTrunkConfig(
            width=settings.width,
            layers=settings.layers,
            heads=settings.heads,
            mlp_ratio=settings.mlp_width / settings.width,
            activation="gelu_tanh",
            epsilon=1e-6,
            max_frames=settings.max_frames,
            shifted=not settings.exact_groups,
        ),
        bodies={
            body.name: BodyConfig(
                tokenizers=tuple(uses), readouts=(made,), horizon=settings.head.horizon
            )
        },
        tokenizers=tokenizers,
        readouts={ACTION: _readout(settings)},
        window=WindowConfig(frames=settings.window),
        preprocess=PreprocessConfig(
            height=256,
            width=256,
            sizes=tuple(
                ImageSize(role=camera.role, height=camera.height, width=camera.width)
                for camera in settings.cameras
            ),
            filter="lanczos3",
        ),
    )


def image_key(camera: OctoCamera) -> str:
    """The key of a camera's tokenizer."""
    return f"image/{camera.name}"


def _stream(body: Embodiment, camera: OctoCamera) -> str | None:
    """Which stream of a body is this camera."""
    return next((name for name, one in body.cameras.items() if one.role == camera.role), None)


def _readout(settings: OctoSettings) -> DiffusionConfig | OctoRegressionConfig:
    head = settings.head
    if head.kind == "regression":
        return OctoRegressionConfig(
            token_count=settings.readout_tokens,
            pooled=head.pooled,
            error=cast(Literal["l1", "mse"], head.loss),
            bound=head.largest,
        )
    return DiffusionConfig(
        token_count=settings.readout_tokens,
        mlp_resnet=MlpResNetConfig(
            hidden=head.hidden, blocks=head.blocks, time_width=head.time_width
        ),
        steps=head.steps,
        clip=head.largest,
    )


def _language(
    settings: OctoSettings, parameters: Mapping[str, np.ndarray], vocabulary_bytes: int
) -> T5TokenizerConfig:
    def shape(name: str) -> tuple[int, ...]:
        full = f"octo_transformer/{name}"
        if full not in parameters:
            raise BadData(
                f"expected the parameter '{full}', which says a size of the model, found none. "
                "The checkpoint is of another model than its config.json."
            )
        return parameters[full].shape

    group = f"task_{settings.language}"
    tokens = shape(f"{group}_pos_embedding")[1]
    features = shape(f"{group}_projection/kernel")[0]
    if settings.encoder is None:
        return T5TokenizerConfig(tokens=tokens, features=features)
    inside = f"task_tokenizers_{settings.language}/hf_model"
    first = f"{inside}/encoder/block/0/layer"
    blocks = {
        name.removeprefix(f"octo_transformer/{inside}/encoder/block/").partition("/")[0]
        for name in parameters
        if name.startswith(f"octo_transformer/{inside}/encoder/block/")
    }
    buckets, heads = shape(f"{first}/0/SelfAttention/relative_attention_bias/embedding")
    gated = f"octo_transformer/{first}/1/DenseReluDense/wi_0/kernel" in parameters
    hidden = shape(f"{first}/1/DenseReluDense/{'wi_0' if gated else 'wi'}/kernel")[1]
    return T5TokenizerConfig(
        tokens=tokens,
        features=features,
        encoder=T5Size(
            layers=len(blocks),
            heads=heads,
            head_width=shape(f"{first}/0/SelfAttention/q/kernel")[1] // heads,
            hidden=hidden,
            vocabulary=shape(f"{inside}/shared/embedding")[0],
            buckets=buckets,
            gated=gated,
        ),
        vocabulary_bytes=vocabulary_bytes,
    )
