"""From what robots see to what each readout may read: tokenise, run the trunk, make contexts."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from octoverse.batch import Batch, measured, newest
from octoverse.config import ReadoutUse
from octoverse.embodiment import State, rate_of
from octoverse.episode import Observation
from octoverse.errors import SpecMismatch
from octoverse.policy_facts import PolicyFacts
from octoverse.readout import Context, Readout, Reference, Scale
from octoverse.recall import Key, Run, Seen, remembered_tokens, run_remembering
from octoverse.scales import Scales
from octoverse.tokenizer import StreamBatch
from octoverse.tokens import Layout, TokenGroup, safe
from octoverse.trunk.native import NativeTrunk


class PolicyReading(PolicyFacts):
    """A policy's modules, and the way through them."""

    tokenizers: nn.ModuleDict
    readouts: nn.ModuleDict
    scales: nn.ModuleDict
    layouts: dict[str, Layout]
    trunk: NativeTrunk

    def readout(self, key: str) -> Readout:
        """The readout of this key."""
        return cast(Readout, self.readouts[safe(key)])

    def _seen(
        self, observations: Sequence[Observation], memories: Sequence[dict[str, Any]] | None
    ) -> list[Seen] | None:
        """What is remembered of each robot; None where nothing is and nothing is to be."""
        streaming = self.config.trunk.span is not None
        if not streaming and (memories is None or not all(one.frames for one in observations)):
            return None
        given = memories or [{} for _ in observations]
        found = []
        for one, memory in zip(observations, given, strict=True):
            if one.frames:
                found.append(Seen(one.frames, memory))
                continue
            valid = np.any(list(one.valid.values()), axis=0)
            if not valid.any():
                raise SpecMismatch(
                    f"window of '{one.embodiment}': expected a frame in which something is valid, "
                    f"got {len(valid)} without. A streaming policy answers the frames that it has "
                    "seen; give it one, or keep the windows in a Session."
                )
            found.append(Seen(tuple(i if real else -1 for i, real in enumerate(valid)), {}))
        return found

    def _runs(
        self,
        name: str,
        groups: dict[str, TokenGroup],
        seen: Sequence[Seen] | None,
        tasks: Sequence[Key] = (),
        target: Mapping[str, Tensor] | None = None,
    ) -> list[Run]:
        """Add the readouts' tokens, and run the trunk over all that must be computed."""
        config, order = self.config.bodies[name], self.layouts[name]
        count = len(next(iter(groups.values())).values)
        for use in config.readouts:
            if use.key in order.groups:
                code = None if target is None else target[use.key]
                made = self.readout(use.key).tokens(count, code)
                steps = order.groups[use.key].steps
                groups[use.key] = TokenGroup(
                    made.values.expand(-1, steps, -1, -1), made.valid.expand(-1, steps, -1)
                )
        reads = {self.config.readouts[use.key].reads for use in config.readouts}
        only = reads == {"own"}
        if seen is not None:
            return run_remembering(
                self.trunk, groups, order, seen, tasks, only, "outputs" not in reads
            )
        return [Run(list(range(count)), self.trunk(groups, order, only_readouts=only), order)]

    def _context(self, use: ReadoutUse, run: Run, reference: Reference, seeds: Tensor) -> Context:
        """What one readout may see of a run."""
        out, order = run.out, run.order
        before = out.valid.shape[1] - len(order)
        if use.key in order.groups:
            place = order.places[use.key]
            first = out.valid.shape[1] - out.values.shape[1] - before
            own = out.values[:, (place - first).to(out.values.device)]
            own = own.unflatten(1, (order.groups[use.key].steps, -1))
            rules = order.mask[place[-1]]
        else:
            own, rules = out.values[:, None, :0], order.newest
        rules = nn.functional.pad(rules, (before, 0), value=True)
        return Context(
            own=own,
            outputs=out.values,
            visible=rules.to(out.valid.device) & out.valid,
            memory=out.memory,
            reference=reference,
            seeds=seeds,
            continue_trunk=self.trunk.extend,
        )

    def _tokens(
        self,
        name: str,
        streams: Mapping[str, StreamBatch],
        seen: Sequence[Seen] | None,
    ) -> tuple[dict[str, TokenGroup], list[Key]]:
        """Tokens of every tokenizer, and what tells each robot's task from another."""
        groups: dict[str, TokenGroup] = {}
        tasks: list[Key] = [()] * (0 if seen is None else len(seen))
        for use in self.config.bodies[name].tokenizers:
            for stream in use.streams.values():
                if stream not in streams:
                    raise SpecMismatch(
                        f"{name}.{stream}: expected it in the window, got nothing. "
                        "A window holds every stream; one that was not seen is marked invalid."
                    )
            inputs = {role: streams[stream] for role, stream in use.streams.items()}
            tokenizer, spec = self.tokenizers[safe(use.key)], self.layouts[name].groups[use.place]
            if seen is None:
                made: TokenGroup = tokenizer(inputs)
            else:
                made, keys = remembered_tokens(tokenizer, spec, inputs, seen)
                if spec.role == "task":
                    tasks = [(*one, *key) for one, key in zip(tasks, keys, strict=True)]
            steps = self.frames if seen is not None and spec.role != "task" else spec.steps
            if made.values.shape[1:3] != (steps, spec.tokens):
                got, tokens = made.values.shape[1:3]
                raise SpecMismatch(
                    f"'{use.place}' of '{name}': expected {spec.tokens} tokens in each of "
                    f"{steps} steps, got {tokens} in {got}. The window's frames and the "
                    "images' sizes must be those of the config."
                )
            groups[use.place] = made
        return groups, tasks

    def _scaled(self, name: str, batch: Batch) -> dict[str, StreamBatch]:
        """Streams as tokenizers read them: states scaled, everything else as it is."""
        streams = dict(batch.streams)
        scales = cast(Scales, self.scales[name])
        for stream, spec in self.bodies[name].observation.items():
            if isinstance(spec, State) and stream in streams:
                given = streams[stream]
                offset = scales.of(stream, "offset", batch.data_set)
                values = (given.values - offset) / scales.of(stream, "scale", batch.data_set)
                streams[stream] = StreamBatch(values, given.valid)
        return streams

    def _references(self, name: str, batch: Batch) -> dict[str, Reference]:
        """For each readout of a body, what its code is relative to."""
        now = newest(self.bodies[name], batch)
        uses = self.config.bodies[name].readouts
        return {use.key: self._reference(name, use, batch, now) for use in uses}

    def _reference(
        self, name: str, use: ReadoutUse, batch: Batch, now: Mapping[str, Tensor]
    ) -> Reference:
        body, scales = self.bodies[name], cast(Scales, self.scales[name])
        first = body.action[use.groups[0]]
        parts = [
            torch.cat([scales.of(group, part, batch.data_set) for group in use.groups], -1)
            for part in ("mean", "std", "middle", "half")
        ]
        hz = rate_of(first, body)
        return Reference(now, Scale(*parts), hz, measured(body, use.groups, batch))
