"""Run random observations of one body through a small policy, and say what it is made of."""

from dataclasses import dataclass

import numpy as np
import torch
from rich.table import Table

from octoverse import registry
from octoverse.accumulate import Accumulator
from octoverse.acting import LocalPolicy
from octoverse.batch import Batch, batch_of
from octoverse.embodiment import Embodiment, NumericStream
from octoverse.errors import OctoverseError
from octoverse.normalize import BodyStatistics
from octoverse.policy import Policy
from octoverse.recipes.generic import policy_config
from octoverse.synthetic import random_action, random_frame, random_step, random_value

_ROWS = 64
"""How many random rows stand in for a data set where statistics are needed."""


@dataclass(frozen=True)
class Part:
    """One module of the policy as the body uses it."""

    kind: str
    key: str
    uses: tuple[str, ...]
    """Streams that it reads, or action groups that it makes."""
    tokens: int
    """In one step."""
    parameters: int
    shared_with: tuple[str, ...]
    """Other installed bodies whose policies name the same key."""


@dataclass(frozen=True)
class Found:
    """What a check has found."""

    body: Embodiment
    parts: tuple[Part, ...]
    trunk_parameters: int
    parameters: int
    """Of the whole policy; a module that is used twice counts once."""
    loss: float
    rows: dict[str, int]
    """Action group to the rows of a chunk."""
    unread: tuple[str, ...]
    """Streams that no tokenizer reads."""

    def table(self) -> Table:
        """All of it, for the terminal."""
        table = Table("part", "key", "reads or makes", "tokens", "parameters", "shared with")
        for part in self.parts:
            made = (f"{use} x {self.rows[use]}" if use in self.rows else use for use in part.uses)
            table.add_row(
                part.kind,
                part.key,
                ", ".join(made),
                str(part.tokens),
                f"{part.parameters:,}",
                ", ".join(part.shared_with) or "-",
            )
        tokens = sum(part.tokens for part in self.parts)
        table.add_row("trunk", "", "", "", f"{self.trunk_parameters:,}", "every body")
        table.add_section()
        table.add_row("all", "", "", str(tokens), f"{self.parameters:,}", "")
        table.caption = (
            f"{self.body.name}: {len(self.body.observation)} streams in, a chunk of "
            f"{', '.join(self.body.action)} out; loss of random actions {self.loss:.3f}."
        )
        if self.unread:
            table.caption += f" No tokenizer reads: {', '.join(self.unread)}."
        return table


def check_body(body: Embodiment, seed: int = 0) -> Found:
    """Tokenise random observations of a body, run trunk and readouts, for acting and for training.

    Raises:
        OctoverseError: if a stream, an action group or a module does not fit.
    """
    rng = np.random.default_rng(seed)
    frame, action = random_frame(body, rng), random_action(body, rng)
    body.check_frame(frame)
    body.check_action(action)
    config = policy_config(body)
    torch.manual_seed(seed)
    policy = Policy(config, {body.name: body}, {body.name: random_statistics(body, rng)})
    local = LocalPolicy(policy, body.name)
    local.act(frame)
    observation = local.session.observation(seed, 0)
    actions, valid = {}, {}
    for group, rows in policy.horizons[body.name].items():
        drawn = random_action(body, rng)[group]
        actions[group] = torch.from_numpy(np.resize(drawn, (1, rows, body.action[group].size)))
        valid[group] = torch.ones(1, rows, dtype=torch.bool)
    seen = batch_of(body, [observation], policy.device)
    loss = policy.loss({body.name: Batch(seen.streams, actions, valid, seen.seeds)}).total
    loss.backward()
    if not torch.isfinite(loss):
        raise OctoverseError(f"The loss of '{body.name}' is {loss.item()}, expected a finite one.")
    parts = tuple(_parts(policy, body))
    read = {stream for part in parts if part.kind == "tokenizer" for stream in part.uses}
    return Found(
        body=body,
        parts=parts,
        trunk_parameters=_count(policy.trunk),
        parameters=_count(policy),
        loss=loss.item(),
        rows=policy.horizons[body.name],
        unread=tuple(name for name in body.observation if name not in read),
    )


def random_statistics(body: Embodiment, rng: np.random.Generator) -> BodyStatistics:
    """Statistics of random frames and actions, as if they were a data set."""
    seen, moved = {}, {}
    for name, stream in body.observation.items():
        if isinstance(stream, NumericStream):
            gather = Accumulator.of(stream)
            gather.add(np.stack([random_value(stream, rng) for _ in range(_ROWS)]))
            seen[name] = gather.finish()
    for name, group in body.action.items():
        gather = Accumulator.of(group)
        gather.add(np.stack([random_step(group, rng) for _ in range(_ROWS)]))
        moved[name] = gather.finish()
    return BodyStatistics(observation=seen, action=moved)


def _parts(policy: Policy, body: Embodiment) -> list[Part]:
    config = policy.config.bodies[body.name]
    layout, others = policy.layouts[body.name].groups, _keys_of_others(body)
    parts = []
    for use in config.tokenizers:
        module = policy.tokenizers[use.key]
        streams = tuple(dict.fromkeys(use.streams.values()))
        shared = others.get(("tokenizer", use.key), ())
        parts.append(
            Part("tokenizer", use.key, streams, layout[use.place].tokens, _count(module), shared)
        )
    for made in config.readouts:
        module = policy.readouts[made.key]
        shared = others.get(("readout", made.key), ())
        parts.append(
            Part("readout", made.key, made.groups, layout[made.key].tokens, _count(module), shared)
        )
    return parts


def _keys_of_others(body: Embodiment) -> dict[tuple[str, str], tuple[str, ...]]:
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for name in registry.names("embodiment"):
        if name == body.name:
            continue
        uses = policy_config(registry.load("embodiment", name)).bodies[name]
        for kind, keys in (("tokenizer", uses.tokenizers), ("readout", uses.readouts)):
            for key in dict.fromkeys(use.key for use in keys):
                found[kind, key] = (*found.get((kind, key), ()), name)
    return found


def _count(module: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())
