"""A report as a person reads it."""

from collections.abc import Iterator

from octoverse.data.doctor.finding import SEVERITIES, Report, Severity

_HEADINGS: dict[Severity, str] = {
    "fault": "FAULT",
    "suspicion": "SUSPICION",
    "cannot be told": "CANNOT BE TOLD FROM THE DATA",
    "information": "FOR INFORMATION",
}
_PLURAL: dict[Severity, str] = {"fault": "faults", "suspicion": "suspicions"}


def lines(report: Report) -> Iterator[str]:
    """The report line by line: what was looked at, then findings, the gravest first."""
    looked = report.looked
    yield f"{report.name}, episodes of '{report.embodiment}'."
    yield (
        f"Looked at {looked.episodes} of {looked.of_episodes} episodes, {looked.steps} of "
        f"{looked.of_steps} steps and {looked.images} images, for: {', '.join(report.checks)}."
    )
    for severity in SEVERITIES:
        found = [one for one in report.findings if one.severity == severity]
        if found:
            yield ""
            yield f"{_HEADINGS[severity]}"
        for one in found:
            where = f"{one.where}: " if one.where else ""
            yield f"- [{one.check}] {where}{one.message}"
            if one.evidence and severity in ("fault", "suspicion"):
                told = ", ".join(f"{name} {value}" for name, value in one.evidence.items())
                yield f"    measured: {told}"
            if one.cure and severity != "information":
                yield f"    cure: {one.cure}"
    yield ""
    yield verdict(report)


def verdict(report: Report) -> str:
    """The report in one line."""
    told = []
    for severity, plural in _PLURAL.items():
        count = report.count(severity)
        told.append(f"{count or 'no'} {severity if count == 1 else plural}")
    untold = report.count("cannot be told")
    things = "1 thing" if untold == 1 else f"{untold} things"
    return f"{report.name}: {', '.join(told)}; {things} cannot be told from the data."
