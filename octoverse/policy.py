"""The policy: tokenizers, one trunk, readouts; trained and asked with mixed bodies at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from octoverse import noise, registry
from octoverse.batch import Batch, batch_of, measured, newest
from octoverse.config import PolicyConfig, ReadoutUse
from octoverse.data.windows import image_size
from octoverse.embodiment import Camera, Embodiment, GoalImage, NumericStream, PathGroup, State
from octoverse.episode import ActionChunk, Frame, Observation
from octoverse.errors import OctoverseError, SpecMismatch, UnknownName
from octoverse.fitting import check_fit, check_streams, chunk_shape, readout_shapes
from octoverse.layouts import body_layout, slots
from octoverse.normalize import BodyStatistics
from octoverse.preprocess import Preprocess
from octoverse.readout import Codec, Context, Loss, Readout, Reference, Scale, TrunkShape
from octoverse.scales import Scales
from octoverse.tokenizer import StreamBatch
from octoverse.tokens import TokenGroup
from octoverse.trunk.native import NativeTrunk

_SAMPLING = 3


@dataclass(frozen=True)
class Losses:
    """What a batch of mixed bodies cost."""

    total: Tensor
    """Mean over samples; the number to minimise."""
    parts: Mapping[str, Mapping[str, Loss]]
    """Body to readout to its loss."""


class Policy(nn.Module):
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
        self.name, self.body_statistics = "untrained", {n: statistics[n] for n in config.bodies}
        self.preprocess = Preprocess(config.preprocess)
        width = config.trunk.width
        shape_of_trunk = TrunkShape(
            width=width, layers=config.trunk.layers, heads=config.trunk.heads
        )
        self.tokenizers = nn.ModuleDict(
            {_safe(key): module.build(width) for key, module in config.tokenizers.items()}
        )
        self.readouts = nn.ModuleDict()
        for key, shape in readout_shapes(config, self.bodies).items():
            self.readouts[_safe(key)] = config.readouts[key].build(shape_of_trunk, *shape)
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
            body, encoded = self._body(name), dict[str, Tensor]()
            uses = self.config.bodies[name].readouts
            reference = {use.key: self._reference(name, use, batch) for use in uses}
            valid = {use.key: self._valid(use, body, batch) for use in uses}
            for use in uses:
                actions = torch.cat([batch.action[group] for group in use.groups], -1)
                code = self._padded(
                    name, use, self.codecs[use.key].encode(actions, reference[use.key])
                )
                # What does not count may be anything, even NaN, which would spread: 0 x NaN is NaN.
                encoded[use.key] = torch.where(valid[use.key], code, 0)
            contexts = self._contexts(name, batch, reference, encoded)
            found = parts[name] = {}
            for use in uses:
                readout = self._readout(use)
                found[use.key] = readout.loss(contexts[use.key], encoded[use.key], valid[use.key])
                total = total + found[use.key].total * (len(batch) / samples)
        return Losses(total, parts)

    @torch.inference_mode()
    def act(
        self,
        observations: Sequence[Observation],
        memories: Sequence[dict[str, Any]] | None = None,
    ) -> list[ActionChunk]:
        """Answer each observation, of mixed bodies, with a chunk in its body's units.

        The noise of a sampled action comes from the observation's seed and step alone.

        Raises:
            UnknownName: if a body is not one of this policy's.
            SpecMismatch: if a stream is missing or of the wrong shape.
        """
        found: dict[int, ActionChunk] = {}
        for name in dict.fromkeys(observation.embodiment for observation in observations):
            places = [i for i, one in enumerate(observations) if one.embodiment == name]
            chosen = [observations[i] for i in places]
            body, calibrations = self._body(name), self.calibrations(name)
            action = self._act(name, batch_of(body, chosen, self.device, calibrations))
            for row, (place, one) in enumerate(zip(places, chosen, strict=True)):
                found[place] = ActionChunk(
                    embodiment=name,
                    action={group: values[row] for group, values in action.items()},
                    observed_at_ns=one.observed_at_ns,
                )
        return [found[i] for i in range(len(observations))]

    def _act(self, name: str, batch: Batch) -> dict[str, np.ndarray]:
        body, action = self._body(name), dict[str, np.ndarray]()
        uses = self.config.bodies[name].readouts
        reference = {use.key: self._reference(name, use, batch) for use in uses}
        contexts = self._contexts(name, batch, reference, None)
        for number, use in enumerate(uses):
            readout, shape = self._readout(use), self._shape(name, use)
            drawn = noise.normal(batch.seeds, _SAMPLING + number, (1, *shape))
            valid = self._padding(name, use, len(batch)) if use.size else None
            code = readout.sample(contexts[use.key], noise=drawn, valid=valid).actions[:, 0]
            code = code[..., : self._numbers(name, use)]
            values = self.codecs[use.key].decode(code, reference[use.key]).float().cpu().numpy()
            if not np.isfinite(values).all():
                raise OctoverseError(
                    f"The readout '{use.key}' gave an action for '{name}' that is not finite. "
                    "The weights are damaged or the training diverged; use another checkpoint."
                )
            first = 0
            for group in use.groups:
                spec = body.action[group]
                part = values[..., first : first + spec.size]
                low, high = np.array([spec.low, spec.high], np.float32)
                action[group], first = np.clip(part, low, high), first + spec.size
        return action

    def _contexts(
        self,
        name: str,
        batch: Batch,
        reference: Mapping[str, Reference],
        target: Mapping[str, Tensor] | None,
    ) -> dict[str, Context]:
        """Tokenise, run the trunk, and hand every readout what it may see."""
        config, order = self.config.bodies[name], self.layouts[name]
        groups = self._tokens(name, self._scaled(name, batch))
        for use in config.readouts:
            if use.key in order.groups:
                made = self._readout(use).tokens(
                    len(batch), None if target is None else target[use.key]
                )
                steps = order.groups[use.key].steps
                groups[use.key] = TokenGroup(
                    made.values.expand(-1, steps, -1, -1), made.valid.expand(-1, steps, -1)
                )
        out = self.trunk(groups, order)
        contexts = {}
        for use in config.readouts:
            has_tokens = use.key in order.groups
            own = order.take(out.values, use.key) if has_tokens else out.values[:, None, :0]
            rules = order.mask[order.places[use.key][-1]] if has_tokens else order.read_by_all
            contexts[use.key] = Context(
                own=own,
                outputs=out.values,
                visible=rules.to(out.valid.device) & out.valid,
                memory=out.memory,
                reference=reference[use.key],
                seeds=batch.seeds,
                continue_trunk=self.trunk.extend,
            )
        return contexts

    def _tokens(self, name: str, streams: Mapping[str, StreamBatch]) -> dict[str, TokenGroup]:
        groups: dict[str, TokenGroup] = {}
        for use in self.config.bodies[name].tokenizers:
            for stream in use.streams.values():
                if stream not in streams:
                    raise SpecMismatch(
                        f"{name}.{stream}: expected it in the window, got nothing. "
                        "A window holds every stream; one that was not seen is marked invalid."
                    )
            inputs = {role: streams[stream] for role, stream in use.streams.items()}
            made: TokenGroup = self.tokenizers[_safe(use.key)](inputs)
            spec = self.layouts[name].groups[use.place]
            if made.values.shape[1:3] != (spec.steps, spec.tokens):
                steps, tokens = made.values.shape[1:3]
                raise SpecMismatch(
                    f"'{use.place}' of '{name}': expected {spec.tokens} tokens in each of "
                    f"{spec.steps} steps, got {tokens} in {steps}. The window's frames and the "
                    "images' sizes must be those of the config."
                )
            groups[use.place] = made
        return groups

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

    def _reference(self, name: str, use: ReadoutUse, batch: Batch) -> Reference:
        body, scales = self.bodies[name], cast(Scales, self.scales[name])
        first = body.action[use.groups[0]]
        parts = [
            torch.cat([scales.of(group, part, batch.data_set) for group in use.groups], -1)
            for part in ("mean", "std", "middle", "half")
        ]
        hz = first.hz if isinstance(first, PathGroup) else body.control_hz
        return Reference(newest(body, batch), Scale(*parts), hz, measured(body, use.groups, batch))

    def _valid(self, use: ReadoutUse, body: Embodiment, batch: Batch) -> Tensor:
        """Which numbers of a chunk are real, (b, h, a), padded ones never."""
        parts = [
            batch.action_valid[group][..., None].expand(-1, -1, body.action[group].size)
            for group in use.groups
        ]
        return self._padded(body.name, use, torch.cat(parts, -1))

    def _padded(self, name: str, use: ReadoutUse, values: Tensor) -> Tensor:
        """With zeros for the numbers that the readout has and this body has not."""
        return nn.functional.pad(values, (0, max(0, use.size - self._numbers(name, use))))

    def _padding(self, name: str, use: ReadoutUse, count: int) -> Tensor:
        """Which numbers of a readout this body has, (b, h, a)."""
        horizon, size = self._shape(name, use)
        real = torch.arange(size, device=self.device) < self._numbers(name, use)
        return real.expand(count, horizon, size)

    def _numbers(self, name: str, use: ReadoutUse) -> int:
        return sum(self.bodies[name].action[group].size for group in use.groups)

    def _readout(self, use: ReadoutUse) -> Readout:
        return cast(Readout, self.readouts[_safe(use.key)])

    def _shape(self, name: str, use: ReadoutUse) -> tuple[int, int]:
        return chunk_shape(self.bodies[name], self.config.bodies[name], use)

    def _body(self, name: str) -> Embodiment:
        if name not in self.bodies:
            raise UnknownName("body of this policy", name, self.bodies)
        return self.bodies[name]

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    @property
    def model(self) -> str:
        """Name and hash of the weights."""
        return self.name

    @property
    def statistics(self) -> str:
        """Which statistics scale states and actions, in words."""
        return "; ".join(
            " ".join(filter(None, (name, found.of, found.hash)))
            for name, found in self.body_statistics.items()
        )

    @property
    def frames(self) -> int:
        """Frames t in a window."""
        return self.config.window.frames

    @property
    def spacing(self) -> float | None:
        """Seconds between the frames of a window; None for one control step."""
        return self.config.window.spacing

    @property
    def horizons(self) -> dict[str, dict[str, int]]:
        """Body to action group to the rows of a chunk."""
        return {
            name: {
                group: self._shape(name, use)[0]
                for use in self.config.bodies[name].readouts
                for group in use.groups
            }
            for name in self.bodies
        }

    @property
    def camera_sizes(self) -> dict[str, dict[str, tuple[int, int]]]:
        """Body to camera or goal image to the (height, width) that `prepare` makes."""
        return {
            name: {
                stream: image_size(body, spec, self.preprocess)
                for stream, spec in body.observation.items()
                if isinstance(spec, Camera | GoalImage)
            }
            for name, body in self.bodies.items()
        }

    def calibrations(self, name: str) -> list[str]:
        """The streams `<camera>.calibration` that a body's tokenizers read."""
        uses, streams = self.config.bodies[name].tokenizers, self._body(name).observation
        read = [stream for use in uses for stream in use.streams.values()]
        return [stream for stream in dict.fromkeys(read) if stream not in streams]

    def reference_streams(self, name: str) -> list[str]:
        """The numeric streams of a body, which codecs may refer to."""
        streams = self._body(name).observation
        return [s for s, spec in streams.items() if isinstance(spec, NumericStream)]

    def prepare(self, body: str, frame: Frame) -> Frame:
        """Resize the images of one frame."""
        return self.preprocess.frame(self._body(body), frame)


def _safe(key: str) -> str:
    return key.replace(".", "·")  # a ModuleDict key may not hold a dot
