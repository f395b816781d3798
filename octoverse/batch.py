"""Stacked samples of one body as tensors: what a policy is trained on and asked with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from octoverse.calibration import NUMBERS
from octoverse.data.windows import StackedWindows
from octoverse.embodiment import (
    Camera,
    Command,
    Embodiment,
    GoalImage,
    Instruction,
    NumericStream,
    State,
    stream_shape,
)
from octoverse.episode import Observation
from octoverse.errors import SpecMismatch
from octoverse.tokenizer import StreamBatch


@dataclass(frozen=True)
class Batch:
    """b samples of one body; actions are there in training only."""

    streams: Mapping[str, StreamBatch]
    action: Mapping[str, Tensor]
    """Group to float32 (b, h, a), in the body's units."""
    action_valid: Mapping[str, Tensor]
    """Group to bool (b, h)."""
    seeds: Int[Tensor, " b"]
    """One number per sample that decides its noise."""
    data_set: Int[Tensor, " b"] | None = None
    """Which of the body's statistics scale each sample, where data sets are kept apart."""

    def __len__(self) -> int:
        return len(self.seeds)

    def rows(self, rows: list[int]) -> "Batch":
        """Some of the samples; without their actions."""
        streams = {
            name: StreamBatch(
                tuple(one.values[row] for row in rows)
                if isinstance(one.values, tuple)
                else one.values[rows],
                one.valid[rows],
            )
            for name, one in self.streams.items()
        }
        sets = None if self.data_set is None else self.data_set[rows]
        return Batch(streams, {}, {}, self.seeds[rows], sets)


def batch_of(
    body: Embodiment,
    observations: Sequence[Observation],
    device: torch.device,
    calibrations: Sequence[str] = (),
) -> Batch:
    """Stack windows of one body; a stream that all lack is left out.

    Args:
        body: Their body.
        observations: The windows.
        device: Where the tensors go.
        calibrations: Which streams `<camera>.calibration` are wanted; invalid where not known.

    Raises:
        SpecMismatch: if a stream is missing from some, or is not of the body's shape and type.
    """
    streams: dict[str, StreamBatch] = {}
    for name in body.observation:
        having = [name in one.streams for one in observations]
        if not any(having):
            continue
        if not all(having):
            raise SpecMismatch(
                f"{body.name}.{name}: expected it in every window or in none, got it in "
                f"{sum(having)} of {len(having)}."
            )
        values = [one.streams[name] for one in observations]
        _check(body, name, values, [one.valid[name] for one in observations])
        valid = np.stack([one.valid[name] for one in observations])
        streams[name] = stream_batch(body, name, values, valid, device)
    for name in calibrations:
        values, real = zip(*(_calibration(one, name) for one in observations), strict=True)
        streams[name] = stream_batch(body, name, list(values), np.stack(real), device)
    # Seed and step become one number; splitting them again is never needed.
    seeds = [(one.seed * 1_000_003 + one.step) % 2**63 for one in observations]
    return Batch(streams, {}, {}, torch.tensor(seeds, dtype=torch.int64, device=device))


def _calibration(observation: Observation, name: str) -> tuple[np.ndarray, np.ndarray]:
    """A camera's calibration in one window, (t, 16), and the steps that it is known for."""
    if name in observation.streams:
        return observation.streams[name], observation.valid[name]
    steps = len(next(iter(observation.valid.values())))
    return np.zeros((steps, NUMBERS), np.float32), np.zeros(steps, bool)


def stream_batch(
    body: Embodiment, name: str, values: Any, valid: np.ndarray, device: torch.device
) -> StreamBatch:
    """One stream of b windows: strings stay strings, everything else becomes a tensor.

    What is invalid becomes zero or an empty string: nobody reads it, but a NaN would spread all
    the same, since 0 x NaN is NaN.
    """
    real = torch.from_numpy(np.ascontiguousarray(valid)).to(device)
    if isinstance(body.observation.get(name), Instruction):
        words = tuple(text if ok else "" for text, ok in zip(values, valid[:, 0], strict=True))
        return StreamBatch(words, real)
    if not isinstance(values, np.ndarray):
        values = np.stack(values)
    if values.dtype == np.float64:
        values = values.astype(np.float32)
    if not valid.all():
        values = values.copy()
        values[~valid] = 0
    return StreamBatch(torch.from_numpy(np.ascontiguousarray(values)).to(device), real)


def _check(body: Embodiment, name: str, values: list[Any], valid: list[np.ndarray]) -> None:
    """Refuse windows of one stream that are not all (t, ...) as the spec says."""
    spec = body.observation[name]
    if isinstance(spec, Instruction):
        wrong = sorted({type(value).__name__ for value in values} - {"str"})
        if wrong:
            raise SpecMismatch(f"{body.name}.{name}: expected words (str), got {wrong[0]}.")
        return
    shape = stream_shape(spec)
    picture = isinstance(spec, Camera | GoalImage)
    for value, real in zip(values, valid, strict=True):
        if value.ndim != 1 + len(shape) or (not picture and value.shape[1:] != shape):
            raise SpecMismatch(f"{body.name}.{name}: expected (t, *{shape}), got {value.shape}.")
        if picture and value.dtype != np.uint8:
            raise SpecMismatch(f"{body.name}.{name}: expected uint8 images, got {value.dtype}.")
        if value.shape != values[0].shape or real.shape != value.shape[:1]:
            raise SpecMismatch(
                f"{body.name}.{name}: expected windows of one shape, got {values[0].shape} and "
                f"{value.shape}, with {len(real)} steps marked valid or not."
            )


def newest(body: Embodiment, batch: Batch) -> dict[str, Tensor]:
    """The last step of every numeric stream, in the body's units, (b, ...), and of commands.

    A command is its index, int64 (b,), -1 where none is given.
    """
    found = {}
    for name, spec in body.observation.items():
        if name not in batch.streams:
            continue
        values, valid = batch.streams[name].values, batch.streams[name].valid
        if isinstance(spec, NumericStream):
            found[name] = values[:, -1].float()
        elif isinstance(spec, Command):
            found[name] = torch.where(valid[:, -1], values[:, -1], -1)
    return found


def measured(body: Embodiment, groups: Sequence[str], batch: Batch) -> Tensor | None:
    """What the numbers of these action groups are measured to be at the last step, (b, a).

    A State stream measures the group of its own name where both have the same numbers in the same
    units. NaN where nothing measures a number; None where that is so for all groups.
    """
    parts, any_measured = [], False
    for group in groups:
        spec, stream = body.action[group], body.observation.get(group)
        same = isinstance(stream, State) and (stream.names, stream.units) == (
            spec.names,
            spec.units,
        )
        if same and group in batch.streams:
            seen = batch.streams[group]
            now = torch.where(seen.valid[:, -1:], seen.values[:, -1].float(), torch.nan)
            any_measured = True
        else:
            now = torch.full((len(batch), spec.size), torch.nan, device=batch.seeds.device)
        parts.append(now)
    return torch.cat(parts, -1) if any_measured else None


def training_batch(
    body: Embodiment,
    stacked: StackedWindows,
    device: torch.device,
    places: Sequence[int] | None = None,
) -> Batch:
    """The tensors of stacked training samples.

    Args:
        body: Their body.
        stacked: The samples.
        device: Where the tensors go.
        places: For each source of the mixture, which of the body's statistics are its own; None
            where data sets are not kept apart.
    """
    streams = {
        name: stream_batch(body, name, values, stacked.valid[name], device)
        for name, values in stacked.streams.items()
    }
    # Hidden values stay: tokens of them are read by nobody, and codecs may refer to them.
    for name, hidden in stacked.hidden.items():
        if hidden.any():
            shown = torch.from_numpy(~hidden).to(device)
            streams[name] = replace(streams[name], valid=streams[name].valid & shown[:, None])
    return Batch(
        streams,
        {name: torch.from_numpy(values).to(device) for name, values in stacked.action.items()},
        {name: torch.from_numpy(real).to(device) for name, real in stacked.action_valid.items()},
        torch.from_numpy(stacked.seeds).to(device),
        None if places is None else torch.tensor(places, device=device)[stacked.source.tolist()],
    )
