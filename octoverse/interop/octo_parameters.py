"""Which of flax's parameters of an Octo model is which part of which tensor of ours.

Every line of the table gives a view of our tensor that is laid out as flax lays out its parameter,
so that one table reads weights in, and gives gradients back.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from octoverse.errors import BadData
from octoverse.interop.octo_policy import ACTION, LANGUAGE, image_key
from octoverse.interop.octo_settings import OctoCamera, OctoSettings
from octoverse.readouts.octo_regression import POOL_HEADS
from octoverse.tokenizers.t5 import T5Size

View = Callable[[Tensor], Tensor]
NOT_OCTOS = {f"tokenizers.{LANGUAGE}.vocabulary"}
"""What a policy has that is no parameter of Octo's."""


@dataclass(frozen=True)
class Place:
    """Where one parameter of flax stands."""

    flax: str
    tensor: str
    """Name in the policy's state."""
    view: View
    """Of that tensor, laid out as flax has it."""


def fill(
    state: Mapping[str, Tensor], places: list[Place], parameters: Mapping[str, np.ndarray]
) -> None:
    """Copy every parameter to its place.

    Args:
        state: The policy's tensors; they are written to.
        places: Where each parameter stands.
        parameters: By flax's names.

    Raises:
        BadData: unless each of the parameters has one place, of its shape, and all tensors are
            filled.
    """
    views = {place.flax: place.view(state[place.tensor]) for place in places}
    wrong = [
        f"'{name}' {tuple(views[name].shape)} is missing"
        for name in views.keys() - parameters.keys()
    ]
    wrong += [
        f"'{name}' {parameters[name].shape} has no place"
        for name in parameters.keys() - views.keys()
    ]
    wrong += [
        f"'{name}' is {parameters[name].shape}, expected {tuple(view.shape)}"
        for name, view in views.items()
        if name in parameters and parameters[name].shape != tuple(view.shape)
    ]
    if wrong:
        told = "; ".join(sorted(wrong)[:8]) + ("; ..." if len(wrong) > 8 else "")
        raise BadData(
            f"expected the parameters of the model that config.json describes, got others "
            f"({len(wrong)}): {told}. The two belong to different models; fetch the folder again."
        )
    filled = Counter[str]()
    with torch.no_grad():
        for place in places:
            view = views[place.flax]
            view.copy_(torch.from_numpy(np.array(parameters[place.flax], np.float32)))
            filled[place.tensor] += view.numel()
    for name, tensor in state.items():
        if name not in NOT_OCTOS and filled[name] != tensor.numel():
            raise BadData(
                f"expected parameters for all {tensor.numel()} numbers of '{name}', got "
                f"{filled[name]}. This model has parts that config.json does not speak of."
            )


def places(settings: OctoSettings, encoder: T5Size | None) -> list[Place]:
    """All parameters of a model."""
    return [*_octo(settings, encoder), *_head(settings)]


def _octo(settings: OctoSettings, encoder: T5Size | None) -> Iterator[Place]:
    root = "octo_transformer"
    for camera in settings.cameras:
        yield from _camera(camera)
        yield _positions(f"obs_{camera.name}", image_key(camera))
    if settings.language is not None:
        group = f"task_{settings.language}"
        yield from _dense(f"{root}/{group}_projection", f"tokenizers.{LANGUAGE}.project")
        yield Place(f"{root}/{group}_pos_embedding", f"trunk.positions.{LANGUAGE}", _itself)
        if encoder is not None:
            model = f"{root}/task_tokenizers_{settings.language}/hf_model"
            yield from _t5(model, f"tokenizers.{LANGUAGE}.encoder", encoder)
    yield _positions(f"readout_{settings.readout}", ACTION)
    transformer = f"{root}/BlockTransformer_0/Transformer_0"
    for layer in range(settings.layers):
        flax, ours = f"{transformer}/encoderblock_{layer}", f"trunk.blocks.{layer}"
        yield from _norm(f"{flax}/LayerNorm_0", f"{ours}.attention_norm")
        yield from _attention(
            f"{flax}/MultiHeadDotProductAttention_0", ours, settings.width, settings.heads
        )
        yield from _norm(f"{flax}/LayerNorm_1", f"{ours}.mlp_norm")
        yield from _dense(f"{flax}/MlpBlock_0/Dense_0", f"{ours}.mlp.0")
        yield from _dense(f"{flax}/MlpBlock_0/Dense_1", f"{ours}.mlp.2")
    yield from _norm(f"{transformer}/encoder_norm", "trunk.norm")


def _camera(camera: OctoCamera) -> Iterator[Place]:
    root, ours = "octo_transformer", f"tokenizers.{image_key(camera)}"
    stem = f"{root}/observation_tokenizers_{camera.name}/{camera.encoder}_0"
    for number in range(len(camera.channels)):
        yield from _convolution(f"{stem}/StdConv_{number}", f"{ours}.convolutions.{number}")
        yield from _norm(f"{stem}/GroupNorm_{number}", f"{ours}.norms.{number}")
    yield from _convolution(f"{stem}/embedding", f"{ours}.embed")
    yield from _dense(f"{root}/obs_{camera.name}_projection", f"{ours}.project")


def _attention(flax: str, ours: str, width: int, heads: int) -> Iterator[Place]:
    """Queries, keys and values are one product of ours, in this order."""
    for number, name in enumerate(("query", "key", "value")):
        part = slice(number * width, (number + 1) * width)
        yield from _into_heads(f"{flax}/{name}", f"{ours}.project_in", heads, part)
    yield from _out_of_heads(f"{flax}/out", f"{ours}.project_out", heads)


def _into_heads(flax: str, ours: str, heads: int, part: slice = slice(None)) -> Iterator[Place]:
    """Some rows of a linear map of ours; flax has (in, heads, channels)."""
    yield Place(
        f"{flax}/kernel", f"{ours}.weight", lambda tensor: tensor[part].T.unflatten(1, (heads, -1))
    )
    yield Place(
        f"{flax}/bias", f"{ours}.bias", lambda tensor: tensor[part].unflatten(0, (heads, -1))
    )


def _out_of_heads(flax: str, ours: str, heads: int) -> Iterator[Place]:
    """Flax has (heads, channels, out)."""
    yield Place(
        f"{flax}/kernel", f"{ours}.weight", lambda tensor: tensor.T.unflatten(0, (heads, -1))
    )
    yield Place(f"{flax}/bias", f"{ours}.bias", _itself)


def _head(settings: OctoSettings) -> Iterator[Place]:
    root, ours = f"heads_{settings.head.name}", f"readouts.{ACTION}"
    if settings.head.kind == "diffusion":
        yield from _denoiser(f"{root}/diffusion_model", f"{ours}.denoiser", settings.head.blocks)
        return
    yield from _dense(f"{root}/mean_proj", f"{ours}.project")
    if settings.head.pooled:
        flax, pool = f"{root}/map_head", f"{ours}.pool"
        yield Place(f"{flax}/probe", f"{pool}.probe", lambda tensor: tensor[None])
        attention = f"{flax}/MultiHeadDotProductAttention_0"
        for name in ("query", "key", "value"):
            yield from _into_heads(f"{attention}/{name}", f"{pool}.{name}", POOL_HEADS)
        yield from _out_of_heads(f"{attention}/out", f"{pool}.leave", POOL_HEADS)
        yield from _norm(f"{flax}/LayerNorm_0", f"{pool}.norm")
        yield from _dense(f"{flax}/MlpBlock_0/Dense_0", f"{pool}.mlp.0")
        yield from _dense(f"{flax}/MlpBlock_0/Dense_1", f"{pool}.mlp.2")


def _denoiser(flax: str, ours: str, blocks: int) -> Iterator[Place]:
    yield Place(
        f"{flax}/time_preprocess/kernel", f"{ours}.frequency", lambda tensor: tensor[:, None]
    )
    yield from _dense(f"{flax}/cond_encoder/Dense_0", f"{ours}.time.0")
    yield from _dense(f"{flax}/cond_encoder/Dense_1", f"{ours}.time.2")
    yield from _dense(f"{flax}/reverse_network/Dense_0", f"{ours}.enter")
    for number in range(blocks):
        block = f"{flax}/reverse_network/MLPResNetBlock_{number}"
        yield from _norm(f"{block}/LayerNorm_0", f"{ours}.blocks.{number}.norm")
        yield from _dense(f"{block}/Dense_0", f"{ours}.blocks.{number}.widen")
        yield from _dense(f"{block}/Dense_1", f"{ours}.blocks.{number}.narrow")
    yield from _dense(f"{flax}/reverse_network/Dense_1", f"{ours}.leave")


def _t5(flax: str, ours: str, size: T5Size) -> Iterator[Place]:
    yield Place(f"{flax}/shared/embedding", f"{ours}.embed_tokens.weight", _itself)
    yield Place(
        f"{flax}/encoder/final_layer_norm/weight", f"{ours}.final_layer_norm.weight", _itself
    )
    inner = ("wi_0", "wi_1", "wo") if size.gated else ("wi", "wo")
    for layer in range(size.layers):
        for place, (name, parts) in enumerate(
            {"SelfAttention": ("q", "k", "v", "o"), "DenseReluDense": inner}.items()
        ):
            there, here = (
                f"{flax}/encoder/block/{layer}/layer/{place}",
                f"{ours}.block.{layer}.layer.{place}",
            )
            yield Place(f"{there}/layer_norm/weight", f"{here}.layer_norm.weight", _itself)
            for part in parts:
                yield Place(
                    f"{there}/{name}/{part}/kernel", f"{here}.{name}.{part}.weight", _turned
                )
    bias = "layer/0/SelfAttention/relative_attention_bias"
    yield Place(
        f"{flax}/encoder/block/0/{bias}/embedding",
        f"{ours}.block.0.{bias.replace('/', '.')}.weight",
        _itself,
    )


def _positions(group: str, slot: str) -> Place:
    flax = f"octo_transformer/{group}_pos_embedding"
    return Place(flax, f"trunk.positions.{slot}", lambda tensor: tensor[None])


def _dense(flax: str, ours: str) -> Iterator[Place]:
    yield Place(f"{flax}/kernel", f"{ours}.weight", _turned)
    yield Place(f"{flax}/bias", f"{ours}.bias", _itself)


def _norm(flax: str, ours: str) -> Iterator[Place]:
    yield Place(f"{flax}/scale", f"{ours}.weight", _itself)
    yield Place(f"{flax}/bias", f"{ours}.bias", _itself)


def _convolution(flax: str, ours: str) -> Iterator[Place]:
    """Flax has (height, width, in, out), we (out, in, height, width)."""
    yield Place(f"{flax}/kernel", f"{ours}.weight", lambda tensor: tensor.permute(2, 3, 1, 0))
    yield Place(f"{flax}/bias", f"{ours}.bias", _itself)


def _itself(tensor: Tensor) -> Tensor:
    return tensor


def _turned(tensor: Tensor) -> Tensor:
    return tensor.T
