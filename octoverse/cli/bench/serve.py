"""`octoverse bench serve`: measure a policy server that runs, with clients that ask it."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from rich.console import Console
from rich.live import Live
from tyro.conf import Positional, arg

from octoverse import registry, wire
from octoverse.cli.bench.crowd import Crowd
from octoverse.cli.bench.figures import Figures
from octoverse.cli.bench.load import Load
from octoverse.embodiment import Embodiment
from octoverse.errors import BadConfig
from octoverse.servers.connection import Connection
from octoverse.servers.line import Frames, Line
from octoverse.servers.talk import Answer, Message, expect, say
from octoverse.servers.zeromq import DEFAULT_ADDRESS

_JPEG_QUALITY = 90
_PATIENCE_S = 2.0


def serve(
    address: Annotated[Positional[str], arg(help="Where it serves.")] = DEFAULT_ADDRESS,
    clients: Annotated[int, arg(help="Robots that ask at a time.")] = 8,
    seconds: Annotated[float, arg(help="For how long.")] = 10.0,
    body: Annotated[
        str | None, arg(help="What they are; the first installed body that it knows if not given.")
    ] = None,
    rate: Annotated[
        float | None, arg(help="Requests of each robot in a second; as fast as they go if not.")
    ] = None,
    jpeg: Annotated[bool, arg(help="Compress images; of random ones little is saved.")] = False,
    timeout: Annotated[float, arg(help="Seconds until a robot gives an answer up.")] = 2.0,
) -> None:
    """Measure a policy server that runs, with random frames of one body; Ctrl-C ends it early."""
    if clients < 1 or not (seconds > 0 and timeout > 0) or (rate is not None and not rate > 0):
        raise BadConfig(
            "clients must be at least 1, seconds, timeout and rate above 0, got "
            f"{clients}, {seconds:g}, {timeout:g} and {rate}."
        )
    console = Console(highlight=False)
    pong = _ask(address)
    load = Load(
        address=address,
        body=_chosen(body, pong.bodies),
        clients=clients,
        seconds=seconds,
        rate=rate,
        jpeg_quality=_JPEG_QUALITY if jpeg else None,
        timeout=timeout,
    )
    with Crowd(load) as crowd:
        figures = Figures(clients, _title(load, pong.model, crowd.processes))
        with console.status(f"Connecting {clients} clients to {address}"):
            crowd.begin()
        live = Live(
            get_renderable=lambda: figures.draw(crowd.elapsed), console=console, transient=True
        )
        with _ending_early(crowd):
            if console.is_terminal:
                live.start()
            try:
                for outcomes in crowd.outcomes():
                    figures.add(outcomes)
            finally:
                live.stop()
        console.print(figures.draw(crowd.elapsed), soft_wrap=True)


def _ask(address: str) -> wire.Pong:
    """Ask a server who it is, before any robot has been chosen."""
    ping = Message(wire.encode(wire.Ping(request=1)), request=1)

    def read(frames: Frames, arrived_ns: int, request: int | None) -> Answer:
        return Answer(wire.read_reply(frames[0]), memoryview(b""), arrived_ns)

    line = Line(address, _PATIENCE_S, read)
    try:
        _, answer = Connection(line).carry(say(lambda: ping))
    finally:
        line.close()
    return expect(answer, wire.Pong)


def _chosen(name: str | None, known: tuple[str, ...]) -> Embodiment:
    if name is None:
        installed = [body for body in known if body in registry.names("embodiment")]
        if not installed:
            raise BadConfig(
                f"body: expected one that the server knows ({', '.join(known) or 'none told'}) to "
                "be installed here, found none. Install the package that brings it, or name "
                "another with --body."
            )
        name = installed[0]
    found: Embodiment = registry.load("embodiment", name)
    return found


def _title(load: Load, model: str, processes: int) -> str:
    rate = "as fast as they go" if load.rate is None else f"{load.rate:g} Hz each"
    return (
        f"{model} at {load.address}: {load.clients} {load.body.name} in {processes} "
        f"process{'es' if processes > 1 else ''}, {rate}"
    )


@contextmanager
def _ending_early(crowd: Crowd) -> Iterator[None]:
    """Ctrl-C stops the clients, and what they had measured is told; a second one is as always."""

    def stop(number: int, frame: Any) -> None:
        signal.signal(signal.SIGINT, before)
        crowd.stop()

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
