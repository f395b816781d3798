"""Examine a data set: look at it, run every check, gather what they say."""

from collections.abc import Callable, Iterable, Sequence
from importlib import import_module

from msgspec.structs import replace

from octoverse.data.doctor.axes import axes
from octoverse.data.doctor.cameras import cameras
from octoverse.data.doctor.clock import clock
from octoverse.data.doctor.constant import constant
from octoverse.data.doctor.copies import EPISODES, copies_across, copies_within, prints_of
from octoverse.data.doctor.coverage import coverage
from octoverse.data.doctor.finding import SEVERITIES, Finding, Report
from octoverse.data.doctor.frame import frame
from octoverse.data.doctor.gripper import gripper
from octoverse.data.doctor.jumps import jumps
from octoverse.data.doctor.lag import lag
from octoverse.data.doctor.limits import limits
from octoverse.data.doctor.looking import Look, Recording, Tell, look_at
from octoverse.data.doctor.motion import motion
from octoverse.data.doctor.scale import scale
from octoverse.data.doctor.stale import stale
from octoverse.data.doctor.words import words
from octoverse.data.source import Source
from octoverse.errors import BadData

Check = Callable[[Recording], Iterable[Finding]]
CHECKS: tuple[Check, ...] = (
    coverage,
    limits,
    scale,
    axes,
    frame,
    motion,
    gripper,
    lag,
    constant,
    jumps,
    stale,
    clock,
    cameras,
    words,
)
_FORMATS = {
    "octoverse.data.lerobot.source": ("lerobot",),
    "octoverse.data.rlds.source": ("rlds",),
    "octoverse.data.logs.donkeycar": ("donkeycar",),
    "octoverse.data.logs.source": ("drives", "kitti", "comma2k19"),
}
"""Where a source's class lives, and the modules in formats/ that know its files."""


def examine(
    source: Source,
    look: Look = Look(),  # noqa: B008
    tell: Tell = lambda what, done, total: None,
    against: Sequence[Source] = (),
) -> Report:
    """Say what is wrong with a data set, and what cannot be told from it.

    Args:
        source: The data set.
        look: How much of it to look at.
        tell: Is told of the progress.
        against: Data sets or splits that should have no episode in common with it.

    Raises:
        BadData: if it has no episode, or none that can be read.
    """
    recording = look_at(source, look, tell)
    found = list(recording.damaged)
    checks = {check.__name__: check for check in CHECKS} | _of_format(source)
    for done, (name, check) in enumerate(checks.items()):
        tell(f"checking {name}", done, len(checks))
        try:
            found += check(recording)
        except BadData as error:
            found.append(Finding(check=name, severity="fault", where="", message=str(error)))
    most = None if look.everything else EPISODES
    mine, damaged = prints_of(source, most, tell)
    found += [*damaged, *copies_within(mine)]
    for other in against:
        theirs, damaged = prints_of(other, most, tell)
        found += [replace(one, where=f"{other.name}, {one.where}") for one in damaged]
        found += copies_across(mine, theirs, other.name)
    return Report(
        name=source.name,
        embodiment=recording.body.name,
        looked=recording.looked,
        checks=(*checks, "copies"),
        findings=_ordered(found),
    )


def _ordered(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """The gravest first; what is said of several in the same words is said once."""
    merged: dict[tuple[str, ...], Finding] = {}
    for one in found:
        key = (one.check, one.severity, one.message)
        known = merged.get(key)
        again = known is None or known.where == one.where
        where = one.where if again or known is None else f"{known.where}, {one.where}"
        merged[key] = replace(known or one, where=where)
    return tuple(sorted(merged.values(), key=lambda one: SEVERITIES.index(one.severity)))


def _of_format(source: Source) -> dict[str, Check]:
    """The checks that know the files of a source; imported only where it is one of theirs."""
    names = _FORMATS.get(type(source).__module__, ())
    return {name: import_module(f"octoverse.data.doctor.formats.{name}").examine for name in names}
