"""A policy server in a process of its own, for as long as somebody needs it."""

import signal
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec

from octoverse.embodiment import Embodiment
from octoverse.errors import OctoverseError
from octoverse.servers.status import ServerStatus

_START_S = 120.0
_GOODBYE_S = 5.0


class Serving(msgspec.Struct, frozen=True, kw_only=True):
    """What a server says once it serves."""

    address: str
    model: str
    folder: Path
    """The checkpoint that was meant."""
    bodies: dict[str, Embodiment]


class ServerProcess:
    """Serves a checkpoint on a free port of this machine, with one thread for the policy.

    Args:
        checkpoint: A checkpoint's or a run's folder.
        threads: CPU threads of the policy; robots need cores too.

    Raises:
        OctoverseError: if the checkpoint cannot be served; the message says why.
    """

    def __init__(self, checkpoint: Path, *, threads: int = 1) -> None:
        context = get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, checkpoint, threads), name="server", daemon=True
        )
        self._process.start()
        theirs.close()
        try:
            said = self._hear(_START_S)
        except BaseException:
            self.close()
            raise
        assert isinstance(said, Serving)
        self.address, self.model = said.address, said.model
        self.folder, self.bodies = said.folder, said.bodies

    def status(self) -> ServerStatus:
        """Ask for the live figures.

        Raises:
            OctoverseError: if the server is gone.
        """
        try:
            self._connection.send("status")
        except OSError as error:
            raise self._gone() from error
        said = self._hear(_GOODBYE_S)
        assert isinstance(said, ServerStatus)
        return said

    def close(self) -> None:
        """Stop serving."""
        self._connection.close()
        self._process.join(_GOODBYE_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _hear(self, seconds: float) -> Serving | ServerStatus:
        try:
            if not self._connection.poll(seconds):
                raise OctoverseError(
                    f"The policy server said nothing for {seconds:g} s. "
                    "Look at the load of the machine, then try again."
                )
            said: Serving | ServerStatus | str = self._connection.recv()
        except (EOFError, OSError) as error:
            raise self._gone() from error
        if isinstance(said, str):
            raise OctoverseError(said)
        return said

    def _gone(self) -> OctoverseError:
        self._process.join(_GOODBYE_S)
        return OctoverseError(
            f"The policy server died (exit code {self._process.exitcode}). What it wrote last is "
            "above; if that is nothing, memory may have run out."
        )

    def __enter__(self) -> "ServerProcess":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _serve(connection: Connection, checkpoint: Path, threads: int) -> None:
    """In the server's process: serve until the connection is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when it is over
    import torch

    from octoverse import checkpoint as checkpoints
    from octoverse.servers.zeromq import Server

    torch.set_num_threads(threads)
    try:
        folder = checkpoints.resolve(checkpoint)
        policy = checkpoints.load(folder)
        server = Server(policy, address="tcp://127.0.0.1:0").start()
    except OctoverseError as error:
        connection.send(str(error))
        return
    with connection:
        connection.send(
            Serving(address=server.address, model=policy.model, folder=folder, bodies=policy.bodies)
        )
        try:
            while connection.recv() == "status":
                connection.send(server.status())
        except (EOFError, OSError):
            pass  # the parent is done, or gone
    server.stop()
