"""`octoverse serve`: answer robots over ZeroMQ with a checkpoint."""

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import torch
from rich.console import Console
from tyro.conf import Positional, arg

from octoverse import checkpoint as checkpoints
from octoverse.cli.announcement import announcement
from octoverse.cli.crew import commands, crew_keys, name_lines, private_address, worker_keys
from octoverse.cli.keys import server_keys
from octoverse.errors import BadConfig
from octoverse.in_force import use_statistics
from octoverse.policy import Policy
from octoverse.servers.broker import Broker
from octoverse.servers.fleet import Fleet
from octoverse.servers.frontend import load
from octoverse.servers.log_file import LogFile
from octoverse.servers.logs import Journal
from octoverse.servers.monitor import DEFAULT_PORT, Monitor
from octoverse.servers.reload import Reloader, on_hangup
from octoverse.servers.service import Service
from octoverse.servers.together import SEATS
from octoverse.servers.worker import Worker
from octoverse.servers.zeromq import DEFAULT_ADDRESS, Server


def serve(
    checkpoint: Annotated[Positional[Path], arg(help="A checkpoint's or a run's folder.")],
    address: Annotated[
        str, arg(help="tcp://127.0.0.1:PORT, or with keys tcp://0.0.0.0:PORT; port 0: a free one.")
    ] = DEFAULT_ADDRESS,
    max_batch: Annotated[int, arg(help="Requests computed together, at most.")] = 16,
    max_wait_ms: Annotated[
        float, arg(help="How long a batch waits for robots about to come back, at most.")
    ] = 5.0,
    watchdog_s: Annotated[
        float, arg(help="A batch that the policy has not answered by then is given up [s].")
    ] = 30.0,
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
    watch: Annotated[
        bool, arg(help="Take a run's newer checkpoints as they come, and not only on SIGHUP.")
    ] = False,
    monitor: Annotated[
        int, arg(help="Port of the page, /metrics and /health, or the next free one; 0 for none.")
    ] = DEFAULT_PORT,
    frontend: Annotated[
        tuple[Path, ...], arg(help="Files of frontends that serve other projects' clients.")
    ] = (),
    keys: Annotated[
        Path | None, arg(help="This server's NAME.key; beyond this machine `server` if not given.")
    ] = None,
    allow: Annotated[
        Path | None, arg(help="The robots let in; as `octoverse keys allow` says if not given.")
    ] = None,
    insecure: Annotated[
        bool, arg(help="Let anybody in who reaches the address, and encrypt nothing.")
    ] = False,
    log: Annotated[Path | None, arg(help="A file that gets what stderr gets.")] = None,
    workers: Annotated[
        int, arg(help="Processes that compute, behind a broker; 0: this one does it all.")
    ] = 0,
    workers_at: Annotated[
        str | None, arg(help="Where workers started with --join come, as tcp://127.0.0.1:PORT.")
    ] = None,
    allow_workers: Annotated[
        Path | None, arg(help="List of the workers let in, as --allow; needed beyond this machine.")
    ] = None,
    join: Annotated[
        str | None, arg(help="Compute for the broker whose --workers-at this is.")
    ] = None,
    broker: Annotated[
        Path | None, arg(help="The broker's NAME.pub; with --keys, the NAME.key of this worker.")
    ] = None,
) -> None:
    """Answer robots over ZeroMQ with a checkpoint, until Ctrl-C."""
    if max_batch < 1 or max_wait_ms < 0 or threads < 0:
        raise BadConfig(
            "max_batch must be at least 1, max_wait_ms and threads at least 0, got "
            f"{max_batch}, {max_wait_ms:g} and {threads}."
        )
    if not watchdog_s > 0:
        raise BadConfig(f"watchdog_s must be above 0, got {watchdog_s:g}.")
    if not 0 <= monitor <= 65535:
        raise BadConfig(f"monitor: expected a port from 1 to 65535, or 0 for none, got {monitor}.")
    given = {
        "max_batch": max_batch,
        "max_wait_ms": max_wait_ms,
        "watchdog_s": watchdog_s,
        "threads": threads,
        "device": device,
        "precision": precision,
        "inference_steps": inference_steps,
        "compile": compiled,
        "statistics": statistics,
        "log": log,
        "watch": watch,
    }
    brokered = workers > 0 or workers_at is not None
    if not 0 <= workers < SEATS:
        raise BadConfig(f"workers: expected 0 to {SEATS - 1}, got {workers}.")
    if ((join or brokered) and frontend) or (join and brokered):
        raise BadConfig(
            "Expected one of --join, --workers (or --workers-at) and --frontend, got several: a "
            "broker does not compute, and frontends need the policy in their process."
        )
    if join and (allow or insecure):
        raise BadConfig("allow, insecure: expected them where robots come, got --join.")
    curve = None if join else server_keys(address, keys, allow, insecure)
    workers_curve = crew_keys(workers, workers_at, keys, allow_workers)
    own_keys = worker_keys(join, keys, broker)
    if threads:
        torch.set_num_threads(threads)
    console = Console(highlight=False)
    newest = partial(checkpoints.stamp, checkpoint) if watch else None

    def ready() -> Policy:
        policy = checkpoints.load(checkpoint, "cpu" if brokered else device)
        use_statistics(policy, *statistics)
        if precision == "bfloat16":
            policy.lower()
        if inference_steps is not None:
            policy.take_steps(inference_steps)
        if compiled:
            policy.trunk.compile_blocks()
        return policy

    with Journal(LogFile(log) if log else None) as journal, ExitStack() as stack:
        seen = newest() if newest else None

        def reloads(service: Service) -> None:
            reloader = stack.enter_context(Reloader(service, ready, newest=newest, seen=seen))
            stack.enter_context(on_hangup(reloader.ask))

        if join:
            service = Service(
                ready(), max_batch=max_batch, max_wait_ms=max_wait_ms, watchdog_s=watchdog_s
            )
            reloads(service)
            worker = Worker(service, join, keys=own_keys)
            name_lines(worker.name)
            worker.run()
            return
        places = {"log": str(log)} if log else {}
        if curve:
            who = "1 robot" if len(curve.allowed) == 1 else f"{len(curve.allowed)} robots"
            places["lets in"] = f"{who} with keys, of {curve.allowed.path}"
        elif insecure:
            places["lets in"] = "anybody who reaches it, unencrypted"
        server: Server | Broker
        frontends = []
        if brokered:
            facts = ready().to("meta")  # nothing is computed here
            server = Broker(
                address,
                workers_at or stack.enter_context(private_address()),
                curve=curve,
                insecure=insecure,
                workers_curve=workers_curve,
            )
            pictures = server.pictures
        else:
            server = Server(
                ready(),
                address=address,
                max_batch=max_batch,
                max_wait_ms=max_wait_ms,
                watchdog_s=watchdog_s,
                curve=curve,
                insecure=insecure,
            )
            reloads(server.service)
            pictures = server.service.pictures
            frontends = [load(path, server.service) for path in frontend]
        if monitor:
            page = Monitor(
                server.status, pictures, port=monitor, log_lines_lost=lambda: journal.lost
            )
            stack.enter_context(page)
            places["page"] = f"{page.address}, with /metrics and /health"

        def announce() -> None:
            if isinstance(server, Broker):
                fleet = Fleet(commands(checkpoint, server.workers_at, workers, given))
                stack.enter_context(on_hangup(stack.enter_context(fleet).reload))
                places["workers"] = f"{workers} started here"
                if workers_at is not None:
                    places["workers"] += f", others come with --join {server.workers_at}"
            for one in frontends:
                places[one.name] = stack.enter_context(one).address
            policy = facts if isinstance(server, Broker) else server.service.policy
            name = curve.own.name if curve else ""
            console.print(announcement(policy, server.address, places, name))

        server.run(announce)
    console.print("Stopped.")
