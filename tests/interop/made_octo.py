"""Octo checkpoint folders with random parameters, written without Octo."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

TOKENIZERS, HEADS = "octo.model.components.tokenizers", "octo.model.components.action_heads"
ENCODERS = "octo.model.components.vit_encoders"


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """A model; Octo's small one unless said."""

    width: int = 384
    layers: int = 12
    heads: int = 6
    mlp: int = 1536
    channels: tuple[int, ...] = (32, 96, 192, 384)
    features: int = 512
    cameras: tuple[tuple[str, int], ...] = (("primary", 256), ("wrist", 128))
    words: int = 16
    embedding: int = 768
    frames: int = 10
    hidden: int = 256
    t5: bool = False
    """Whether instructions come as word pieces, for a T5 of 2 layers and `embedding` channels."""

    def tokens(self, side: int) -> int:
        return (side // 2 ** len(self.channels)) ** 2


TINY = Sizes(
    width=64,
    layers=2,
    heads=4,
    mlp=128,
    channels=(32, 32, 32, 64),
    features=64,
    cameras=(("primary", 64), ("wrist", 32)),
    words=6,
    embedding=32,
    frames=5,
    hidden=48,
)


def spec(module: str, name: str, **arguments: Any) -> dict[str, Any]:
    return {"module": module, "name": name, "args": [], "kwargs": arguments}


def config(sizes: Sizes) -> dict[str, Any]:
    """config.json, as Octo writes it."""
    stem = {"features": list(sizes.channels), "num_features": sizes.features}

    def camera(name: str) -> dict[str, Any]:
        keys = [f"image_{name}"]
        encoder = spec(ENCODERS, "SmallStem16", **stem)
        return spec(
            TOKENIZERS, "ImageTokenizer", obs_stack_keys=keys, task_stack_keys=keys, encoder=encoder
        )

    language = spec(
        TOKENIZERS,
        "LanguageTokenizer",
        encoder="t5-base" if sizes.t5 else None,
        finetune_encoder=False,
    )
    head = {
        "readout_key": "readout_action",
        "use_map": False,
        "action_horizon": 4,
        "action_dim": 7,
        "n_diffusion_samples": 1,
        "dropout_rate": 0.0,
        "hidden_dim": sizes.hidden,
    }
    model = {
        "observation_tokenizers": {name: camera(name) for name, _ in sizes.cameras},
        "task_tokenizers": {"language": language},
        "heads": {"action": spec(HEADS, "DiffusionActionHead", **head)},
        "readouts": {"action": 1},
        "token_embedding_size": sizes.width,
        "transformer_kwargs": {
            "num_layers": sizes.layers,
            "mlp_dim": sizes.mlp,
            "num_attention_heads": sizes.heads,
            "dropout_rate": 0.0,
            "attention_dropout_rate": 0.0,
            "add_position_embedding": False,
        },
        "max_horizon": sizes.frames,
        "repeat_task_tokens": True,
        "use_correct_attention": True,
    }
    return {"model": model, "text_processor": None, "window_size": 2}


def shapes(sizes: Sizes) -> dict[str, tuple[int, ...]]:
    """Every parameter of flax's tree with its shape."""
    found: dict[str, tuple[int, ...]] = {}
    width, heads = sizes.width, (sizes.heads, sizes.width // sizes.heads)
    root = "octo_transformer"

    def dense(name: str, before: int, after: int) -> None:
        found[f"{name}/kernel"], found[f"{name}/bias"] = (before, after), (after,)

    def norm(name: str, size: int) -> None:
        found[f"{name}/scale"] = found[f"{name}/bias"] = (size,)

    for name, side in sizes.cameras:
        stem, before = f"{root}/observation_tokenizers_{name}/SmallStem16_0", 6
        for i, after in enumerate(sizes.channels):
            found[f"{stem}/StdConv_{i}/kernel"] = (3, 3, before, after)
            found[f"{stem}/StdConv_{i}/bias"] = (after,)
            norm(f"{stem}/GroupNorm_{i}", after)
            before = after
        found[f"{stem}/embedding/kernel"] = (1, 1, before, sizes.features)
        found[f"{stem}/embedding/bias"] = (sizes.features,)
        dense(f"{root}/obs_{name}_projection", sizes.features, width)
        found[f"{root}/obs_{name}_pos_embedding"] = (1, sizes.frames, sizes.tokens(side), width)
    dense(f"{root}/task_language_projection", sizes.embedding, width)
    found[f"{root}/task_language_pos_embedding"] = (1, sizes.words, width)
    found[f"{root}/readout_action_pos_embedding"] = (1, sizes.frames, 1, width)
    for layer in range(sizes.layers):
        block = f"{root}/BlockTransformer_0/Transformer_0/encoderblock_{layer}"
        norm(f"{block}/LayerNorm_0", width)
        norm(f"{block}/LayerNorm_1", width)
        attention = f"{block}/MultiHeadDotProductAttention_0"
        for part in ("query", "key", "value"):
            found[f"{attention}/{part}/kernel"] = (width, *heads)
            found[f"{attention}/{part}/bias"] = heads
        found[f"{attention}/out/kernel"], found[f"{attention}/out/bias"] = (*heads, width), (width,)
        dense(f"{block}/MlpBlock_0/Dense_0", width, sizes.mlp)
        dense(f"{block}/MlpBlock_0/Dense_1", sizes.mlp, width)
    norm(f"{root}/BlockTransformer_0/Transformer_0/encoder_norm", width)
    head, hidden = "heads_action/diffusion_model", sizes.hidden
    found[f"{head}/time_preprocess/kernel"] = (16, 1)
    dense(f"{head}/cond_encoder/Dense_0", 32, 64)
    dense(f"{head}/cond_encoder/Dense_1", 64, 32)
    dense(f"{head}/reverse_network/Dense_0", 32 + width + 28, hidden)
    for i in range(3):
        block = f"{head}/reverse_network/MLPResNetBlock_{i}"
        norm(f"{block}/LayerNorm_0", hidden)
        dense(f"{block}/Dense_0", hidden, 4 * hidden)
        dense(f"{block}/Dense_1", 4 * hidden, hidden)
    dense(f"{head}/reverse_network/Dense_1", hidden, 28)
    if sizes.t5:
        d, model = sizes.embedding, f"{root}/task_tokenizers_language/hf_model"
        found[f"{model}/shared/embedding"] = (64, d)
        found[f"{model}/encoder/final_layer_norm/weight"] = (d,)
        for layer in range(2):
            block = f"{model}/encoder/block/{layer}/layer"
            for part, shape in {"q": (d, 24), "k": (d, 24), "v": (d, 24), "o": (24, d)}.items():
                found[f"{block}/0/SelfAttention/{part}/kernel"] = shape
            found[f"{block}/0/layer_norm/weight"] = found[f"{block}/1/layer_norm/weight"] = (d,)
            found[f"{block}/1/DenseReluDense/wi/kernel"] = (d, 40)
            found[f"{block}/1/DenseReluDense/wo/kernel"] = (40, d)
        bias = f"{model}/encoder/block/0/layer/0/SelfAttention/relative_attention_bias/embedding"
        found[bias] = (32, 3)
    return found


def pooled_head(sizes: Sizes) -> dict[str, np.ndarray]:
    """Parameters of a regression head that pools its tokens by attention."""
    d, rng, pool = sizes.width, np.random.default_rng(2), "heads_action/map_head"
    attention = f"{pool}/MultiHeadDotProductAttention_0"
    found = {f"{pool}/probe": (1, 1, d), f"{pool}/LayerNorm_0/scale": (d,)}
    for part in ("query", "key", "value"):
        found |= {f"{attention}/{part}/kernel": (d, 8, d // 8)}
        found |= {f"{attention}/{part}/bias": (8, d // 8)}
    found |= {f"{attention}/out/kernel": (8, d // 8, d), f"{attention}/out/bias": (d,)}
    found |= {f"{pool}/LayerNorm_0/bias": (d,), f"{pool}/MlpBlock_0/Dense_0/kernel": (d, 4 * d)}
    found |= {f"{pool}/MlpBlock_0/Dense_0/bias": (4 * d,)}
    found |= {f"{pool}/MlpBlock_0/Dense_1/kernel": (4 * d, d)}
    found |= {f"{pool}/MlpBlock_0/Dense_1/bias": (d,)}
    found |= {"heads_action/mean_proj/kernel": (d, 28), "heads_action/mean_proj/bias": (28,)}
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in found.items()}


def parameters(sizes: Sizes, seed: int = 0) -> dict[str, np.ndarray]:
    """Random ones: no bias is zero and no scale one."""
    rng, found = np.random.default_rng(seed), dict[str, np.ndarray]()
    for name, shape in shapes(sizes).items():
        kernel = name.endswith("kernel")
        spread = (np.prod(shape[:-1]) if len(shape) != 3 else shape[0]) ** -0.5 if kernel else 0.1
        centre = 1.0 if name.endswith(("scale", "norm/weight")) else 0.0
        found[name] = (centre + rng.normal(size=shape) * spread).astype(np.float32)
    return found


def inputs(sizes: Sizes, windows: int = 2) -> dict[str, np.ndarray]:
    """Windows of two steps: the first begins before its episode, the second lacks a wrist image."""
    rng, found = np.random.default_rng(1), dict[str, np.ndarray]()
    found["observation/timestep_pad_mask"] = np.array([[False, True], [True, True]])[:windows]
    for name, side in sizes.cameras:
        found[f"observation/image_{name}"] = rng.integers(
            0, 256, (windows, 2, side, side, 3), np.uint8
        )
        found[f"task/image_{name}"] = rng.integers(0, 256, (windows, side, side, 3), np.uint8)
        seen = np.array([[True, True], [True, name != "wrist"]])
        found[f"observation/pad_mask_dict/image_{name}"] = seen[:windows]
        found[f"task/pad_mask_dict/image_{name}"] = np.ones(windows, bool)
    found["task/pad_mask_dict/language_instruction"] = np.ones(windows, bool)
    if sizes.t5:
        found["task/language_instruction/input_ids"] = np.zeros((windows, sizes.words), np.int32)
    else:
        drawn = rng.normal(size=(windows, sizes.words, sizes.embedding))
        found["task/language_instruction"] = drawn.astype(np.float32)
    return found


def packed(leaves: Mapping[str, Any]) -> bytes:
    """Arrays by name as one file of flax."""
    tree: dict[str, Any] = {}
    for name, value in leaves.items():
        *path, last = name.split("/")
        branch = tree
        for part in path:
            branch = branch.setdefault(part, {})
        inner = msgspec.msgpack.encode((value.shape, value.dtype.name, value.tobytes()))
        branch[last] = msgspec.msgpack.Ext(1, inner)
    return msgspec.msgpack.encode(tree)


def write(
    folder: Path,
    sizes: Sizes = TINY,
    *,
    told: Mapping[str, Any] | None = None,
    statistics: Mapping[str, Any] | None = None,
    held: Mapping[str, np.ndarray] | None = None,
    step: int = 300_000,
) -> Path:
    """Write a checkpoint.

    Args:
        folder: Where.
        sizes: Of the model.
        told: What config.json says instead.
        statistics: What dataset_statistics.json says instead.
        held: Parameters instead.
        step: Of training.
    """
    (folder / f"{step}/default").mkdir(parents=True)
    held = parameters(sizes) if held is None else held
    (folder / f"{step}/default/checkpoint").write_bytes(packed(held))
    (folder / "config.json").write_text(json.dumps(told or config(sizes)))
    plain = {"mean": [0.1 * i for i in range(7)], "std": [0.5 + i for i in range(7)]}
    mask = [True] * 6 + [False]
    known = {"bridge_dataset": {"action": {**plain, "mask": mask}, "num_transitions": 9}}
    chosen = known if statistics is None else statistics
    (folder / "dataset_statistics.json").write_text(json.dumps(chosen))
    (folder / "example_batch.msgpack").write_bytes(packed(inputs(sizes)))
    return folder
