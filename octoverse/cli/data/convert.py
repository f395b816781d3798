"""`octoverse data convert`: any data set into a LeRobot v3.0 folder."""

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from octoverse.cli.data.naming import Root, Split, What, open_named
from octoverse.data.conversion.convert import convert as run
from octoverse.data.lerobot.format import VideoFormat


def convert(
    what: What,
    out: Annotated[Positional[Path], arg(help="A new folder, or one in which this was begun.")],
    root: Root = "",
    split: Split = "",
    processes: Annotated[int, arg(help="Worker processes; the bytes are the same.")] = 2,
    video: Annotated[bool, arg(help="Encode images as video: much smaller, not exact.")] = False,
    ray: Annotated[bool, arg(help="Let a Ray cluster do the work; it must see both.")] = False,
) -> None:
    """Convert a data set into a LeRobot v3.0 folder, and check it by reading back.

    A conversion that was stopped or killed goes on where it was; the bytes in the end are the same.
    Encoded images are copied as they are, others become PNG, or all become video with --video.
    """
    found = run(
        open_named(what, root, split),
        out,
        video=VideoFormat() if video else None,
        processes=processes,
        ray=ray,
        quiet=False,
    )
    print(f"{out} holds {found.words}")
    for lost in found.note.plan.lost:
        print(f"Not in it: {lost}.")
