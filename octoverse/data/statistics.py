"""Statistics of data sets: of each, or of all that a body has, merged by weight."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from octoverse.accumulate import combine
from octoverse.data.gathering import ACTION, OBSERVATION, Parts, gather
from octoverse.data.source import Source, body_of
from octoverse.data.weighted import Weighted
from octoverse.embodiment import Embodiment
from octoverse.errors import BadConfig, BadData
from octoverse.normalize import BodyStatistics, Statistics


def statistics_of(
    source: Source, cache: Path | None = None, processes: int = 1, quiet: bool = True
) -> BodyStatistics:
    """Statistics of one source; see `body_statistics`."""
    entries = [Weighted(source=source)]
    return body_statistics(entries, cache, processes=processes, quiet=quiet)[source.embodiment]


def body_statistics(
    sources: Sequence[Weighted],
    cache: Path | None = None,
    *,
    apart: bool = False,
    processes: int = 1,
    quiet: bool = True,
    skip_bad: bool = False,
) -> dict[str, BodyStatistics]:
    """Statistics by body; a body's data sets are merged by their weight.

    Args:
        sources: The data that a policy is trained on.
        cache: A folder where what was gathered is kept under a hash of data and declaration;
            nothing is written without it.
        apart: Also keep those of each data set, under its name, for bodies that have several.
        processes: How many read at a time; the numbers are the same whatever it is.
        quiet: Show no progress.
        skip_bad: Leave out sources and episodes that cannot be read, and name the episodes.

    Raises:
        BadData: if a body's data lack an action group, or hold numbers that are not finite.
        BadConfig: if data sets that are to be kept apart have the same name.
    """
    found: dict[str, BodyStatistics] = {}
    for name in dict.fromkeys(entry.source.embodiment for entry in sources):
        entries = [entry for entry in sources if entry.source.embodiment == name]
        body = body_of(entries[0].source)
        gathered = [gather(entry.source, cache, processes, quiet, skip_bad) for entry in entries]
        weights = [entry.weight for entry in entries]
        merged = _merged(body, gathered, weights, _names(entries))
        parts: dict[str, BodyStatistics] = {}
        if apart and len(entries) > 1:
            for entry, one in zip(entries, gathered, strict=True):
                label = entry.source.name
                if label in parts:
                    raise BadConfig(
                        f"Two data sets of '{name}' are called '{label}' and cannot be kept apart. "
                        "Give each source a label of its own."
                    )
                alone = _merged(body, [one], [1.0], f"'{label}'")
                parts[label] = msgspec.structs.replace(alone, of=label)
        found[name] = BodyStatistics(
            observation=merged.observation, action=merged.action, apart=parts
        )
    return found


def _merged(
    body: Embodiment, gathered: Sequence[Parts], weights: Sequence[float], names: str
) -> BodyStatistics:
    having = [key for key in gathered[0] if any(len(parts[key]) for parts in gathered)]
    lacking = [group for group in body.action if ACTION + group not in having]
    if lacking:
        raise BadData(
            f"'{body.name}': expected actions '{lacking[0]}' in {names}, found none that is valid. "
            "Add data that has them, or train a body without this group."
        )
    merged = {key: combine([parts[key] for parts in gathered], weights) for key in having}

    def of(side: str) -> dict[str, Statistics]:
        return {k.removeprefix(side): v for k, v in merged.items() if k.startswith(side)}

    return BodyStatistics(observation=of(OBSERVATION), action=of(ACTION))


def _names(entries: Sequence[Weighted]) -> str:
    return ", ".join(f"'{entry.source.name}'" for entry in entries)
