"""An endless, deterministic stream of training samples drawn from weighted sources."""

import queue
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from octoverse.data.ready import EpisodeCache, ReadyEpisode, stack
from octoverse.data.source import body_of
from octoverse.data.weighted import Weighted
from octoverse.data.windows import StackedWindows, WindowSpec
from octoverse.embodiment import Embodiment
from octoverse.errors import BadConfig, BadData
from octoverse.preprocess import Preprocess


class MixtureState(msgspec.Struct, frozen=True, kw_only=True):
    """Where a mixture stands; goes into a training checkpoint."""

    seed: int
    rank: int
    world: int
    batch_size: int
    step: int
    sources: tuple[str, ...]
    """Fingerprint of every source."""
    drawn: tuple[int, ...]
    """Samples taken of every source by this rank."""


class Mixture:
    """Draws batches of mixed bodies, without replacement within a source's epoch.

    How many samples of each source a step has comes from the seed and the step alone, so that it
    is the same on every rank; over time it follows the weights exactly, and in each step it is
    within one sample of them.

    Args:
        sources: What to draw from.
        specs: What a sample is, by body; one WindowSpec for all of them otherwise.
        preprocess: Prepares the images.
        batch_size: Samples in a step of this rank, all bodies together.
        seed: Decides everything random.
        cache_bytes: Memory for decoded images; where all fits, nothing is read twice.
        rank: Which share of the samples this process draws.
        world: Of how many.
        augment: Whether images are jittered as the preprocess's config says.
        prefetch: Batches that a thread makes ahead; 0 for none.
    """

    def __init__(
        self,
        sources: Sequence[Weighted],
        specs: Mapping[str, WindowSpec] | WindowSpec,
        preprocess: Preprocess,
        *,
        batch_size: int,
        seed: int = 0,
        cache_bytes: int = 4 * 2**30,
        rank: int = 0,
        world: int = 1,
        augment: bool = True,
        prefetch: int = 0,
    ) -> None:
        if not sources:
            raise BadConfig("A mixture needs at least one source, got none.")
        if batch_size < 1 or not 0 <= rank < world:
            raise BadConfig(
                "batch_size must be at least 1 and rank below world, got "
                f"{batch_size}, {rank} and {world}."
            )
        self._sources = [entry.source for entry in sources]
        self._fingerprints = tuple(source.fingerprint() for source in self._sources)
        weights = np.array([entry.weight for entry in sources])
        self._quota = np.cumsum(weights / weights.sum()) * batch_size
        self._quota[-1] = batch_size
        self._preprocess, self._batch_size, self._seed = preprocess, batch_size, seed
        self._rank, self._world = rank, world
        self._bodies: list[Embodiment] = [body_of(source) for source in self._sources]
        self._specs: dict[str, WindowSpec] = {}
        for body in self._bodies:
            if not isinstance(specs, WindowSpec) and body.name not in specs:
                raise BadConfig(f"specs lack the body '{body.name}'. Known: {sorted(specs)}.")
            self._specs[body.name] = specs if isinstance(specs, WindowSpec) else specs[body.name]
        self._starts = []
        for source in self._sources:
            starts = np.concatenate([[0], np.cumsum(source.lengths())])
            if starts[-1] < world:
                raise BadData(
                    f"'{source.name}': expected at least {world} steps (one per rank), got "
                    f"{starts[-1]}. Leave it out of the mixture, or record more."
                )
            self._starts.append(starts)
        settings = preprocess.config.augmentation
        self._augment = augment and bool(settings.brightness or settings.contrast or settings.shift)
        self._cache = EpisodeCache(cache_bytes)
        self._orders: dict[int, tuple[int, np.ndarray]] = {}
        self._step, self._drawn = 0, [0] * len(sources)
        self._state = self._here()
        self._ahead = _Ahead(self, prefetch) if prefetch else None

    @property
    def steps(self) -> int:
        """Time steps of all sources together: the size of one epoch if weights were sizes."""
        return int(sum(starts[-1] for starts in self._starts))

    def next(self) -> dict[str, StackedWindows]:
        """The next step's samples, by body.

        Raises:
            BadData: if an episode that is needed cannot be read.
        """
        if self._ahead is not None:
            batch, self._state = self._ahead.next()
            return batch
        batch = self._make()
        self._state = self._here()
        return batch

    def state(self) -> MixtureState:
        """Where the stream stands after the last batch that `next` gave."""
        return self._state

    def restore(self, state: MixtureState) -> None:
        """Go on exactly after the batch that `state` was taken after.

        Raises:
            BadConfig: if the state is of other data, or of another seed, batch size or sharding.
        """
        here = self._here()
        for name in ("seed", "rank", "world", "batch_size", "sources"):
            if getattr(state, name) != getattr(here, name):
                raise BadConfig(
                    f"Cannot go on in this mixture: {name} was {getattr(state, name)}, is "
                    f"{getattr(here, name)}. Start anew, or use the same data and settings."
                )
        prefetch = self._ahead.depth if self._ahead is not None else 0
        self.close()
        self._step, self._drawn, self._state = state.step, list(state.drawn), state
        self._ahead = _Ahead(self, prefetch) if prefetch else None

    def close(self) -> None:
        """Stop the thread that works ahead."""
        if self._ahead is not None:
            self._ahead.close()
            self._ahead = None

    def _here(self) -> MixtureState:
        return MixtureState(
            seed=self._seed,
            rank=self._rank,
            world=self._world,
            batch_size=self._batch_size,
            step=self._step,
            sources=self._fingerprints,
            drawn=tuple(self._drawn),
        )

    def _make(self) -> dict[str, StackedWindows]:
        shared = np.random.default_rng((self._seed, 0, self._step))
        own = np.random.default_rng((self._seed, 1, self._step, self._rank))
        edges = np.floor(self._quota + shared.random()).astype(int)
        edges[-1] = self._batch_size
        counts = np.diff(edges, prepend=0)
        samples: dict[str, list[tuple[ReadyEpisode, int]]] = {}
        for which, count in enumerate(counts):
            name = self._bodies[which].name
            for _ in range(count):
                samples.setdefault(name, []).append(self._draw(which))
        self._step += 1
        bodies = {body.name: body for body in self._bodies}
        made = {}
        for name, found in samples.items():
            seeds = own.integers(0, 2**62, len(found))
            made[name] = stack(found, bodies[name], self._specs[name], seeds)
            if self._augment:
                self._jitter(bodies[name], made[name], own)
        return made

    def _draw(self, which: int) -> tuple[ReadyEpisode, int]:
        starts = self._starts[which]
        share = int(starts[-1]) // self._world
        epoch, position = divmod(self._drawn[which], share)
        flat = int(self._order(which, epoch)[position * self._world + self._rank])
        self._drawn[which] += 1
        episode = int(np.searchsorted(starts, flat, side="right")) - 1
        return self._ready(which, episode), flat - int(starts[episode])

    def _order(self, which: int, epoch: int) -> np.ndarray:
        """All steps of a source, shuffled; the same on every rank."""
        known = self._orders.get(which)
        if known is None or known[0] != epoch:
            rng = np.random.default_rng((self._seed, 2, which, epoch))
            known = self._orders[which] = (epoch, rng.permutation(int(self._starts[which][-1])))
        return known[1]

    def _ready(self, which: int, episode: int) -> ReadyEpisode:
        def make() -> ReadyEpisode:
            body = self._bodies[which]
            found = self._sources[which].episode(episode)
            return ReadyEpisode(found, body, self._specs[body.name], self._preprocess)

        return self._cache.get((which, episode), make)

    def _jitter(self, body: Embodiment, batch: StackedWindows, rng: np.random.Generator) -> None:
        for name, camera in body.cameras.items():
            for window in batch.streams.get(name, ()):
                window[:] = self._preprocess.augment(camera.role, window, rng)


class _Ahead:
    """Makes batches in a thread, in order, each with the state after it."""

    def __init__(self, mixture: Mixture, depth: int) -> None:
        self.depth = depth
        self._queue: queue.Queue[Any] = queue.Queue(depth)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(mixture,), daemon=True)
        self._thread.start()

    def next(self) -> tuple[dict[str, StackedWindows], MixtureState]:
        found = self._queue.get()
        if isinstance(found, Exception):
            self._put(found)
            raise found
        return found

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self, mixture: Mixture) -> None:
        try:
            while not self._stop.is_set():
                self._put((mixture._make(), mixture._here()))
        except Exception as error:
            self._put(error)

    def _put(self, item: Any) -> None:
        while not self._stop.is_set():
            try:
                return self._queue.put(item, timeout=0.1)
            except queue.Full:
                continue
