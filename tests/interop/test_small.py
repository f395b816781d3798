"""A model of Octo's size small with random parameters equals the formulas, written out in numpy."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from octoverse import checkpoint
from octoverse.acting import LocalPolicy
from octoverse.synthetic import random_frame

Arrays = Mapping[str, np.ndarray]


@pytest.mark.parametrize("size", ["small", "tiny"])
def test_the_trunk_equals_its_formulas(
    tmp_path: Path, made_octo: Any, opened: Callable[[Path], Any], close: Any, size: str
) -> None:
    exact = size == "small"  # the tiny one counts groups as models of December 2023 did
    sizes = made_octo.Sizes() if exact else made_octo.TINY
    told = made_octo.config(sizes)
    told["model"]["use_correct_attention"] = exact
    weights, given = made_octo.parameters(sizes), made_octo.inputs(sizes, 1 if exact else 2)
    made_octo.write(tmp_path / "checkpoint", sizes, told=told, held=weights)
    np.savez(tmp_path / "inputs.npz", **given)
    original = opened(tmp_path)
    close(original.run()["action"].values, reference(weights, given, sizes, exact=exact))
    if exact:
        assert sum(one.numel() for one in original.policy.parameters()) == 27_042_060
        acts_and_survives(original.policy, tmp_path / "saved")


def acts_and_survives(policy: Any, folder: Path) -> None:
    checkpoint.save(policy, folder)
    body, rng = policy.bodies["widowx"], np.random.default_rng(0)
    frames = [random_frame(body, rng) for _ in range(2)]
    for frame in frames:
        frame.pop("instruction", None)  # this model takes embeddings
    frames[0]["wrist"] = rng.integers(0, 256, (128, 128, 3), np.uint8)
    answers = []
    for one in (policy, checkpoint.load(folder)):
        robot = LocalPolicy(one, "widowx")
        for number, frame in enumerate(frames):
            chunk = robot.act(frame, observed_at_ns=number * 200_000_000, seed=3)
        answers.append(np.concatenate([chunk.action["arm"], chunk.action["gripper"]], 1))
    assert answers[0].shape == (4, 7) and np.isfinite(answers[0]).all()
    assert np.array_equal(answers[0], answers[1])


def reference(weights: Arrays, given: Arrays, sizes: Any, *, exact: bool) -> np.ndarray:
    """Octo's transformer by its formulas, token by token in its own order; (b, w, 1, d)."""
    root = "octo_transformer"
    timely = given["observation/timestep_pad_mask"]
    b, w = timely.shape
    language = dense(
        weights, f"{root}/task_language_projection", given["task/language_instruction"]
    )
    language = language + weights[f"{root}/task_language_pos_embedding"]
    said = given["task/pad_mask_dict/language_instruction"]
    groups, masks = [], []
    for name, _ in sizes.cameras:
        patches = stem(weights, name, given, len(sizes.channels))
        projected = dense(weights, f"{root}/obs_{name}_projection", patches)
        groups.append(projected + weights[f"{root}/obs_{name}_pos_embedding"][:, :w])
        seen = given[f"observation/pad_mask_dict/image_{name}"] & timely
        masks.append(np.broadcast_to(seen[..., None], groups[-1].shape[:3]))
    groups.append(np.broadcast_to(language[:, None], (b, w, *language.shape[1:])))
    masks.append(np.broadcast_to(said[:, None, None], groups[-1].shape[:3]))
    place = weights[f"{root}/readout_action_pos_embedding"][:, :w]
    groups.append(np.broadcast_to(place, (b, *place.shape[1:])))
    masks.append(np.ones((b, w, 1), bool))
    x = np.concatenate([language, np.concatenate(groups, 2).reshape(b, -1, sizes.width)], 1)
    first = np.broadcast_to(said[:, None], language.shape[:2])
    valid = np.concatenate([first, np.concatenate(masks, 2).reshape(b, -1)], 1)
    allowed = rules(language.shape[1], [one.shape[2] for one in groups], w, exact) & valid[:, None]
    for layer in range(sizes.layers):
        block = f"{root}/BlockTransformer_0/Transformer_0/encoderblock_{layer}"
        x = x + attention(weights, block, norm(weights, f"{block}/LayerNorm_0", x), allowed)
        inner = dense(
            weights, f"{block}/MlpBlock_0/Dense_0", norm(weights, f"{block}/LayerNorm_1", x)
        )
        inner = 0.5 * inner * (1 + np.tanh((2 / np.pi) ** 0.5 * (inner + 0.044715 * inner**3)))
        x = x + dense(weights, f"{block}/MlpBlock_0/Dense_1", inner)
    x = norm(weights, f"{root}/BlockTransformer_0/Transformer_0/encoder_norm", x)
    return x[:, language.shape[1] :].reshape(b, w, -1, sizes.width)[:, :, -1:]


def rules(words: int, counts: list[int], steps: int, exact: bool) -> np.ndarray:
    """Who may read whom: tasks the tasks, observations no readout, nobody the future."""
    kinds = np.concatenate([[1] * sum(counts[:-1]), [2] * counts[-1]])
    if not exact:  # the readout's first token was taken for an observation
        kinds[sum(counts[:-1])] = 1
    kind = np.concatenate([[0] * words, *[kinds] * steps])
    step = np.concatenate([[-1] * words, np.repeat(np.arange(steps), len(kinds))])
    q, k = kind[:, None], kind[None]
    return ((k == 0) | ((q > 0) & (k == 1)) | ((q == 2) & (k == 2))) & (step[None] <= step[:, None])


def attention(weights: Arrays, block: str, x: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    name = f"{block}/MultiHeadDotProductAttention_0"
    query, key, value = (
        np.einsum("bnd,dhc->bhnc", x, weights[f"{name}/{part}/kernel"], optimize=True)
        + weights[f"{name}/{part}/bias"][:, None]
        for part in ("query", "key", "value")
    )
    score = query @ key.swapaxes(-1, -2) / query.shape[-1] ** 0.5
    score = np.where(allowed[:, None], score, np.finfo(np.float32).min)
    share = np.exp(score - score.max(-1, keepdims=True))
    read = share / share.sum(-1, keepdims=True) @ value
    out = np.einsum("bhnc,hcd->bnd", read, weights[f"{name}/out/kernel"], optimize=True)
    return out + weights[f"{name}/out/bias"]


def stem(weights: Arrays, name: str, given: Arrays, layers: int) -> np.ndarray:
    """Patches of images with the goal stacked on their channels, (b, w, n, c)."""
    image, goal = given[f"observation/image_{name}"], given[f"task/image_{name}"]
    b, w = image.shape[:2]
    pair = np.concatenate([image, np.repeat(goal[:, None], w, 1)], -1)
    x = (pair.reshape(b * w, *pair.shape[2:]).astype(np.float32)) / 127.5 - 1
    root = f"octo_transformer/observation_tokenizers_{name}/SmallStem16_0"
    for i in range(layers):
        kernel = weights[f"{root}/StdConv_{i}/kernel"]
        kernel = kernel - kernel.mean((0, 1, 2))
        kernel = kernel / (kernel.std((0, 1, 2)) + 1e-5)
        padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        seen = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))[:, ::2, ::2]
        x = np.einsum("byxcij,ijco->byxo", seen, kernel, optimize=True)
        x = x + weights[f"{root}/StdConv_{i}/bias"]
        together = x.reshape(*x.shape[:3], 32, -1)
        mean, spread = (f(together, (1, 2, 4), keepdims=True) for f in (np.mean, np.var))
        x = ((together - mean) / np.sqrt(spread + 1e-6)).reshape(x.shape)
        x = x * weights[f"{root}/GroupNorm_{i}/scale"] + weights[f"{root}/GroupNorm_{i}/bias"]
        x = np.maximum(x, 0)
    kernel = weights[f"{root}/embedding/kernel"][0, 0]
    return (x @ kernel + weights[f"{root}/embedding/bias"]).reshape(b, w, -1, kernel.shape[-1])


def dense(weights: Arrays, name: str, x: np.ndarray) -> np.ndarray:
    made: np.ndarray = x @ weights[f"{name}/kernel"] + weights[f"{name}/bias"]
    return made


def norm(weights: Arrays, name: str, x: np.ndarray) -> np.ndarray:
    centred = x - x.mean(-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-6)
    made: np.ndarray = scaled * weights[f"{name}/scale"] + weights[f"{name}/bias"]
    return made
