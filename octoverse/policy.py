"""The policy: tokenizers, one trunk, readouts; trained and asked with mixed bodies at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from octoverse import noise, registry
from octoverse.batch import Batch, batch_of
from octoverse.config import PolicyConfig, ReadoutUse
from octoverse.embodiment import Embodiment
from octoverse.episode import ActionChunk, Observation
from octoverse.errors import BadConfig, OctoverseError
from octoverse.fitting import check_fit, check_streams, readout_shapes
from octoverse.layouts import body_layout, slots
from octoverse.normalize import BodyStatistics
from octoverse.policy_prefix import alike, check_prefixes, code_of_prefix, held_rows
from octoverse.policy_reading import PolicyReading
from octoverse.precision import autocast, lower
from octoverse.preprocess import Preprocess
from octoverse.readout import Codec, Loss, Reference, TrunkShape
from octoverse.recall import Run
from octoverse.scales import Scales
from octoverse.tokens import safe
from octoverse.trunk.native import NativeTrunk

_SAMPLING = 3


@dataclass(frozen=True)
class Samples:
    """Several answers to one observation, in the body's units."""

    action: Mapping[str, np.ndarray]
    """Group to float32 (k, h, a)."""
    scores: Mapping[str, np.ndarray]
    """Readout to (k,), higher is better; only of readouts that tell."""


@dataclass(frozen=True)
class Losses:
    """What a batch of mixed bodies cost."""

    total: Tensor
    """Mean over samples; the number to minimise."""
    parts: Mapping[str, Mapping[str, Loss]]
    """Body to readout to its loss."""


class Policy(PolicyReading):
    """One trunk with the tokenizers and readouts of all its bodies."""

    def __init__(
        self,
        config: PolicyConfig,
        bodies: Mapping[str, Embodiment],
        statistics: Mapping[str, BodyStatistics],
    ) -> None:
        """Make a policy with fresh weights.

        Args:
            config: Modules by key and which body uses which.
            bodies: The spec of every body that the config names.
            statistics: For every body, what scales its states and actions.

        Raises:
            BadConfig: if bodies, groups, statistics and modules do not fit each other.
        """
        super().__init__()
        check_fit(config, bodies, statistics)
        self.config, self.bodies = config, {name: bodies[name] for name in config.bodies}
        self.lowered = False
        self.name, self.body_statistics = "untrained", {n: statistics[n] for n in config.bodies}
        self.preprocess = Preprocess(config.preprocess)
        width = config.trunk.width
        shape_of_trunk = TrunkShape(
            width=width, layers=config.trunk.layers, heads=config.trunk.heads
        )
        self.tokenizers = nn.ModuleDict(
            {safe(key): module.build(width) for key, module in config.tokenizers.items()}
        )
        self.readouts = nn.ModuleDict()
        for key, shape in readout_shapes(config, self.bodies).items():
            self.readouts[safe(key)] = config.readouts[key].build(shape_of_trunk, *shape)
        self.codecs: dict[str, Codec] = {
            key: registry.load("codec", readout.codec)() for key, readout in config.readouts.items()
        }
        for body in self.bodies.values():
            check_streams(body, config)
        self.layouts = {name: body_layout(config, body) for name, body in config.bodies.items()}
        self.trunk = NativeTrunk(config.trunk, slots(config, self.layouts))
        self.scales = nn.ModuleDict(
            {name: Scales(spec, statistics[name]) for name, spec in self.bodies.items()}
        )

    def loss(self, batches: Mapping[str, Batch]) -> Losses:
        """The loss of one step; every body is read by its own layout, without padding."""
        parts: dict[str, dict[str, Loss]] = {}
        samples = sum(len(batch) for batch in batches.values())
        total = torch.zeros((), device=self.device)
        for name, batch in batches.items():
            uses, reference = self.config.bodies[name].readouts, self._references(name, batch)
            coded = self._codes(name, batch, reference)
            encoded = {key: code for key, (code, _) in coded.items()}
            groups, _ = self._tokens(name, self._scaled(name, batch), None)
            [run] = self._runs(name, groups, None, target=encoded)
            found = parts[name] = {}
            for use in uses:
                readout = self.readout(use.key)
                context = self._context(use, run, reference[use.key], batch.seeds)
                found[use.key] = readout.loss(context, *coded[use.key])
                total = total + found[use.key].total * (len(batch) / samples)
        return Losses(total, parts)

    def codes(self, name: str, batch: Batch) -> dict[str, tuple[Tensor, Tensor]]:
        """For each readout of a body, the code (b, h, a) of a batch's actions, and what is real."""
        return self._codes(name, batch, self._references(name, batch))

    def _codes(
        self, name: str, batch: Batch, reference: Mapping[str, Reference]
    ) -> dict[str, tuple[Tensor, Tensor]]:
        found: dict[str, tuple[Tensor, Tensor]] = {}
        for use in self.config.bodies[name].readouts:
            valid = self._valid(use, self._body(name), batch)
            actions = torch.cat([batch.action[group] for group in use.groups], -1)
            code = self.codecs[use.key].encode(actions, reference[use.key])
            # What does not count may be anything, even NaN, which would spread: 0 x NaN is NaN.
            found[use.key] = torch.where(valid, self._padded(name, use, code), 0), valid
        return found

    @torch.inference_mode()
    def act(
        self,
        observations: Sequence[Observation],
        memories: Sequence[dict[str, Any]] | None = None,
    ) -> list[ActionChunk]:
        """Answer each observation, of mixed bodies, with a chunk in its body's units.

        The noise of a sampled action comes from the observation's seed and step alone.

        Args:
            observations: Complete windows.
            memories: For each, what is remembered of that robot (see octoverse/recall.py); the
                answers are the same without.

        Raises:
            UnknownName: if a body is not one of this policy's.
            SpecMismatch: if a stream is missing or of the wrong shape.
        """
        answers = self._answers(observations, memories, 1)
        return [
            ActionChunk(
                embodiment=one.embodiment,
                action={group: values[0] for group, values in answer.action.items()},
                observed_at_ns=one.observed_at_ns,
            )
            for one, answer in zip(observations, answers, strict=True)
        ]

    @torch.inference_mode()
    def sample(
        self,
        observations: Sequence[Observation],
        samples: int,
        memories: Sequence[dict[str, Any]] | None = None,
    ) -> list[Samples]:
        """Give several answers to each observation, of mixed bodies; otherwise as `act`.

        Raises:
            ValueError: if no samples are asked for.
            UnknownName: as `act`.
            SpecMismatch: as `act`.
        """
        if samples < 1:
            raise ValueError(f"samples must be at least 1, got {samples}.")
        return self._answers(observations, memories, samples)

    def take_steps(self, steps: int) -> None:
        """Let the readouts that answer step by step (flow, diffusion) take so many from now on.

        Raises:
            BadConfig: if none does, or `steps` is below 1.
        """
        stepping = [one for one in self.readouts.values() if hasattr(one, "inference_steps")]
        if steps < 1 or not stepping:
            kinds = ", ".join(sorted({type(one).__name__ for one in self.readouts.values()}))
            raise BadConfig(
                f"expected at least 1 step and a readout that answers step by step, got {steps} "
                f"and: {kinds}. Leave the number of steps out."
            )
        for one in stepping:
            one.inference_steps = steps  # type: ignore[assignment]

    def lower(self) -> "Policy":
        """Act in bfloat16 from now on; see octoverse/precision.py."""
        lower(self)
        self.lowered = True
        return self

    def _answers(
        self,
        observations: Sequence[Observation],
        memories: Sequence[dict[str, Any]] | None,
        samples: int,
    ) -> list[Samples]:
        found: dict[int, Samples] = {}
        for name in dict.fromkeys(observation.embodiment for observation in observations):
            places = [i for i, one in enumerate(observations) if one.embodiment == name]
            chosen = [observations[i] for i in places]
            body, calibrations = self._body(name), self.calibrations(name)
            check_prefixes(body, self.config.bodies[name], chosen)
            batch = batch_of(body, chosen, self.device, calibrations)
            seen = self._seen(chosen, None if memories is None else [memories[i] for i in places])
            with autocast(self.device, self.lowered):
                groups, tasks = self._tokens(name, self._scaled(name, batch), seen)
                runs = self._runs(name, groups, seen, tasks)
            parts = [run.part(p) for run in runs for p in alike([chosen[i] for i in run.rows])]
            for run in parts:
                part = batch if len(run.rows) == len(batch) else batch.rows(run.rows)
                answers = self._sample(part, run, [chosen[i] for i in run.rows], samples)
                found |= {places[row]: one for row, one in zip(run.rows, answers, strict=True)}
        return [found[i] for i in range(len(observations))]

    def _sample(
        self, batch: Batch, run: Run, observations: Sequence[Observation], samples: int
    ) -> list[Samples]:
        name = observations[0].embodiment
        body, action = self._body(name), dict[str, np.ndarray]()
        scores: dict[str, np.ndarray] = {}
        references = self._references(name, batch)
        for number, use in enumerate(self.config.bodies[name].readouts):
            readout, shape = self.readout(use.key), self._shape(name, use)
            drawn = noise.normal(batch.seeds, _SAMPLING + number, (samples, *shape))
            reference = references[use.key]
            prefix = self._prefix(name, use, observations, reference)
            with autocast(self.device, self.lowered):
                sample = readout.sample(
                    self._context(use, run, reference, batch.seeds),
                    noise=drawn,
                    samples=samples,
                    prefix=prefix,
                    valid=self._padding(name, use, len(batch)) if use.size else None,
                )
            code = sample.actions[..., : self._numbers(name, use)].flatten(0, 1)
            decoded = self.codecs[use.key].decode(code, reference.repeat(samples))
            values = decoded.float().cpu().numpy()
            if not np.isfinite(values).all():
                raise OctoverseError(
                    f"The readout '{use.key}' gave an action for '{name}' that is not finite. "
                    "Look at the numbers that the robot sent; if those are sound, the weights are "
                    "damaged or the training diverged: use another checkpoint."
                )
            if sample.scores is not None:
                scores[use.key] = sample.scores.float().cpu().numpy()
            first = 0
            for group in use.groups:
                spec = body.action[group]
                part = values[..., first : first + spec.size]
                low, high = np.array([spec.low, spec.high], np.float32)
                clipped = np.clip(part, low, high)
                action[group] = clipped.reshape(len(batch), samples, *clipped.shape[1:])
                first += spec.size
        return [
            Samples(
                action={group: values[row] for group, values in action.items()},
                scores={key: values[row] for key, values in scores.items()},
            )
            for row in range(len(batch))
        ]

    def _prefix(
        self,
        name: str,
        use: ReadoutUse,
        observations: Sequence[Observation],
        reference: Reference,
    ) -> Tensor | None:
        """The code of the rows that all of these observations hold, (b, p, a)."""
        rows = held_rows(use.groups, observations)
        if rows is None:
            return None
        given = torch.from_numpy(rows).to(self.device)
        codec, horizon = self.config.readouts[use.key].codec, self._shape(name, use)[0]
        code = code_of_prefix(codec, self.codecs[use.key], given, horizon, reference)
        return self._padded(name, use, code)

    def _valid(self, use: ReadoutUse, body: Embodiment, batch: Batch) -> Tensor:
        """Which numbers of a chunk are real, (b, h, a), padded ones never."""
        parts = [
            batch.action_valid[group][..., None].expand(-1, -1, body.action[group].size)
            for group in use.groups
        ]
        return self._padded(body.name, use, torch.cat(parts, -1))
