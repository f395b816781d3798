"""Octo's own numbers for a checkpoint folder, and the same computed here.

A folder of them holds checkpoint/, inputs.npz, outputs.npz, grads.npz: made by the original
implementation with random weights. Its README says what each array is.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from octoverse.config import WindowConfig
from octoverse.interop.octo import import_octo
from octoverse.interop.octo_folder import read_folder
from octoverse.interop.octo_parameters import Place, places
from octoverse.interop.octo_settings import OctoSettings, read_settings
from octoverse.layouts import body_layout
from octoverse.policy import Policy
from octoverse.readouts.denoisers.denoiser import Condition
from octoverse.readouts.diffusion import Diffusion
from octoverse.tokenizer import StreamBatch
from octoverse.tokens import Layout, TokenGroup
from octoverse.trunk.native import NativeTrunk

BODY = "widowx"


@pytest.fixture
def made_octo(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Gives made_octo.py: checkpoint folders with random parameters."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return import_module("made_octo")


@pytest.fixture
def opened() -> "Callable[[Path], Original]":
    """Gives what opens a folder with a checkpoint/ and inputs.npz."""
    return Original


@pytest.fixture
def original(real_data: Callable[[str], Path]) -> "Original":
    """Octo's numbers for a tiny model, and the same model here."""
    return _opened(real_data("octo_parity_tiny"))


@cache
def _opened(folder: Path) -> "Original":
    return Original(folder)


@dataclass
class Original:
    """The arrays of one folder, and the policy that was imported from its checkpoint."""

    folder: Path
    policy: Policy = field(init=False)

    def __post_init__(self) -> None:
        self.policy = import_octo(self.folder / "checkpoint", embodiment=BODY)
        found = read_folder(self.folder / "checkpoint")
        self.settings: OctoSettings = read_settings(found)
        self.statistics = found.statistics

    @cached_property
    def inputs(self) -> dict[str, np.ndarray]:
        return dict(np.load(self.folder / "inputs.npz"))

    @cached_property
    def outputs(self) -> dict[str, np.ndarray]:
        return dict(np.load(self.folder / "outputs.npz"))

    @cached_property
    def gradients(self) -> dict[str, np.ndarray]:
        return dict(np.load(self.folder / "grads.npz"))

    @property
    def places(self) -> list[Place]:
        return places(self.settings, None)

    @property
    def readout(self) -> Diffusion:
        return cast(Diffusion, self.policy.readouts["action"])

    @property
    def frames(self) -> int:
        return self.inputs["observation/timestep_pad_mask"].shape[1]

    def names(self) -> dict[str, str]:
        """Octo's groups to ours, in Octo's order in one step, tasks first."""
        language = {f"task_{self.settings.language}": "language"}
        cameras = {f"obs_{one.name}": f"image/{one.name}" for one in self.settings.cameras}
        repeated = {f"obs_task_{self.settings.language}": "language@repeat"}
        return {**language, **cameras, **repeated, f"readout_{self.settings.readout}": "action"}

    def streams(
        self, *, goal: bool = True, language: bool = True, wrist: bool = True, frames: int = 0
    ) -> dict[str, dict[str, StreamBatch]]:
        """What each tokenizer reads, by its key; the last `frames` steps of the window."""
        given, last = self.inputs, frames or self.frames
        timely = torch.tensor(given["observation/timestep_pad_mask"])[:, -last:]
        words = torch.tensor(given["task/language_instruction"])
        said = torch.tensor(given["task/pad_mask_dict/language_instruction"])[:, None]
        found = {"language": {"instruction": StreamBatch(words, said & language)}}
        for camera in self.settings.cameras:
            key = f"image_{camera.role}"
            image = torch.tensor(given[f"observation/{key}"])[:, -last:]
            seen = torch.tensor(given[f"observation/pad_mask_dict/{key}"])[:, -last:] & timely
            seen = seen & (wrist or camera.role != "wrist")
            wanted = torch.tensor(given[f"task/{key}"])[:, None].expand(image.shape)
            shown = torch.full(image.shape[:2], goal)
            found[f"image/{camera.name}"] = {
                "image": StreamBatch(image, seen),
                "goal": StreamBatch(wanted, shown),
            }
        return found

    def layout(self, frames: int = 0) -> Layout:
        window = WindowConfig(frames=frames or self.frames)
        config = replace(self.policy.config, window=window)
        return body_layout(config, config.bodies[BODY])

    def groups(
        self, streams: Mapping[str, Mapping[str, StreamBatch]], layout: Layout
    ) -> dict[str, TokenGroup]:
        made = {key: self.policy.tokenizers[key](inputs) for key, inputs in streams.items()}
        count = len(next(iter(made.values())).values)
        blank = self.readout.tokens(count, None)
        steps = layout.groups["action"].steps
        made["action"] = TokenGroup(
            blank.values.expand(-1, steps, -1, -1), blank.valid.expand(-1, steps, -1)
        )
        return made

    def run(self, frames: int = 0, **given: bool) -> dict[str, TokenGroup]:
        """The trunk's output for every group, by our names."""
        layout = self.layout(frames)
        out = self.trunk(self.groups(self.streams(frames=frames, **given), layout), layout)
        return {
            name: TokenGroup(layout.take(out.values, name), layout.take(out.valid, name))
            for name in layout.groups
        }

    @property
    def trunk(self) -> NativeTrunk:
        return self.policy.trunk

    def order(self) -> Tensor:
        """For each place of Octo's sequence, the place in ours: it goes step by step."""
        layout, names = self.layout(), self.names()
        places = {
            name: layout.places[name].view(-1, layout.groups[name].tokens)
            for name in names.values()
        }
        tasks = [places[name][0] for octo, name in names.items() if octo.startswith("task_")]
        steps = [
            places[name][step]
            for step in range(self.frames)
            for octo, name in names.items()
            if not octo.startswith("task_")
        ]
        return torch.cat([*tasks, *steps])

    def condition(self, own: Tensor) -> Condition:
        """Every step's readout as a sample of its own, (b w, n, d)."""
        words = own.flatten(0, 1)
        return Condition(words, torch.ones(words.shape[:2], dtype=torch.bool))

    def chunks(self, flat: Any) -> Tensor:
        """Octo's flat chunks (..., b, w, h a) as ours, (..., b w, h, a)."""
        values = torch.as_tensor(np.asarray(flat)).flatten(-3, -2)
        return values.unflatten(-1, self.readout.shape)


@pytest.fixture
def recorded() -> Callable[[nn.Module], Any]:
    """Gives a context in which what each part of a module makes is kept, by its name."""
    return _recorded


@contextmanager
def _recorded(whole: nn.Module) -> Iterator[dict[str, Any]]:
    found: dict[str, Any] = {}

    def keep(name: str) -> Callable[..., None]:
        def kept(module: nn.Module, given: Any, made: Any) -> None:
            # What comes next may write over it.
            found[name] = made.clone() if isinstance(made, Tensor) else made

        return kept

    hooks = [module.register_forward_hook(keep(name)) for name, module in whole.named_modules()]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


@pytest.fixture
def close() -> Callable[..., None]:
    """Gives what asserts that an array is Octo's."""
    return _close


def _close(ours: Any, theirs: np.ndarray, *, of_largest: bool = False) -> None:
    """Within 1e-4 of each number, of a tenth of the largest for small ones, or of the largest.

    A number near zero is what is left of large terms that cancel, and its rounding error is theirs:
    between flax's own float32 and float64 it is no less.
    """
    mine = ours.detach().numpy() if isinstance(ours, Tensor) else np.asarray(ours)
    assert mine.shape == theirs.shape
    least = np.abs(theirs).max() / (1 if of_largest else 10)
    off = np.abs(mine - theirs) / np.maximum(np.abs(theirs), max(float(least), 1e-30))
    assert off.max() < 1e-4, f"{off.max()} of numbers {theirs.shape}"
