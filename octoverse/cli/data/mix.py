"""`octoverse data mix`: what a mixture will deliver."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

from rich.console import Console
from rich.table import Table
from tyro.conf import Positional, arg

from octoverse import registry
from octoverse.cli.cache import all_remembering
from octoverse.cli.data.naming import root_of
from octoverse.cli.recipe import named_recipe
from octoverse.data.delivery import Delivery, deliveries
from octoverse.data.named_mixture import open_mixture
from octoverse.data.windows import WindowSpec
from octoverse.embodiment import Embodiment
from octoverse.errors import BadConfig, UnknownName
from octoverse.preprocess import Preprocess, PreprocessConfig

_HELD = 5
"""Steps of training that are held at a time by default: four made ahead, and one in use."""
_WIDE = 110
"""Columns of a terminal from which all of a source is shown."""


def mix(
    what: Annotated[
        Positional[str], arg(metavar="NAME", help="A recipe, or a mixture such as oxe/magic_soup.")
    ],
    data: Annotated[
        Path | None, arg(help="Where its data are; OCTOVERSE_DATA if not given.")
    ] = None,
    steps: Annotated[int, arg(help="Steps of training that epochs are counted over.")] = 10_000,
    batch_size: Annotated[int, arg(help="Samples in a step of a mixture.")] = 256,
    frames: Annotated[int, arg(help="Time steps in a window of a mixture.")] = 2,
    horizon: Annotated[int, arg(help="Steps in an action chunk of a mixture.")] = 4,
    image_size: Annotated[int, arg(help="Height and width of a mixture's images.")] = 256,
) -> None:
    """Say what a mixture will deliver: frames, episodes, hours, shares, epochs and memory.

    A recipe says itself how large its batches, windows and images are.
    """
    recipes, mixtures = registry.names("recipe"), registry.names("mixture")
    if what not in (*recipes, *mixtures):
        raise UnknownName("recipe or mixture", what, (*recipes, *mixtures))
    if min(steps, batch_size, frames, horizon, image_size) < 1:
        raise BadConfig("steps, batch_size, frames, horizon and image_size must be at least 1.")
    console = Console(markup=False, highlight=False)
    spec_of: Callable[[Embodiment], WindowSpec]
    with console.status(f"Opening the data sets of {what}"):
        memory = 0.0
        if what in recipes:
            recipe = named_recipe(what, () if data is None else (data,))
            sources, batch_size = recipe.sources, recipe.training.batch_size
            config, memory = recipe.policy, recipe.training.memory_gb * 2**30
            used = {
                name: tuple(stream for use in body.tokenizers for stream in use.streams.values())
                for name, body in config.bodies.items()
            }

            def spec_of(body: Embodiment) -> WindowSpec:
                return WindowSpec(
                    frames=config.window.frames,
                    horizon=config.bodies[body.name].horizon,
                    streams=tuple(dict.fromkeys(used[body.name])),
                )

            preprocess = Preprocess(config.preprocess)
        else:
            root = str(data) if data is not None else root_of("")
            if not root:
                raise BadConfig(f"the mixture '{what}' needs --data FOLDER (or OCTOVERSE_DATA).")
            sources = open_mixture(what, root)

            def spec_of(body: Embodiment) -> WindowSpec:
                return WindowSpec(frames=frames, horizon=horizon)

            preprocess = Preprocess(PreprocessConfig(height=image_size, width=image_size))
        found = deliveries(all_remembering(sources), spec_of, preprocess)
    console.print(f"{what}: epochs are those of {steps:,} steps of {batch_size:,} samples.")
    console.print(_table(found, batch_size * steps, console.width >= _WIDE))
    for line in _memory(found, batch_size, memory):
        console.print(line)


def _table(found: Sequence[Delivery], samples: int, wide: bool) -> Table:
    """One row for each source; `wide` where there is room for all that is known."""
    table = Table("source", box=None)
    if wide:
        table.add_column("body")
    columns = ["episodes", "frames", "hours", "weight", "share", "epochs"]
    columns += ["a sample"] if wide else []
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)

    def row(name: str, body: str, numbers: Mapping[str, str]) -> None:
        names = [name, body] if wide else [name]
        table.add_row(*names, *(numbers[column] for column in columns))

    for one in found:
        numbers = {
            "episodes": f"{one.episodes:,}",
            "frames": f"{one.frames:,}",
            "hours": f"{one.hours:.3g}",
            "share": f"{100 * one.share:.3g} %",
            "epochs": _short(one.epochs(samples)),
            "weight": f"{one.weight:.3g}",
            "a sample": _bytes(one.sample_bytes),
        }
        row(one.source, one.embodiment, numbers)
    table.add_section()
    together = {
        "episodes": f"{sum(one.episodes for one in found):,}",
        "frames": f"{sum(one.frames for one in found):,}",
        "hours": f"{sum(one.hours for one in found):.3g}",
        "share": "100 %",
        "epochs": "",
        "weight": f"{sum(one.weight for one in found):.3g}",
        "a sample": _bytes(sum(one.share * one.sample_bytes for one in found)),
    }
    row("together", "", together)
    return table


def _memory(found: Sequence[Delivery], batch_size: int, memory: float) -> list[str]:
    step = batch_size * max(one.sample_bytes for one in found)
    decoded = sum(one.frames * one.frame_bytes for one in found)
    lines = [
        f"A step of {batch_size:,} samples takes {_bytes(step)} at most; {_HELD} are held at a "
        f"time: {_bytes(_HELD * step)} are needed.",
        f"All images decoded at this size would take {_bytes(decoded)}.",
    ]
    if memory:
        fit = "all are kept" if decoded + _HELD * step <= memory else "some are decoded again"
        lines.append(f"The recipe gives {_bytes(memory)} (memory_gb): {fit}.")
    return lines


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.3g} TB"
