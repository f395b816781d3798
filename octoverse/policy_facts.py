"""What servers, sessions and data ask a policy about itself."""

import torch
from torch import Tensor, nn

from octoverse.config import PolicyConfig, ReadoutUse
from octoverse.data.windows import image_size
from octoverse.embodiment import Camera, Command, Embodiment, GoalImage, NumericStream
from octoverse.episode import Frame
from octoverse.errors import UnknownName
from octoverse.fitting import chunk_shape
from octoverse.normalize import BodyStatistics
from octoverse.preprocess import Preprocess


class PolicyFacts(nn.Module):
    """A policy's bodies, sizes and rates."""

    config: PolicyConfig
    bodies: dict[str, Embodiment]
    body_statistics: dict[str, BodyStatistics]
    preprocess: Preprocess
    name: str

    def _shape(self, name: str, use: ReadoutUse) -> tuple[int, int]:
        return chunk_shape(self.bodies[name], self.config.bodies[name], use)

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
        """Frames t in a window that is to be answered; a streaming trunk reads its span."""
        return self.config.trunk.span or self.config.window.frames

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
        """Numeric streams and commands of a body: codecs and readouts may refer to them."""
        streams = self._body(name).observation
        return [s for s, spec in streams.items() if isinstance(spec, NumericStream | Command)]

    def prepare(self, body: str, frame: Frame) -> Frame:
        """Resize the images of one frame."""
        return self.preprocess.frame(self._body(body), frame)
