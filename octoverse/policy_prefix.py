"""Rows that a robot executes whatever a policy answers, and that its answer therefore begins with.

Readouts hold the first rows of a code, as many for every sample, so robots that hold unlike many
are answered apart.
Source: Black, Galliker, Levine, "Real-time execution of action chunking", 2025 (frozen rows).
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from octoverse.config import BodyConfig
from octoverse.embodiment import ActionGroup, Embodiment, rows_of
from octoverse.episode import Observation
from octoverse.errors import BadConfig, SpecMismatch, UnknownName
from octoverse.readout import Codec, Reference


def check_prefixes(
    body: Embodiment, config: BodyConfig, observations: Sequence[Observation]
) -> None:
    """Refuse rows that no answer could begin with.

    Args:
        body: Whose observations they are.
        config: Its readouts and the rows of a chunk.
        observations: Each with its prefix.

    Raises:
        UnknownName: if the body has no such action group.
        SpecMismatch: if rows are not as the group's spec says, or there are too many, or as many
            are not held of every group that one readout makes.
    """
    for one in observations:
        for group, rows in one.prefix.items():
            if group not in body.action:
                raise UnknownName(f"action group of '{body.name}'", group, body.action)
            spec = body.action[group]
            _check_rows(f"{body.name}.{group}", spec, rows_of(spec, config.horizon), rows)
        for use in config.readouts if one.prefix else ():
            counts = {group: len(one.prefix.get(group, ())) for group in use.groups}
            if len(set(counts.values())) > 1:
                told = ", ".join(f"{count} of {group}" for group, count in counts.items())
                raise SpecMismatch(
                    f"prefix of {body.name}: expected as many rows of every group that the "
                    f"readout '{use.key}' makes, got {told}. Hold whole control steps."
                )


def _check_rows(what: str, spec: ActionGroup, horizon: int, rows: np.ndarray) -> None:
    if rows.ndim != 2 or rows.shape[1] != spec.size or len(rows) > horizon:
        raise SpecMismatch(
            f"prefix of {what}: expected (up to {horizon} rows, {spec.size}), got {rows.shape}. "
            "No more can be held than a chunk has."
        )
    low, high = np.array([spec.low, spec.high], np.float32)
    if not ((rows >= low) & (rows <= high)).all():  # NaN is neither
        raise SpecMismatch(
            f"prefix of {what}: expected finite numbers within the body's limits, got "
            f"{rows.tolist()}. Hold rows of an answer as it was given."
        )


def alike(observations: Sequence[Observation]) -> list[list[int]]:
    """Which observations hold as many rows of each group, by their places."""
    found: dict[frozenset[tuple[str, int]], list[int]] = {}
    for place, one in enumerate(observations):
        counts = frozenset((group, len(rows)) for group, rows in one.prefix.items() if len(rows))
        found.setdefault(counts, []).append(place)
    return list(found.values())


def held_rows(groups: Sequence[str], observations: Sequence[Observation]) -> np.ndarray | None:
    """The rows that `alike` observations hold of a readout's groups, float32 (b, p, a).

    None where they hold none.
    """
    if not len(observations[0].prefix.get(groups[0], ())):
        return None
    return np.stack(
        [np.concatenate([one.prefix[group] for group in groups], 1) for one in observations]
    ).astype(np.float32)


def code_of_prefix(
    name: str, codec: Codec, rows: Float[Tensor, "b p a"], horizon: int, reference: Reference
) -> Float[Tensor, "b p a"]:
    """The code of the first rows of a chunk of which nothing more is known.

    Args:
        name: The codec's, for the error.
        codec: Encodes whole chunks.
        rows: In the body's units.
        horizon: Rows of a chunk.
        reference: What a code is relative to.

    Raises:
        BadConfig: if their code depends on the rows after them.
    """
    missing = horizon - rows.shape[1]
    go_on = torch.cat([rows, rows[:, -1:].expand(-1, missing, -1)], 1)
    stop = F.pad(rows, (0, 0, 0, missing))
    code, other = (codec.encode(chunk, reference)[:, : rows.shape[1]] for chunk in (go_on, stop))
    if not torch.equal(code, other):
        raise BadConfig(
            f"the codec '{name}' makes the code of a row of later rows too, so the first rows of "
            "a chunk cannot be held. Ask without a prefix, or choose another codec."
        )
    return code
