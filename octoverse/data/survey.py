"""Look through episodes without decoding more than one image each: what is there, how often."""

import io
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import numpy as np

from octoverse.data.source import Source, body_of
from octoverse.embodiment import Camera, Embodiment, GoalImage, Instruction
from octoverse.episode import Episode
from octoverse.errors import BadData


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """In which form images come."""

    encoding: str
    """JPEG, PNG, ..., or "decoded" where they come as arrays, such as video."""
    height: int
    width: int

    def __str__(self) -> str:
        return f"{self.encoding} {self.height} x {self.width}"


class Seen(msgspec.Struct, kw_only=True):
    """What was seen of one stream or action group."""

    episodes: int = 0
    """That have it."""
    steps: int = 0
    """Of these episodes."""
    valid: float = 0.0
    """Steps that are real; of a path that is partly real, the share that is."""
    masked: bool = False
    """Whether an episode has a mask for it, be it all true."""
    pictures: dict[str, int] = {}
    """`Picture` in words to the number of episodes, for cameras."""
    sizes: set[tuple[int, int]] = set()
    """Height and width of pictures."""
    shape: tuple[int, ...] = ()
    """Of one value, for numbers."""

    def merge(self, other: "Seen") -> None:
        """Take in what was seen elsewhere."""
        self.episodes += other.episodes
        self.steps += other.steps
        self.valid += other.valid
        self.masked |= other.masked
        self.pictures = dict(Counter(self.pictures) + Counter(other.pictures))
        self.sizes = self.sizes | other.sizes
        self.shape = self.shape or other.shape


class Survey(msgspec.Struct, kw_only=True):
    """What was seen of a data set."""

    episodes: int = 0
    steps: int = 0
    intervals: int = 0
    """Between two steps of an episode."""
    duration_ns: int = 0
    """Of all intervals together."""
    shortest_ns: int = 2**62
    """Interval."""
    longest_ns: int = 0
    observation: dict[str, Seen] = {}
    action: dict[str, Seen] = {}
    words: dict[str, dict[str, int]] = {}
    """Instruction stream to what is said, to the number of episodes that begin with it."""
    calibrated: dict[str, int] = {}
    """Camera to the number of episodes with its calibration."""
    tracked: int = 0
    """Boxes of other agents."""
    kinds: dict[str, int] = {}
    """Kind of agent to boxes."""
    questions: dict[str, int] = {}
    """Kind of question to how many."""

    def merge(self, other: "Survey") -> None:
        """Take in what was seen elsewhere."""
        for name in ("episodes", "steps", "intervals", "duration_ns", "tracked"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.shortest_ns = min(self.shortest_ns, other.shortest_ns)
        self.longest_ns = max(self.longest_ns, other.longest_ns)
        for name in ("calibrated", "kinds", "questions"):
            setattr(self, name, dict(Counter(getattr(self, name)) + Counter(getattr(other, name))))
        for side in ("observation", "action"):
            here = getattr(self, side)
            for name, seen in getattr(other, side).items():
                here.setdefault(name, Seen()).merge(seen)
        for name, said in other.words.items():
            self.words[name] = dict(Counter(self.words.get(name, {})) + Counter(said))


def survey(source: Source, indices: Iterable[int]) -> Survey:
    """Look through some episodes of a source.

    Raises:
        BadData: if one is damaged.
    """
    found, body = Survey(), body_of(source)
    for index in indices:
        found.merge(_episode(source.episode(index), body))
    return found


def spread(count: int, most: int) -> Sequence[int]:
    """Up to `most` of `count` indices, evenly spread."""
    return sorted({int(i) for i in np.linspace(0, count - 1, min(count, most)).round()})


def picture_of(image: bytes | np.ndarray) -> Picture:
    """In which form an image comes.

    Raises:
        BadData: if it is no image that Pillow knows.
    """
    if isinstance(image, np.ndarray):
        return Picture(encoding="decoded", height=image.shape[0], width=image.shape[1])
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(image)) as opened:
            form = str(opened.format)
            return Picture(encoding=form, height=opened.height, width=opened.width)
    except UnidentifiedImageError as error:
        raise BadData(
            f"Expected an encoded image (JPEG, PNG), got {len(image)} bytes beginning with "
            f"{bytes(image[:8])!r}. The recording is damaged here; fetch it again."
        ) from error


def _episode(episode: Episode, body: Embodiment) -> Survey:
    found = Survey(episodes=1, steps=len(episode))
    gaps = np.diff(episode.times_ns)
    if len(gaps):
        found.intervals, found.duration_ns = len(gaps), int(gaps.sum())
        found.shortest_ns, found.longest_ns = int(gaps.min()), int(gaps.max())
    for name, values in episode.observation.items():
        valid = episode.observation_valid.get(name)
        seen = found.observation[name] = _seen(values, valid, len(episode))
        stream = body.observation.get(name)
        if isinstance(stream, Camera | GoalImage):
            first = 0 if valid is None or not np.any(valid) else int(np.argmax(valid))
            try:
                picture = picture_of(values[first])
            except BadData as error:
                raise BadData(
                    f"'{episode.source}', episode {episode.key}, '{name}', step {first}: {error}"
                ) from error
            seen.pictures, seen.sizes = {str(picture): 1}, {(picture.height, picture.width)}
        elif isinstance(stream, Instruction):
            found.words[name] = {str(values[0]): 1} if len(values) else {}
        else:
            seen.shape = np.shape(values)[1:]
    for name, values in episode.action.items():
        seen = _seen(values, episode.action_valid.get(name), len(episode))
        seen.shape = np.shape(values)[1:]
        found.action[name] = seen
    found.calibrated = dict.fromkeys(episode.calibration, 1)
    if episode.tracks is not None:
        found.tracked = len(episode.tracks.step)
        found.kinds = dict(Counter(np.asarray(episode.tracks.kind).tolist()))
    found.questions = dict(Counter(question.kind for question in episode.questions))
    return found


def _seen(values: Any, valid: np.ndarray | None, steps: int) -> Seen:
    if valid is None:
        return Seen(episodes=1, steps=steps, valid=steps)
    real = float(np.mean(valid)) * steps if steps else 0.0
    return Seen(episodes=1, steps=steps, valid=real, masked=True)
