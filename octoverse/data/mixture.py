"""An endless, deterministic stream of training samples drawn from weighted sources."""

import hashlib
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace

import msgspec

from octoverse.data.assembly import Place, Setting
from octoverse.data.inline import Inline
from octoverse.data.schedule import Draw, Schedule
from octoverse.data.source import Source, body_of
from octoverse.data.variation import PLAIN, Variation
from octoverse.data.weighted import Skipped, Weighted, readable
from octoverse.data.windows import StackedWindows, WindowSpec
from octoverse.data.workers import Workers
from octoverse.embodiment import Embodiment
from octoverse.errors import BadConfig, OctoverseError
from octoverse.preprocess import Preprocess

_DEPTH = 2
"""Steps under way per worker."""


class MixtureState(msgspec.Struct, frozen=True, kw_only=True):
    """Where a mixture stands; goes into a training checkpoint."""

    seed: int
    rank: int
    world: int
    batch_size: int
    step: int
    sources: tuple[str, ...]
    """Fingerprint of every source."""
    settings: str
    """Hash of all else that decides the stream: weights, windows, variation, augmentation."""
    drawn: tuple[int, ...]
    """Samples taken of every source by this rank."""


class Mixture:
    """Draws batches of mixed bodies, without replacement within a source's epoch.

    The stream depends on the sources, the settings and the seed alone: not on the number of
    workers, nor on what is held in memory. See `Schedule` for what a step consists of.

    Args:
        sources: What to draw from.
        specs: What a sample is, by body; one WindowSpec for all of them otherwise.
        preprocess: Prepares the images.
        batch_size: Samples in a step of this rank, all bodies together.
        seed: Decides everything random.
        variation: What is varied at random besides pictures.
        memory_bytes: Memory for everything that is held: batches under way, opened episodes,
            decoded images. Where all images fit, none is decoded twice.
        rank: Which share of the samples this process draws.
        world: Of how many.
        augment: Whether images are changed at random as the preprocess's config says.
        workers: Processes that make samples; 0 to make them in this one.
        prefetch: Batches that a thread makes ahead where there are no workers; 0 for none.
        skip_bad: Leave out what cannot be read, count and name it (`skipped`), and draw something
            else of the same source instead; otherwise it is an error.

    Raises:
        BadConfig: if settings contradict each other, or a step does not fit into the memory.
        BadData: if a source is empty or cannot be opened.
    """

    def __init__(
        self,
        sources: Sequence[Weighted],
        specs: Mapping[str, WindowSpec] | WindowSpec,
        preprocess: Preprocess,
        *,
        batch_size: int,
        seed: int = 0,
        variation: Variation = PLAIN,
        memory_bytes: int = 4 * 2**30,
        rank: int = 0,
        world: int = 1,
        augment: bool = True,
        workers: int = 0,
        prefetch: int = 0,
        skip_bad: bool = False,
    ) -> None:
        if not sources:
            raise BadConfig("A mixture needs at least one source, got none.")
        if batch_size < 1 or not 0 <= rank < world or min(workers, prefetch) < 0:
            raise BadConfig(
                "batch_size must be at least 1, rank below world, workers and prefetch at least 0, "
                f"got {batch_size}, {rank} and {world}, {workers} and {prefetch}."
            )
        self.skipped: dict[Skipped, int] = {}
        """What was left out, and how often it had been drawn."""
        self._identity = {"seed": seed, "rank": rank, "world": world, "batch_size": batch_size}
        kept, lengths, unreadable = readable(sources, skip_bad, world)
        for one in unreadable:
            self._skip(one)
        self._sources: list[Source] = [entry.source for entry in kept]
        bodies = [body_of(source) for source in self._sources]
        by_body = {body.name: _spec(specs, body) for body in bodies}
        self._fingerprints = tuple(source.fingerprint() for source in self._sources)
        self._schedule = Schedule(
            lengths,
            [entry.weight for entry in kept],
            [entry.per_episode for entry in kept],
            **self._identity,
        )
        setting = Setting(
            sources=self._sources,
            bodies={body.name: body for body in bodies},
            specs=by_body,
            preprocess=preprocess.config,
            variation=variation,
            augment=augment,
            lengths=lengths,
            memory=0,
            skip_bad=skip_bad,
        )
        self._settings = _hash(kept, setting)
        rows: dict[str, int] = {}
        for which, body in enumerate(bodies):
            rows[body.name] = rows.get(body.name, 0) + self._schedule.at_most(which)
        rows = {name: min(count, batch_size) for name, count in rows.items()}
        self.batch_bytes = sum(setting.empty(name, count).nbytes for name, count in rows.items())
        """Memory of one step, in bytes, at most."""
        depth = workers * _DEPTH if workers else prefetch
        left = memory_bytes - (depth + 1) * self.batch_bytes
        if left <= 0:
            raise BadConfig(
                f"A step takes {self.batch_bytes:,} bytes and {depth + 1} are held at a time: "
                f"expected more than {(depth + 1) * self.batch_bytes:,} bytes of memory, got "
                f"{memory_bytes:,}. Raise the memory, or lower batch_size, image sizes or workers."
            )
        setting = replace(setting, memory=left)
        self._start = lambda: (
            Workers(setting, rows, workers, depth) if workers else Inline(setting, depth)
        )
        self._makers: Workers | Inline = self._start()
        self._ahead: deque[MixtureState] = deque()
        self._state = self._here()
        self._failed: OctoverseError | None = None

    @property
    def steps(self) -> int:
        """Time steps of all sources together: the size of one epoch if weights were sizes."""
        return self._schedule.steps

    def next(self) -> dict[str, StackedWindows]:
        """The next step's samples, by body.

        Raises:
            BadData: if an episode that is needed cannot be read.
            OctoverseError: if a worker died.
        """
        if self._failed is not None:
            raise self._failed
        try:
            while self._makers.free:
                self._makers.submit(self._placed(self._schedule.next()))
                self._ahead.append(self._here())
            batch, made = self._makers.collect()
        except OctoverseError as error:
            self._failed = error
            raise
        self._state = self._ahead.popleft()
        for source, episode, message in made.skipped:
            self._skip(Skipped(source=source, episode=episode, message=message))
        return batch

    def state(self) -> MixtureState:
        """Where the stream stands after the last batch that `next` gave."""
        return self._state

    def restore(self, state: MixtureState) -> None:
        """Go on exactly after the batch that `state` was taken after.

        Raises:
            BadConfig: if the state is of other data, or of other settings.
        """
        here = self._here()
        for name in ("seed", "rank", "world", "batch_size", "sources", "settings"):
            if getattr(state, name) != getattr(here, name):
                raise BadConfig(
                    f"Cannot go on in this mixture: {name} was {getattr(state, name)}, is "
                    f"{getattr(here, name)}. Start anew, or use the same data and settings."
                )
        if self._ahead:
            self.close()
            self._ahead.clear()
            self._makers = self._start()
        self._schedule.step, self._schedule.drawn = state.step, list(state.drawn)
        self._state = state

    def close(self) -> None:
        """End the workers, or the thread that works ahead."""
        self._makers.close()

    def _here(self) -> MixtureState:
        return MixtureState(
            **self._identity,
            step=self._schedule.step,
            sources=self._fingerprints,
            settings=self._settings,
            drawn=tuple(self._schedule.drawn),
        )

    def _placed(self, draws: Sequence[Draw]) -> list[Place]:
        rows: dict[str, int] = {}
        found = []
        for draw in draws:
            body = self._sources[draw.source].embodiment
            found.append(Place(body, rows.get(body, 0), draw))
            rows[body] = rows.get(body, 0) + 1
        return found

    def _skip(self, one: Skipped) -> None:
        self.skipped[one] = self.skipped.get(one, 0) + 1


def _spec(specs: Mapping[str, WindowSpec] | WindowSpec, body: Embodiment) -> WindowSpec:
    if isinstance(specs, WindowSpec):
        return specs
    if body.name not in specs:
        raise BadConfig(f"specs lack the body '{body.name}'. Known: {sorted(specs)}.")
    return specs[body.name]


def _hash(entries: Sequence[Weighted], setting: Setting) -> str:
    told = [
        [(entry.weight, entry.per_episode) for entry in entries],
        {name: body.fingerprint for name, body in setting.bodies.items()},
        setting.specs,
        setting.preprocess,
        setting.variation,
        setting.augment,
    ]
    return hashlib.sha256(msgspec.json.encode(told, order="sorted")).hexdigest()[:16]
