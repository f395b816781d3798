"""Give a body that a checkpoint has never seen a policy that uses the checkpoint's modules.

A stream or an action group that means the same takes the checkpoint's module under its key. One
that is only alike, such as a camera in another place, gets a module of its own that is made the
same way and begins with those weights. What is like nothing is read as any body's is
(octoverse/recipes/generic.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from octoverse import checkpoint
from octoverse.config import BodyConfig, PolicyConfig, ReadoutUse, TokenizerUse
from octoverse.embodiment import Embodiment
from octoverse.recipes.generic import policy_config
from octoverse.tokens import safe
from octoverse.training.alone import only
from octoverse.training.new_body.likeness import nearest
from octoverse.training.new_body.moves import Moves
from octoverse.training.new_body.reads import Reads
from octoverse.training.new_body.taken import Taken


@dataclass(frozen=True)
class Extended:
    """A config for one body, and what its modules begin as."""

    config: PolicyConfig
    begins: Mapping[str, str] = field(default_factory=dict)
    """A module that the checkpoint lacks to the one of it whose weights it begins with, such as
    tokenizers.image/wrist to tokenizers.image/primary."""


def extend_config(body: Embodiment, folder: Path | None) -> Extended:
    """The config of a policy for one body, shaped so that it uses a checkpoint's modules.

    Args:
        body: The body to train.
        folder: A checkpoint; a body that it knows keeps its config. Without one, the body gets a
            generic policy.

    Raises:
        BadCheckpoint: if the checkpoint cannot be read.
    """
    if folder is None:
        return Extended(policy_config(body))
    described = checkpoint.describe(folder)
    known = described.config
    if body.name in known.bodies:
        return Extended(only(known, body.name))
    order = nearest(body, {name: described.bodies[name] for name in known.bodies})
    others = {name: described.bodies[name] for name in order}
    horizon = known.bodies[order[0]].horizon
    generic = policy_config(body, horizon=horizon, preprocess=known.preprocess)
    reads = Reads(body, others, known, generic).all()
    moves = Moves(body, others, known, generic).all()
    uses = BodyConfig(
        tokenizers=tuple(one.use for one in reads),
        readouts=tuple(one.use for one in moves),
        horizon=horizon,
    )
    config = replace(
        known,
        bodies={body.name: uses},
        tokenizers={one.use.key: one.config for one in reads},
        readouts={one.use.key: one.config for one in moves},
    )
    return Extended(config, _begins(reads, moves))


def _begins(
    reads: Sequence[Taken[TokenizerUse]], moves: Sequence[Taken[ReadoutUse]]
) -> dict[str, str]:
    """What begins as what: modules with a key of their own, and places of their own."""
    pairs: list[tuple[str, str, str]] = []
    for read in reads:
        if read.after is not None:
            pairs += [
                ("tokenizers", read.use.key, read.after.key),
                ("trunk.positions", read.use.place, read.after.place),
            ]
    for move in moves:
        if move.after is not None:
            pairs += [
                ("readouts", move.use.key, move.after.key),
                ("trunk.positions", move.use.key, move.after.key),
            ]
    return {
        f"{room}.{safe(mine)}": f"{room}.{safe(theirs)}"
        for room, mine, theirs in pairs
        if mine != theirs
    }
