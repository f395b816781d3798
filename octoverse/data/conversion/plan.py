"""What a converted folder will hold: decided once, from a look at every episode."""

import time
from pathlib import Path
from typing import TypeVar

import msgspec

from octoverse.data.lerobot.format import replace_file
from octoverse.data.processes import in_order
from octoverse.data.progress import Bar
from octoverse.data.source import Source, body_of
from octoverse.data.survey import Survey, survey
from octoverse.embodiment import Camera, GoalImage, Instruction
from octoverse.errors import BadData

BLOCK = 16
"""Episodes looked at in one go."""
SAVE_SECONDS = 5.0
"""Looking that is killed loses at most what it did in this time."""
_Kind = TypeVar("_Kind")


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What every episode of the converted folder has, whatever the single one lacked."""

    source: str
    fingerprint: str
    """Of the source."""
    embodiment: str
    observation: tuple[str, ...]
    action: tuple[str, ...]
    masked_observation: tuple[str, ...]
    masked_action: tuple[str, ...]
    sizes: dict[str, tuple[int, int]]
    """Camera to the height and width of its images."""
    episodes: int
    steps: int
    lost: tuple[str, ...]
    """What the folder cannot hold, in words."""


class _Begun(msgspec.Struct, frozen=True, kw_only=True):
    fingerprint: str
    after: int
    seen: Survey


def make_plan(
    source: Source, keep: Path, processes: int = 1, *, ray: bool = False, quiet: bool = True
) -> Plan:
    """Look at every episode of a source, and decide.

    Args:
        source: What is to be converted.
        keep: A file where it is noted from time to time how far this is.
        processes: How many look at a time.
        ray: Whether these are of a Ray cluster.
        quiet: Show no progress.

    Raises:
        BadData: if an episode cannot be read, or a camera's images differ in size.
    """
    found, first = Survey(), 0
    if keep.exists():
        begun = read(keep, _Begun)
        if begun.fingerprint == source.fingerprint():
            found, first = begun.seen, begun.after
    starts, saved = range(first, len(source), BLOCK), time.monotonic()
    with Bar(f"Looking at {source.name}", len(source), first, quiet) as bar:
        parts = in_order(_look, source, starts, processes, ray=ray)
        for start, part in zip(starts, parts, strict=True):
            found.merge(part)
            bar.advance(part.episodes, part.steps)
            if time.monotonic() - saved > SAVE_SECONDS:
                after = min(start + BLOCK, len(source))
                begun = _Begun(fingerprint=source.fingerprint(), after=after, seen=found)
                replace_file(keep, msgspec.json.encode(begun))
                saved = time.monotonic()
    return _decided(source, found)


def read(path: Path, kind: type[_Kind]) -> _Kind:
    """Read a note that a conversion left.

    Raises:
        BadData: if it is not one.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError) as error:
        raise BadData(
            f"{path}: expected the note of a conversion, got: {error}. Delete the folder and "
            "convert again."
        ) from error


def _look(source: Source, first: int) -> Survey:
    return survey(source, range(first, min(first + BLOCK, len(source))))


def _decided(source: Source, found: Survey) -> Plan:
    body = body_of(source)
    spoken = [k for k in found.observation if isinstance(body.observation.get(k), Instruction)]
    unknown = [k for k in found.observation if k not in body.observation]
    kept = [k for k in body.observation if k in found.observation and k not in spoken[1:]]
    sizes: dict[str, tuple[int, int]] = {}
    for name in kept:
        if isinstance(body.observation[name], Camera | GoalImage):
            seen = found.observation[name]
            if len(seen.sizes) != 1:
                raise BadData(
                    f"'{source.name}': expected images of one size from '{name}', got "
                    f"{', '.join(sorted(seen.pictures))}. A LeRobot data set has one size for each "
                    "camera: convert the parts that differ into folders of their own."
                )
            sizes[name] = next(iter(seen.sizes))

    def masked(side: str, names: list[str]) -> tuple[str, ...]:
        seen = getattr(found, side)
        return tuple(
            name for name in names if seen[name].masked or seen[name].episodes < found.episodes
        )

    done = [k for k in body.action if k in found.action]
    return Plan(
        source=source.name,
        fingerprint=source.fingerprint(),
        embodiment=body.name,
        observation=tuple(kept),
        action=tuple(done),
        masked_observation=masked("observation", kept),
        masked_action=masked("action", done),
        sizes=sizes,
        episodes=found.episodes,
        steps=found.steps,
        lost=tuple(
            [f"the instruction '{k}': a LeRobot folder has one" for k in spoken[1:]]
            + [f"'{k}': the body has no such stream" for k in unknown]
        ),
    )
