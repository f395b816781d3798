"""Which samples each training step consists of: decided by a seed, without reading any data."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from octoverse.data.permutation import Permutation


@dataclass(frozen=True, slots=True)
class Draw:
    """One sample: a step of an episode of a source."""

    source: int
    episode: int
    step: int
    seed: int
    """Decides its noise and how it is varied."""


class Schedule:
    """Draws from weighted sources without replacement within a source's epoch.

    How many samples of each source a step has comes from the seed and the step alone, so that it
    is the same on every rank; over time it follows the weights exactly, and in each step it is
    within one sample of them.

    Args:
        lengths: For each source, the steps of its episodes, int64 (episodes,).
        weights: How often each source is drawn; only their ratios matter.
        per_episode: For each source, how many steps of an episode an epoch draws at most; None for
            all of them.
        batch_size: Samples in a step of this rank, all sources together.
        seed: Decides everything.
        rank: Which share of the samples this process draws.
        world: Of how many.
    """

    def __init__(
        self,
        lengths: Sequence[np.ndarray],
        weights: Sequence[float],
        per_episode: Sequence[int | None],
        *,
        batch_size: int,
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        share = np.cumsum(np.array(weights) / np.sum(weights))
        self._quota = share * batch_size
        self._quota[-1] = batch_size
        self._batch_size, self._seed, self._rank, self._world = batch_size, seed, rank, world
        self._lengths, self._per_episode = lengths, per_episode
        self._ends = [
            np.cumsum(sizes if most is None else np.minimum(sizes, most))
            for sizes, most in zip(lengths, per_episode, strict=True)
        ]
        self.step = 0
        """Steps planned so far."""
        self.drawn = [0] * len(lengths)
        """Samples of each source so far."""

    @property
    def steps(self) -> int:
        """Time steps that one epoch of every source draws."""
        return int(sum(ends[-1] for ends in self._ends))

    def at_most(self, source: int) -> int:
        """Samples of one source in a step, at most."""
        before = self._quota[source - 1] if source else 0.0
        return min(self._batch_size, int(np.ceil(self._quota[source] - before)) + 1)

    def next(self) -> list[Draw]:
        """The samples of the next step, source by source."""
        shared = np.random.default_rng((self._seed, 0, self.step))
        own = np.random.default_rng((self._seed, 1, self.step, self._rank))
        edges = np.floor(self._quota + shared.random()).astype(int)
        edges[-1] = self._batch_size
        counts = np.diff(edges, prepend=0)
        seeds = own.integers(0, 2**62, self._batch_size)
        found: list[Draw] = []
        for source, count in enumerate(counts.tolist()):
            found += self._draw(source, count, seeds[len(found) :])
        self.step += 1
        return found

    def _draw(self, source: int, count: int, seeds: np.ndarray) -> list[Draw]:
        ends = self._ends[source]
        share = int(ends[-1]) // self._world
        places = self.drawn[source] + np.arange(count)
        self.drawn[source] += count
        found: list[Draw] = []
        for epoch in range(int(places[0]) // share, int(places[-1]) // share + 1) if count else ():
            here = places[places // share == epoch] % share
            order = Permutation(int(ends[-1]), _mix(self._seed, source, epoch))
            flat = order(here * self._world + self._rank)
            episodes = np.searchsorted(ends, flat, side="right")
            starts = np.where(episodes > 0, ends[episodes - 1], 0)
            for episode, place in zip(episodes.tolist(), (flat - starts).tolist(), strict=True):
                step = self._step_of(source, epoch, episode, place)
                found.append(Draw(source, episode, step, int(seeds[len(found)])))
        return found

    def _step_of(self, source: int, epoch: int, episode: int, place: int) -> int:
        """The step that is the place-th of an episode in an epoch."""
        size = int(self._lengths[source][episode])
        if self._per_episode[source] is None or size <= (self._per_episode[source] or 0):
            return place
        order = Permutation(size, _mix(self._seed, source, epoch, episode))
        return int(order(np.array(place)))


def _mix(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])
