"""What the doctor says: findings with their evidence, and the report of one data set."""

from typing import Literal

import msgspec

Severity = Literal["fault", "suspicion", "cannot be told", "information"]
SEVERITIES: tuple[Severity, ...] = ("fault", "suspicion", "cannot be told", "information")
"""The gravest first."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing found, or one thing that cannot be told from the data.

    fault: wrong, by what was measured. suspicion: probably wrong, a person should look.
    """

    check: str
    """Which check says it."""
    severity: Severity
    where: str
    """Stream, action group, number, episode or file; empty for the whole."""
    message: str
    evidence: dict[str, float | int | str] = {}
    """What was measured, and the bounds that it was held to."""
    cure: str = ""
    """What to do about it."""


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a data set was looked at."""

    episodes: int
    of_episodes: int
    steps: int
    of_steps: int
    images: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All that the doctor says about one data set."""

    name: str
    embodiment: str
    looked: Looked
    checks: tuple[str, ...]
    """What was checked."""
    findings: tuple[Finding, ...]
    """The gravest first."""

    def count(self, severity: Severity) -> int:
        """How many findings are of this severity."""
        return sum(finding.severity == severity for finding in self.findings)

    @property
    def exit_code(self) -> int:
        """For scripts: 1 where there is a fault, else 0."""
        return int(self.count("fault") > 0)


def unreadable(index: int, error: Exception) -> Finding:
    """An episode that cannot be read is a fault, and the others are looked at all the same."""
    return Finding(check="readable", severity="fault", where=f"episode {index}", message=str(error))
