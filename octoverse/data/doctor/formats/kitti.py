"""The time stamps of KITTI raw, held against the files that they are of."""

from collections.abc import Iterator
from pathlib import Path

from octoverse.data.doctor.finding import Finding
from octoverse.data.doctor.looking import Recording


def examine(recording: Recording) -> Iterator[Finding]:
    """Count stamps and files of every sensor."""
    source = recording.source
    folder = getattr(getattr(source, "reader", None), "folder", None)
    if folder is None:
        return
    wrong: list[tuple[str, int, int]] = []
    for stamps in sorted(Path(str(folder)).glob("**/*_sync/*/timestamps.txt")):
        lines = sum(bool(line.strip()) for line in stamps.read_text().splitlines())
        files = sum(1 for path in (stamps.parent / "data").iterdir() if path.is_file())
        if lines != files:
            wrong.append((str(stamps.relative_to(Path(str(folder)))), lines, files))
    if wrong:
        where, lines, files = wrong[0]
        yield Finding(
            check="kitti",
            severity="fault",
            where=where,
            message=f"It has {lines} stamps for {files} files, and so it is with {len(wrong)} "
            "sensors: the log was cut to its first frames.",
            evidence={"stamps": lines, "files": files, "sensors": len(wrong)},
            cure="Fetch the other frames, or cut the stamps; files go by their number.",
        )
