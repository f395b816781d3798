"""`octoverse recipes`: list the installed recipes, how large they are and how fast here."""

import inspect
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Annotated, Any, Literal

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from tyro.conf import Positional, arg

from octoverse import registry
from octoverse.acting import open_session
from octoverse.cli.check import random_statistics
from octoverse.embodiment import Embodiment
from octoverse.errors import OctoverseError, UnknownName
from octoverse.fitting import readout_shapes
from octoverse.layouts import body_layout
from octoverse.policy import Policy
from octoverse.readout import Fitted
from octoverse.recipes.architecture import Architecture
from octoverse.synthetic import random_frame

SECONDS, MOST = 1.0, 20
"""How long an answer is measured, and how many of them at most; at least one."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """A published system at one size, for the first of the bodies that it is an example of."""

    system: Architecture
    size: str

    @property
    def body(self) -> Embodiment:
        """Whose policy is counted and measured."""
        found: Embodiment = registry.load("embodiment", self.system.example[0])
        return found

    def build(self, device: str = "cpu") -> Policy:
        """Its policy, with fresh weights; on the device "meta" they take no memory and no time."""
        body = self.body
        statistics = random_statistics(body, np.random.default_rng(0))
        config = self.system.config([body], self.size)
        for uses in config.bodies.values():
            body_layout(config, uses)  # kept, and not to be made of tensors without values
        with torch.device(device):
            return Policy(config, {body.name: body}, {body.name: statistics})

    def counted(self) -> tuple[int, int]:
        """Parameters, and the tokens of one step; nothing is computed."""
        policy = self.build("meta")
        layout = policy.layouts[self.body.name]
        step = [group for group in layout.groups.values() if group.role != "task"]
        parameters = sum(weight.numel() for weight in policy.parameters())
        return parameters, sum(group.tokens for group in step)

    def milliseconds(self) -> float:
        """How long one answer takes here, to a robot that goes on looking."""
        policy, body = self.build().eval(), self.body
        for key, shape in readout_shapes(policy.config, policy.bodies).items():
            readout = policy.readout(key)
            if isinstance(readout, Fitted):  # what it has learned does not change how long it takes
                codes = torch.randn(256, *shape)
                readout.fit(codes, torch.ones_like(codes, dtype=torch.bool))
        session, frame = open_session(policy, body), random_frame(body, np.random.default_rng(0))
        took: list[float] = []
        while len(took) < 2 or (sum(took[1:]) < SECONDS and len(took) <= MOST):
            session.observe(frame, round(len(took) * session.spacing * 1e9))
            seen = session.observation(step=len(took))
            began = time.perf_counter()
            policy.act([seen], [session.memory])
            took.append(time.perf_counter() - began)
        return 1000 * median(took[1:])  # the first one warms up


def recipes(
    names: Annotated[
        Positional[tuple[str, ...]],
        arg(metavar="NAME", help="Show these and their descriptions; all recipes otherwise."),
    ] = (),
    measure: Annotated[
        Literal["none", "tiny", "all"],
        arg(help="At which sizes to measure an answer; the largest take a minute each."),
    ] = "tiny",
) -> None:
    """List the recipes that are installed: what they are, how large, and how fast here."""
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = 160
    known = registry.names("recipe")
    for name in names:
        if name not in known:
            raise UnknownName("recipe", name, known)
    table = Table("recipe", "size", box=None)
    for column in ("parameters", "tokens a step", "ms an action"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("what it is")
    broken: list[str] = []
    with console.status("") as status:
        for name in names or known:
            status.update(f"Looking at {name}")
            try:
                for row in _rows(name, measure):
                    table.add_row(*row)
            except OctoverseError as error:
                broken.append(str(error))
    console.print(table)
    bodies = "For the first of a system's example bodies"
    console.print(f"{bodies}; answers of batch 1 with {torch.get_num_threads()} threads.")
    for name in names:
        console.print(f"\n{name}\n\n{described(registry.load('recipe', name))}")
    if broken:
        raise OctoverseError(" ".join(broken))


def described(recipe: Any) -> str:
    """What the module says in which a recipe is made."""
    maker = recipe.policy if isinstance(recipe, Architecture) else recipe
    return inspect.getdoc(sys.modules[maker.__module__]) or ""


def _rows(name: str, measure: str) -> Iterator[tuple[str, ...]]:
    recipe = registry.load("recipe", name)
    if not isinstance(recipe, Architecture):
        yield name, "", "", "", "", described(recipe).partition("\n")[0]
        return
    about = recipe.about
    for size in dict.fromkeys((recipe.sizes[0], "tiny")):
        one = Size(system=recipe, size=size)
        parameters, tokens = one.counted()
        wanted = measure == "all" or measure == size
        took = f"{one.milliseconds():,.1f}" if wanted else "-"
        yield name, size, f"{parameters:,}", f"{tokens:,}", took, about
        about = ""
