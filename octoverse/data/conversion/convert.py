"""Convert any source into a LeRobot v3.0 folder: in parallel, resumable, checked by reading back.

What a folder will hold is decided first (`plan.json`); worker processes then make episodes ready,
and this one writes them in their order, into files whose ends depend on their content alone. So the
bytes in the end depend on the source and the settings: not on how many processes there were, nor
on how often, or when, the conversion was killed.
"""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from octoverse.data import png
from octoverse.data.conversion.check import Checked, Pair, compare
from octoverse.data.conversion.complete import completed
from octoverse.data.conversion.plan import Plan, make_plan, read
from octoverse.data.lerobot.format import VideoFormat, replace_file
from octoverse.data.lerobot.segment import encode_segment
from octoverse.data.lerobot.source import LeRobotSource
from octoverse.data.lerobot.writer import LeRobotWriter
from octoverse.data.processes import in_order
from octoverse.data.progress import Bar
from octoverse.data.source import Source, body_of
from octoverse.episode import Episode
from octoverse.errors import BadData

NOTES = ".conversion"
"""Folder of notes that is there as long as a conversion is not complete."""
DONE = "meta/conversion.json"
"""Written last: where the folder comes from, and how the check went."""


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """What is converted, and how."""

    plan: Plan
    video: VideoFormat | None = None


class Converted(msgspec.Struct, frozen=True, kw_only=True):
    """What a conversion came to."""

    note: Note
    checked: Checked

    @property
    def words(self) -> str:
        """How the check went, in words."""
        plan, checked = self.note.plan, self.checked
        words = f"{plan.episodes:,} episodes, {plan.steps:,} steps; every number is equal"
        if checked.copied:
            words += f"; {checked.copied:,} encoded images are the same bytes"
        if checked.same:
            words += f"; {checked.same:,} images have the same pixels"
        if checked.encoded:
            words += (
                f"; {checked.encoded:,} frames of video differ by {checked.mean_error:.2f} of 255 "
                f"on average, {checked.largest_error:.2f} at most"
            )
        return f"{words}."


@dataclass(frozen=True, kw_only=True)
class _Work:
    """What every worker process is given."""

    source: Source
    note: Note

    def episode(self, index: int) -> Episode:
        return completed(self.source.episode(index), self.note.plan, body_of(self.source))


def convert(
    source: Source,
    folder: Path,
    *,
    video: VideoFormat | None = None,
    processes: int = 1,
    ray: bool = False,
    quiet: bool = True,
) -> Converted:
    """Convert a source into a folder, or go on where a conversion was stopped.

    Args:
        source: What is converted.
        folder: A new folder, or one in which the same conversion was begun.
        video: How images are encoded as video; None to copy encoded images as they are, and to
            store others as PNG.
        processes: How many processes prepare and check.
        ray: Whether these are of a Ray cluster; its machines must see source and folder.
        quiet: Show no progress.

    Raises:
        BadData: if the source is damaged, or empty, or the folder holds something else, or what is
            read back is not what was converted.
        MissingExtra: if Ray is asked for and not installed.
    """
    folder = Path(folder)
    if not len(source):
        raise BadData(f"'{source.name}': expected episodes to convert, got none.")
    done = folder / DONE
    if done.exists():
        found = read(done, Converted)
        _check_same(folder, found.note, source, video)
        shutil.rmtree(folder / NOTES, ignore_errors=True)
        return found
    workers: dict[str, Any] = {"processes": processes, "ray": ray}
    note = _note(source, folder, video, workers, quiet)
    _write(source, folder, note, workers, quiet)
    checked = _check(source, folder, note, workers, quiet)
    found = Converted(note=note, checked=checked)
    replace_file(done, msgspec.json.format(msgspec.json.encode(found), indent=1))
    shutil.rmtree(folder / NOTES)
    return found


def _note(
    source: Source, folder: Path, video: VideoFormat | None, workers: dict[str, Any], quiet: bool
) -> Note:
    """What was decided before, or is now."""
    notes = folder / NOTES
    if (notes / "plan.json").exists():
        note = read(notes / "plan.json", Note)
        _check_same(folder, note, source, video)
        return note
    if folder.exists() and {path.name for path in folder.iterdir()} - {NOTES}:
        raise BadData(
            f"{folder}: expected a new folder, or one in which a conversion was begun, got one "
            "that holds something else. Choose another, or delete it."
        )
    plan = make_plan(source, notes / "looked.json", quiet=quiet, **workers)
    note = Note(plan=plan, video=video)
    replace_file(notes / "plan.json", msgspec.json.encode(note))
    return note


def _check_same(folder: Path, note: Note, source: Source, video: VideoFormat | None) -> None:
    if note.plan.fingerprint != source.fingerprint():
        raise BadData(
            f"{folder}: holds a conversion of '{note.plan.source}' "
            f"({note.plan.fingerprint}), expected one of '{source.name}' ({source.fingerprint()}). "
            "The source or its declaration has changed, or is another one: convert into another "
            "folder."
        )
    if note.video != video:
        raise BadData(
            f"{folder}: holds a conversion with {_form(note.video)}, expected one with "
            f"{_form(video)}. Go on as it began, or convert into another folder."
        )


def _form(video: VideoFormat | None) -> str:
    return f"video ({video.codec})" if video else "images"


def _write(source: Source, folder: Path, note: Note, workers: dict[str, Any], quiet: bool) -> None:
    if not (folder / "meta/info.json").exists():
        # Killed before anything counted: what there is, is part of nothing.
        for part in ("meta", "data", "videos"):
            shutil.rmtree(folder / part, ignore_errors=True)
    plan = note.plan
    writer = LeRobotWriter(folder, body_of(source), note.video)
    todo = range(len(writer), plan.episodes)
    work = _Work(source=source, note=note)
    with Bar(f"Converting {plan.source}", plan.episodes, len(writer), quiet) as bar:
        for episode in in_order(_prepared, work, todo, **workers):
            writer.add(episode)
            bar.advance(1, len(episode))
    # Only here: a file that is closed early, on an error, would end elsewhere than it should.
    writer.flush()


def _prepared(work: _Work, index: int) -> Episode:
    """In a worker: one episode with its images as they go to disk."""
    episode = work.episode(index)
    observation = dict(episode.observation)
    for name in work.note.plan.sizes:
        images = observation[name]
        if work.note.video is not None:
            hz = body_of(work.source).control_hz
            observation[name] = encode_segment(images, hz, work.note.video)
        else:
            observation[name] = [
                image if isinstance(image, bytes) else png.encode(image) for image in images
            ]
    return replace(episode, observation=observation)


def _check(
    source: Source, folder: Path, note: Note, workers: dict[str, Any], quiet: bool
) -> Checked:
    plan, out = note.plan, LeRobotSource(folder=folder)
    if len(out) != plan.episodes:
        raise BadData(
            f"{folder}: expected {plan.episodes} episodes to read back, got {len(out)}. Delete "
            "the folder and convert again."
        )
    pair = Pair(work=_Work(source=source, note=note), out=out, cameras=tuple(plan.sizes))
    found = Checked()
    with Bar(f"Checking {plan.source}", plan.episodes, 0, quiet) as bar:
        for steps, one in in_order(compare, pair, range(plan.episodes), **workers):
            found.merge(one)
            bar.advance(1, steps)
    return found
