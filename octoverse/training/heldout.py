"""The error on data never trained on, beside the errors of simple predictions."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from octoverse.data.cutting import cut_all
from octoverse.data.source import Source, body_of
from octoverse.data.weighted import Weighted
from octoverse.embodiment import Embodiment
from octoverse.episode import Episode
from octoverse.errors import BadData
from octoverse.in_force import scaled_as
from octoverse.policy import Policy
from octoverse.training.loop import window_spec
from octoverse.training.report import Comparison, GroupError, Report
from octoverse.training.simple import MEAN, Simple, simple_predictions
from octoverse.training.sums import Sums, mean_of

_BATCH = 64
"""Windows that are made and answered at a time."""


def held_out_report(
    policy: Policy, sources: Sequence[Weighted], folder: Path, *, seen: Sequence[Weighted] = ()
) -> Report:
    """Measure every step of the held-out data; write held_out.json and .md into `folder`.

    Args:
        policy: What is measured.
        sources: Data that it was not trained on.
        folder: Where the report is written.
        seen: Data that it was trained on, because none could be held out; marked as such.

    Raises:
        BadData: if there is nothing to measure in a data set, or nothing valid of an action group.
    """
    groups: list[GroupError] = []
    comparisons: list[Comparison] = []
    for trained_on, entries in ((False, sources), (True, seen)):
        for entry in entries:
            source = entry.source
            with scaled_as(policy, source.embodiment, source.name):
                measured = _Measured(policy, source, trained_on)
            groups += measured.groups
            comparisons += measured.comparisons
    report = Report(groups, comparisons)
    report.write(folder)
    return report


class _Judged:
    """One simple prediction and the policy, on the same numbers."""

    def __init__(self, simple: Simple, rows: int) -> None:
        self.simple, self.policy, self.other = simple, Sums(rows), Sums(rows)


class _Measured:
    """A policy on one data set."""

    def __init__(self, policy: Policy, source: Source, seen: bool) -> None:
        self._policy, self._source, self._seen = policy, source, seen
        self._body: Embodiment = body_of(source)
        known = policy.body_statistics[self._body.name].action
        rows = policy.horizons[self._body.name]
        self._scale = {g: _spread(np.array(known[g].std)) for g in self._body.action}
        self._sums = {g: Sums(rows[g]) for g in self._body.action}
        self._judged = {
            group: [
                _Judged(simple, rows[group])
                for simple in simple_predictions(self._body, group, rows[group], known[group])
            ]
            for group in self._body.action
        }
        self._samples = 0
        for episode, steps in _portions(source):
            self._add(episode, steps)
        self._check()

    def _add(self, episode: Episode, steps: np.ndarray) -> None:
        spec = window_spec(self._policy, self._body.name)
        windows = cut_all(episode, steps.tolist(), self._body, spec, self._policy.preprocess)
        answers = self._policy.act([window.observation for window in windows])
        self._samples += len(windows)
        for group, judged in self._judged.items():
            actual = np.stack([window.action[group] for window in windows])  # (n, h, a)
            valid = np.stack([window.action_valid[group] for window in windows])  # (n, h)
            scale = self._scale[group]
            error = np.abs(np.stack([one.action[group] for one in answers]) - actual) / scale
            self._sums[group].add(error, valid)
            if not valid.any():
                continue
            for one in judged:
                guess, there = one.simple.predict(episode, steps)
                where = valid & there[:, None] & (np.arange(valid.shape[1]) < one.simple.rows)
                one.policy.add(error, where)
                one.other.add(np.abs(guess - actual) / scale, where)

    def _check(self) -> None:
        if not self._samples:
            raise BadData(
                f"expected held-out data of '{self._body.name}', found none in "
                f"{self._source.name}. Hold out more, or nothing."
            )
        for group, sums in self._sums.items():
            if not sums.count.any():
                raise BadData(
                    f"expected held-out actions '{group}' of '{self._body.name}' that are valid, "
                    f"found none in {self._source.name}."
                )

    @property
    def groups(self) -> list[GroupError]:
        """Each action group by itself."""
        return [
            GroupError(
                body=self._body.name,
                data=self._source.name,
                group=group,
                policy=sums.mean,
                mean=self._judged[group][0].other.mean,
                by_row=sums.by_row,
                mean_by_row=self._judged[group][0].other.by_row,
                samples=self._samples,
                seen=self._seen,
            )
            for group, sums in self._sums.items()
        ]

    @property
    def comparisons(self) -> list[Comparison]:
        """Beside every simple prediction: all groups that can have it together."""
        names = [one.simple.name for judged in self._judged.values() for one in judged]
        found = []
        for name in sorted(set(names), key=lambda name: (name != MEAN, name)):
            parts = [
                one for judged in self._judged.values() for one in judged if one.simple.name == name
            ]
            if not any(part.other.count.any() for part in parts):
                continue  # such as the last action of episodes that are one step long
            found.append(
                Comparison(
                    body=self._body.name,
                    data=self._source.name,
                    against=name,
                    seconds=max(part.simple.seconds for part in parts),
                    policy=mean_of([part.policy for part in parts]),
                    simple=mean_of([part.other for part in parts]),
                    samples=max(part.other.samples for part in parts),
                    seen=self._seen,
                )
            )
        return found


def _portions(source: Source) -> Iterator[tuple[Episode, np.ndarray]]:
    """Every step of every episode, a batch at a time: pictures of long videos fill no memory."""
    for index in range(len(source)):
        episode = source.episode(index)
        for first in range(0, len(episode), _BATCH):
            yield episode, np.arange(first, min(first + _BATCH, len(episode)))


def _spread(std: np.ndarray) -> np.ndarray:
    """Standard deviations to divide by; a number that never changes in training counts as it is."""
    return np.where(std > 1e-9, std, 1.0)
