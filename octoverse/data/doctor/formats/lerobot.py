"""What a LeRobot folder says of itself, held against its files."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from octoverse.data.doctor.finding import Finding
from octoverse.data.doctor.looking import Recording
from octoverse.data.doctor.words import is_hollow
from octoverse.data.lerobot import format as form
from octoverse.data.lerobot.layout_v2 import DATA, VIDEO
from octoverse.data.lerobot.metadata import Row, filled
from octoverse.data.lerobot.source import LeRobotSource


def examine(recording: Recording) -> Iterator[Finding]:
    """Hold meta/info.json and the bookkeeping columns against what lies in the folder."""
    source = recording.source
    assert isinstance(source, LeRobotSource)
    rows = source.layout.episodes()
    yield from _paths(source, rows)
    yield from _cameras(source, rows)
    yield from _counts(source, rows)
    yield from _numbering(source, rows)
    yield from _hollow(source)
    yield from _unused(source)


def _paths(source: LeRobotSource, rows: list[Row]) -> Iterator[Finding]:
    """Only versions 2 tell the path of each episode."""
    if source.info.codebase_version == form.VERSION:
        return
    wrong = []
    for row in rows:
        said = Path(source.folder) / _filled(source, source.info.data_path or DATA, row)
        found = source.layout.span(row).path
        if said != found and found.exists():
            wrong.append((said, found))
    if wrong:
        said, found = (path.relative_to(source.folder) for path in wrong[0])
        yield Finding(
            check="lerobot",
            severity="fault",
            where=form.INFO,
            message=f"Its data_path is not where the files are: it says {said} where {found} "
            f"lies, for {len(wrong)} of {len(rows)} episodes.",
            evidence={"wrong": len(wrong), "episodes": len(rows)},
            cure=f"Correct data_path and video_path in {form.INFO}; this reader finds the files "
            "by their name, others do not.",
        )


def _cameras(source: LeRobotSource, rows: list[Row]) -> Iterator[Finding]:
    for name, feature in source.info.features.items():
        if feature.dtype == "video" and not source.layout.clip(rows[0], name).path.exists():
            template = source.info.video_path or VIDEO
            said = _filled(source, template, rows[0], video_key=name)
            yield Finding(
                check="lerobot",
                severity="fault",
                where=f"{form.INFO}, {name}",
                message=f"It declares this camera ({' x '.join(map(str, feature.shape))}), but "
                f"there is no video of it, such as {said}.",
                evidence={"shape": " x ".join(map(str, feature.shape))},
                cure=f"Fetch the videos, or take the feature out of {form.INFO}.",
            )


def _counts(source: LeRobotSource, rows: list[Row]) -> Iterator[Finding]:
    frames = sum(row.length for row in rows)
    if frames != source.info.total_frames:
        yield Finding(
            check="lerobot",
            severity="fault",
            where=form.INFO,
            message=f"It counts {source.info.total_frames} frames, the episodes have {frames}.",
            evidence={"told": source.info.total_frames, "found": frames},
            cure="Fetch what is missing, or count again.",
        )
    last = rows[-1].number + 1
    for split, told in source.info.splits.items():
        stop = told.rpartition(":")[2]
        if stop.isdigit() and int(stop) > last:
            yield Finding(
                check="lerobot",
                severity="fault",
                where=form.INFO,
                message=f"Its split '{split}' goes to episode {stop}, the last one is {last - 1}.",
                evidence={"told": int(stop), "episodes": len(rows)},
                cure="Fetch what is missing, or correct the split.",
            )


def _numbering(source: LeRobotSource, rows: list[Row]) -> Iterator[Finding]:
    """The bookkeeping columns of the first episode's file."""
    path = source.layout.span(rows[0]).path
    file = pq.ParquetFile(path)
    columns = file.schema_arrow.names
    lacking = [name for name in form.BOOKKEEPING if name not in columns]
    if lacking:
        yield Finding(
            check="lerobot",
            severity="suspicion",
            where=str(path.relative_to(source.folder)),
            message=f"It lacks the columns that every LeRobot file has: {', '.join(lacking)}.",
            evidence={"lacking": len(lacking)},
            cure="Write the data set again, with a converter that knows the format.",
        )
    offset = 0
    if "index" in columns:
        first = next(file.iter_batches(batch_size=1, columns=["index"]))
        offset = int(np.asarray(first.column(0))[0])
    if rows[0].number or offset:
        yield Finding(
            check="lerobot",
            severity="fault" if offset else "information",
            where=str(path.relative_to(source.folder)),
            message=f"The first episode has the number {rows[0].number} and its first row the "
            f"index {offset}: they are those of a larger data set, of which this is a part.",
            evidence={"first episode": rows[0].number, "first index": offset},
            cure="Go by the table of episodes, never by range(total_episodes) or by index; or "
            "number both from 0.",
        )


def _hollow(source: LeRobotSource) -> Iterator[Finding]:
    # An empty task stands where there is no instruction, and says so.
    hollow = [task for task in source.tasks.values() if task and is_hollow(task)]
    if hollow:
        yield Finding(
            check="lerobot",
            severity="suspicion",
            where="meta/tasks",
            message=f"Among its tasks {', '.join(map(repr, hollow))} is no instruction but a flag.",
            evidence={"flags": len(hollow), "tasks": len(source.tasks)},
            cure="Take the instruction from the feature that has it, not from task_index unseen.",
        )


def _unused(source: LeRobotSource) -> Iterator[Finding]:
    standard = source.declared.standard
    sides = (standard.observation, standard.action)
    used = {name for side in sides for taken in side.values() for name in taken.names}
    used |= set(standard.instruction.values()) | set(form.BOOKKEEPING) | {form.TIME}
    # GR00T's modality.json names parts of the features state and action.
    used |= {"observation.state"} if any(name.startswith("state.") for name in used) else set()
    used |= {"action"} if any(name.startswith("action.") for name in used) else set()
    video = {name.removeprefix("video.") for name in used if name.startswith("video.")}
    left = [
        name
        for name in source.info.features
        if name not in used
        and name.rpartition(".")[2] not in video
        and not name.startswith("octoverse.")
    ]
    if left:
        yield Finding(
            check="lerobot",
            severity="information",
            where=form.INFO,
            message=f"The declaration leaves {len(left)} features unused: {', '.join(left)}.",
            evidence={"unused": len(left), "features": len(source.info.features)},
        )


def _filled(source: LeRobotSource, template: str, row: Row, **more: str) -> str:
    return filled(
        template,
        Path(source.folder) / form.INFO,
        episode_chunk=row.number // source.info.chunks_size,
        episode_index=row.number,
        **more,
    )
