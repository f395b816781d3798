"""What a mixture will deliver, told before anything is drawn: sizes, shares, epochs and memory."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from octoverse.data.source import body_of
from octoverse.data.weighted import Weighted
from octoverse.data.windows import StackedWindows, WindowSpec, shape_of
from octoverse.embodiment import Camera, Embodiment, GoalImage
from octoverse.errors import BadConfig
from octoverse.preprocess import Preprocess


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """What one source of a mixture delivers."""

    source: str
    embodiment: str
    episodes: int
    frames: int
    """Time steps of all episodes."""
    hours: float
    weight: float
    share: float
    """Of all samples."""
    drawn: int
    """Time steps that one epoch draws: fewer than `frames` where long episodes count less."""
    sample_bytes: int
    """Of one sample, with its images decoded."""
    frame_bytes: int
    """Of the decoded images of one time step."""

    def epochs(self, samples: int) -> float:
        """How often each step is drawn in so many samples of the mixture."""
        return self.share * samples / self.drawn if self.drawn else float("inf")


def deliveries(
    sources: Sequence[Weighted],
    spec_of: Callable[[Embodiment], WindowSpec],
    preprocess: Preprocess,
) -> list[Delivery]:
    """Tell what each source delivers.

    Args:
        sources: The mixture.
        spec_of: What a sample of a body is.
        preprocess: How large images are made.

    Raises:
        BadConfig: if the mixture has no source.
        BadData: if a source cannot be opened.
    """
    if not sources:
        raise BadConfig("A mixture needs at least one source, got none.")
    total = sum(entry.weight for entry in sources)
    found = []
    for entry in sources:
        body, lengths = body_of(entry.source), entry.source.lengths()
        spec, frames = spec_of(body), int(lengths.sum())
        shown = [v for v in spec.wanted(body).values() if isinstance(v, Camera | GoalImage)]
        found.append(
            Delivery(
                source=entry.source.name,
                embodiment=body.name,
                episodes=len(lengths),
                frames=frames,
                hours=frames / body.control_hz / 3600,
                weight=entry.weight,
                share=entry.weight / total,
                drawn=int(entry.lengths().sum()),
                sample_bytes=StackedWindows.empty(body, spec, preprocess, 1).nbytes,
                frame_bytes=sum(int(np.prod(shape_of(body, v, preprocess))) for v in shown),
            )
        )
    return found
