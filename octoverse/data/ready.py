"""Episodes made ready for cutting: arrays in memory, images decoded once when first needed."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from octoverse.data.windows import StackedWindows, WindowSpec, dtype_of, shape_of
from octoverse.embodiment import Camera, Embodiment, GoalImage, Instruction, PathGroup
from octoverse.episode import Episode
from octoverse.errors import BadData
from octoverse.preprocess import Preprocess


class ReadyEpisode:
    """One episode as arrays, with room before its start and after its end.

    The room is zero and invalid, but for the first frame's repetition half a spacing early (see
    `cut`), so that every window and chunk is one plain slice.
    """

    def __init__(
        self, episode: Episode, body: Embodiment, spec: WindowSpec, preprocess: Preprocess
    ) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self.valid: dict[str, np.ndarray] = {}
        self.words: dict[str, list[str]] = {}
        self.action: dict[str, np.ndarray] = {}
        self.action_valid: dict[str, np.ndarray] = {}
        self._body, self._past, self._preprocess = body, spec.past, preprocess
        self._encoded: dict[str, Sequence[Any] | np.ndarray] = {}
        self._missing: dict[str, np.ndarray] = {}
        count, early = len(episode), min(spec.early, spec.past)
        shown = np.maximum(np.arange(-early, count), 0)
        for name, stream in spec.wanted(body).items():
            valid = np.zeros(spec.past + count, bool)
            if name in episode.observation:
                seen = episode.observation_valid.get(name, np.ones(count, bool))
                valid[spec.past - early :] = np.asarray(seen)[shown]
            self.valid[name] = valid
            values = episode.observation.get(name)
            if isinstance(stream, Instruction):
                real = valid[spec.past :]
                words = [""] * count if values is None else values
                self.words[name] = [w if ok else "" for w, ok in zip(words, real, strict=True)]
                continue
            shape = shape_of(body, stream, preprocess)
            self.arrays[name] = np.zeros((spec.past + count, *shape), dtype_of(stream))
            if values is None:
                continue
            if isinstance(stream, Camera | GoalImage):
                self._encoded[name], self._missing[name] = values, valid.copy()
            else:
                numbers: np.ndarray = np.asarray(values, dtype_of(stream)).reshape(count, *shape)
                self.arrays[name][valid] = numbers[shown][valid[spec.past - early :]]
        for name, group in body.action.items():
            rows = spec.rows(body, name)
            path = isinstance(group, PathGroup)
            lead = (count, rows) if path else (count + rows - 1,)
            found = np.zeros((*lead, group.size), np.float32)
            known = np.zeros(lead, bool)
            if name in episode.action:
                known[:count] = episode.action_valid.get(name, True)
                found[:count] = np.where(known[:count, ..., None], episode.action[name], 0)
            self.action[name], self.action_valid[name] = found, known
        encoded = sum(
            value.nbytes if isinstance(value, np.ndarray) else len(value)
            for values in self._encoded.values()
            for value in values
            if value is not None
        )
        parts = (self.arrays, self.valid, self.action, self.action_valid)
        self.nbytes = encoded + sum(a.nbytes for part in parts for a in part.values())
        """Memory held at most, in bytes."""

    def decode(self, step: int) -> None:
        """Decode the images of the window that ends with this step, where not done before."""
        for name in list(self._missing):
            missing = self._missing[name]
            wanted = np.flatnonzero(missing[step : step + self._past + 1]) + step
            for place in wanted.tolist():
                frame = {name: self._encoded[name][max(place - self._past, 0)]}
                self.arrays[name][place] = self._preprocess.frame(self._body, frame)[name]
                missing[place] = False
            if not missing.any():
                del self._missing[name], self._encoded[name]

    @property
    def decoded(self) -> bool:
        """Whether every image has been decoded."""
        return not self._missing


def stack(
    samples: Sequence[tuple[ReadyEpisode, int]],
    body: Embodiment,
    spec: WindowSpec,
    seeds: np.ndarray,
) -> StackedWindows:
    """Cut samples (episode, step) straight into one stacked batch.

    Gives what `cut` and `StackedWindows.from_windows` give, much faster.
    """
    b, t, past, spacing = len(samples), spec.frames, spec.past, spec.spacing
    streams: dict[str, Any] = {}
    valid: dict[str, np.ndarray] = {}
    for ready, step in samples:
        if not ready.decoded:
            ready.decode(step)
    first = samples[0][0]
    for name in first.valid:
        seen = valid[name] = np.empty((b, t), bool)
        if name in first.words:
            for i, (ready, step) in enumerate(samples):
                seen[i] = ready.valid[name][step + past]
            streams[name] = [ready.words[name][step] for ready, step in samples]
            continue
        like = first.arrays[name]
        values = streams[name] = np.empty((b, t, *like.shape[1:]), like.dtype)
        for i, (ready, step) in enumerate(samples):
            window = slice(step, step + past + 1, spacing)
            values[i] = ready.arrays[name][window]
            seen[i] = ready.valid[name][window]
    action: dict[str, np.ndarray] = {}
    action_valid: dict[str, np.ndarray] = {}
    for name, group in body.action.items():
        rows = spec.rows(body, name)
        chunk = action[name] = np.empty((b, rows, group.size), np.float32)
        known = action_valid[name] = np.empty((b, rows), bool)
        path = isinstance(group, PathGroup)
        for i, (ready, step) in enumerate(samples):
            pick: Any = step if path else slice(step, step + rows)
            chunk[i] = ready.action[name][pick]
            known[i] = ready.action_valid[name][pick]
    return StackedWindows(
        embodiment=body.name,
        streams=streams,
        valid=valid,
        action=action,
        action_valid=action_valid,
        seeds=seeds,
    )


class EpisodeCache:
    """Keeps the ready episodes that were used last, up to so many bytes."""

    def __init__(self, limit: int) -> None:
        self.limit, self.nbytes = limit, 0
        self._held: OrderedDict[Hashable, ReadyEpisode] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def get(self, key: Hashable, make: Callable[[], ReadyEpisode]) -> ReadyEpisode:
        """The episode of this key, made where it is not held.

        Raises:
            BadData: if one episode alone is larger than the limit.
        """
        found = self._held.get(key)
        if found is not None:
            self._held.move_to_end(key)
            return found
        made = make()
        if made.nbytes > self.limit:
            raise BadData(
                f"Episode {key}: expected at most {self.limit:,} bytes (cache_bytes), got "
                f"{made.nbytes:,}. Raise cache_bytes, or ask for smaller images."
            )
        self._held[key] = made
        self.nbytes += made.nbytes
        while self.nbytes > self.limit:
            self.nbytes -= self._held.popitem(last=False)[1].nbytes
        return made
