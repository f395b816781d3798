"""`octoverse serve`: answer robots over ZeroMQ with a checkpoint."""

import logging
from pathlib import Path
from typing import Annotated, Literal

import torch
from rich.console import Console
from rich.table import Table
from tyro.conf import Positional, arg

from octoverse import checkpoint as checkpoints
from octoverse.errors import BadConfig
from octoverse.in_force import use_statistics
from octoverse.policy import Policy
from octoverse.servers.zeromq import DEFAULT_ADDRESS, Server


def serve(
    checkpoint: Annotated[Positional[Path], arg(help="A checkpoint's or a run's folder.")],
    address: Annotated[
        str, arg(help="tcp://127.0.0.1:PORT; port 0 picks a free one.")
    ] = DEFAULT_ADDRESS,
    max_batch: Annotated[int, arg(help="Requests computed together, at most.")] = 16,
    max_wait_ms: Annotated[
        float, arg(help="How long a batch waits for robots about to come back, at most.")
    ] = 5.0,
    threads: Annotated[int, arg(help="CPU threads of the policy; 0 for all cores.")] = 0,
    device: Annotated[str, arg(help="Where the policy computes: cpu, cuda, ...")] = "cpu",
    precision: Annotated[
        Literal["float32", "bfloat16"], arg(help="Of the layers' products; bfloat16 is faster.")
    ] = "float32",
    inference_steps: Annotated[
        int | None, arg(help="Of readouts that answer step by step; the recipe's if not given.")
    ] = None,
    compiled: Annotated[
        bool, arg(name="compile", help="Compile the trunk first: a minute that pays on a GPU.")
    ] = False,
    statistics: Annotated[
        tuple[str, ...], arg(help="Whose statistics scale, where data sets are kept apart.")
    ] = (),
) -> None:
    """Answer robots over ZeroMQ with a checkpoint, until Ctrl-C."""
    if max_batch < 1 or max_wait_ms < 0 or threads < 0:
        raise BadConfig(
            "max_batch must be at least 1, max_wait_ms and threads at least 0, got "
            f"{max_batch}, {max_wait_ms:g} and {threads}."
        )
    if threads:
        torch.set_num_threads(threads)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s  %(message)s", datefmt="%H:%M:%S")
    console = Console(highlight=False)
    policy = checkpoints.load(checkpoint, device)
    use_statistics(policy, *statistics)
    if precision == "bfloat16":
        policy.lower()
    if inference_steps is not None:
        policy.take_steps(inference_steps)
    if compiled:
        policy.trunk.compile_blocks()
    server = Server(policy, address=address, max_batch=max_batch, max_wait_ms=max_wait_ms)

    def announce() -> None:
        console.print(screen(policy, server.address))
        console.print(
            "From a robot's program:\n"
            "  from octoverse import registry\n"
            "  from octoverse.servers.client import Client\n"
            f'  body = registry.load("embodiment", "{next(iter(policy.bodies))}")\n'
            f'  with Client("{server.address}", body) as robot:\n'
            "      chunk = robot.act(frame)\n\n"
            "Stop with Ctrl-C.",
            markup=False,
            soft_wrap=True,
        )

    server.run(announce)
    console.print("Stopped.")


def screen(policy: Policy, address: str) -> Table:
    """What is served, where, for which bodies."""
    table = Table(
        "body",
        "Hz",
        "sees",
        "answers (rows of a chunk)",
        "fingerprint",
        title=f"{policy.model} serves at {address}",
        caption=f"window of {policy.frames} frame{'s' if policy.frames > 1 else ''}; "
        f"statistics: {policy.statistics}",
    )
    for name, body in policy.bodies.items():
        sizes = policy.camera_sizes[name]
        sees = [
            f"{stream} {sizes[stream][0]} x {sizes[stream][1]}" if stream in sizes else stream
            for stream in body.observation
        ]
        rows = [f"{group} ({count})" for group, count in policy.horizons[name].items()]
        table.add_row(
            name, f"{body.control_hz:g}", ", ".join(sees), ", ".join(rows), body.fingerprint
        )
    return table
