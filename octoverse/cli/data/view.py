"""`octoverse data view`: one episode as a page, or in Rerun."""

from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from octoverse.cli.data.naming import Root, Split, What, open_named
from octoverse.data.lerobot.format import replace_file
from octoverse.data.source import body_of
from octoverse.data.view.page import page
from octoverse.data.view.to_rerun import to_rerun
from octoverse.errors import BadConfig


def view(
    what: What,
    root: Root = "",
    split: Split = "",
    episode: Annotated[int, arg(help="Which one, from 0 on; -1 for the last.")] = 0,
    out: Annotated[
        Path | None, arg(help="The file to write; episode.html, or a .rrd file with --rerun.")
    ] = None,
    rerun: Annotated[bool, arg(help="Send it to Rerun's viewer, or to --out.")] = False,
) -> None:
    """Show an episode: films, plots and, for cars, a view from above that move together.

    The page is one file that needs no network. Steps that are masked are gaps.
    """
    source = open_named(what, root, split)
    if not -len(source) <= episode < len(source):
        raise BadConfig(
            f"--episode must be from {-len(source)} to {len(source) - 1} for '{source.name}', got "
            f"{episode}."
        )
    found, body = source.episode(episode % len(source)), body_of(source)
    if rerun:
        to_rerun(found, body, out)
        print(f"Sent {found.key} to {out or 'the viewer of Rerun'}.")
        return
    path = out or Path("episode.html")
    if path.suffix != ".html":
        raise BadConfig(f"--out must end in .html, got {path}; .rrd files are made with --rerun.")
    replace_file(path, page(found, body).encode())
    print(f"Written: {path} ({path.stat().st_size / 1000:,.0f} kB). Open it in any browser.")
