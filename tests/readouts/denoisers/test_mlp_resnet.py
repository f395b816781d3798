from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from octoverse.readouts.denoisers.denoiser import Condition
from octoverse.readouts.denoisers.mlp_resnet import MlpResNet, MlpResNetConfig


def network(**settings: int) -> MlpResNet:
    torch.manual_seed(0)
    return MlpResNetConfig(**{"hidden": 16, "time_width": 8, **settings}).build(6, 4, 3).eval()


def condition(batch: int = 3, words: int = 2) -> Condition:
    return Condition(torch.randn(batch, words, 6), torch.ones(batch, words, dtype=torch.bool))


def octo_s(folder: Path) -> MlpResNet:
    """The network of the fixture, with its weights."""
    flat = np.load(folder / "params.npz")

    def read(name: str) -> torch.Tensor:
        return torch.from_numpy(flat[f"heads_action/diffusion_model/{name}"])

    names = {
        "time.0": "cond_encoder/Dense_0",
        "time.2": "cond_encoder/Dense_1",
        "enter": "reverse_network/Dense_0",
        "leave": "reverse_network/Dense_1",
    }
    for number in range(3):
        block = f"reverse_network/MLPResNetBlock_{number}"
        names[f"blocks.{number}.widen"] = f"{block}/Dense_0"
        names[f"blocks.{number}.narrow"] = f"{block}/Dense_1"
    state = {"frequency": read("time_preprocess/kernel")[:, 0]}
    for ours, theirs in names.items():
        state[f"{ours}.weight"] = read(f"{theirs}/kernel").T
        state[f"{ours}.bias"] = read(f"{theirs}/bias")
    for number in range(3):
        norm = f"reverse_network/MLPResNetBlock_{number}/LayerNorm_0"
        state[f"blocks.{number}.norm.weight"] = read(f"{norm}/scale")
        state[f"blocks.{number}.norm.bias"] = read(f"{norm}/bias")
    found = MlpResNetConfig(hidden=48).build(64, 4, 7)
    found.load_state_dict(state)
    return found


def test_it_is_octo_s_score_network(real_data: Callable[[str], Path]) -> None:
    folder = real_data("octo_parity_tiny")
    told, made = np.load(folder / "outputs.npz"), octo_s(folder)
    words = torch.from_numpy(told["full/transformer/readout_action/tokens"]).flatten(0, 1)
    seen = Condition(words, torch.ones(4, 1, dtype=torch.bool))
    noised = torch.from_numpy(told["head/step/noisy_actions"]).reshape(4, 4, 7)
    times = torch.tensor([0, 7, 19])
    with torch.inference_mode():
        step = made.along(times, seen)
        for number, time in enumerate(times.tolist()):
            wanted = told[f"head/step/eps_t{time}"].reshape(4, 4, 7)
            at_once = made(noised, torch.full((4,), time), seen)
            np.testing.assert_allclose(at_once, wanted, rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(step(noised, number), wanted, rtol=1e-4, atol=1e-5)


def test_the_loop_s_steps_are_the_network_at_their_times() -> None:
    made, seen, noised = network(), condition(), torch.randn(3, 4, 3)
    step = made.along(torch.tensor([9, 4, 0]), seen)
    for number, time in enumerate([9, 4, 0]):
        wanted = made(noised, torch.full((3,), time), seen)
        torch.testing.assert_close(step(noised, number), wanted)
    mixed = made(noised, torch.tensor([9, 4, 0]), seen)
    torch.testing.assert_close(mixed[1], step(noised, 1)[1])


def test_it_reads_the_mean_of_the_valid_words() -> None:
    made, seen, noised, time = network(), condition(), torch.randn(3, 4, 3), torch.arange(3)
    mean = Condition(seen.words.mean(1, keepdim=True), seen.valid[:, :1])
    torch.testing.assert_close(made(noised, time, seen), made(noised, time, mean))
    seen.valid[:, 1] = False
    first = Condition(seen.words[:, :1], seen.valid[:, :1])
    seen.words[:, 1] = torch.nan
    torch.testing.assert_close(made(noised, time, seen), made(noised, time, first))
    nothing = Condition(seen.words, torch.zeros_like(seen.valid))
    assert made(noised, time, nothing).isfinite().all()


def test_in_bfloat16_it_is_nearly_the_same() -> None:
    made, seen, noised = network(), condition(), torch.randn(3, 4, 3)
    wanted = made(noised, torch.arange(3), seen)
    half = made.to(torch.bfloat16)
    seen = Condition(seen.words.bfloat16(), seen.valid)
    found = half(noised, torch.arange(3), seen)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, wanted, rtol=0.05, atol=0.05)
    step = half.along(torch.arange(3), seen)
    torch.testing.assert_close(step(noised, 1)[1], found[1], rtol=0.05, atol=0.05)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"hidden": 0}, "hidden must be at least 1, blocks at least 0 .* got 0, 3 and 32"),
        ({"blocks": -1}, "got 256, -1 and 32"),
        ({"time_width": 5}, "time_width even, got 256, 3 and 5"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        MlpResNetConfig(**settings)
