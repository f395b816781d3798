"""Several robots at once, each in a process of its own, all of them asking one policy server."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from octoverse.errors import OctoverseError
from octoverse.evaluation.robot import Done, Failed, Job, Live, work

_SILENT_S = 120.0
"""A robot at work that says nothing for so long is given up."""
_POLL_S = 1.0
_GOODBYE_S = 5.0


@dataclass(kw_only=True, eq=False)
class _Member:
    number: int
    process: SpawnProcess
    connection: Connection
    job: Job | None = None
    heard: float = 0.0


class Fleet:
    """Plays jobs on robots; a robot prefers the environment that it played last.

    Args:
        address: Of the policy server.
        robots: How many processes.
        silent_s: A robot at work that says nothing for so long is given up.

    Raises:
        ValueError: if there is no robot.
    """

    def __init__(self, address: str, robots: int = 4, *, silent_s: float = _SILENT_S) -> None:
        if robots < 1:
            raise ValueError(f"robots must be at least 1, got {robots}.")
        self._silent_s = silent_s
        self._members: list[_Member] = []
        context = get_context("spawn")  # a forked GL context draws black frames
        for number in range(1, robots + 1):
            ours, theirs = context.Pipe()
            process = context.Process(
                target=work, args=(theirs, number, address), name=f"robot {number}", daemon=True
            )
            process.start()
            theirs.close()
            self._members.append(_Member(number=number, process=process, connection=ours))

    def play(self, jobs: Sequence[Job]) -> Iterator[Live | Done]:
        """Play every job once; yields what the robots say, as it comes.

        Raises:
            OctoverseError: if a robot dies, falls silent or cannot go on; the message names it.
        """
        waiting: dict[str, list[Job]] = {}
        for job in jobs:
            waiting.setdefault(job.environment.name, []).append(job)
        for place, member in enumerate(self._members):
            name = list(waiting)[place % len(waiting)] if waiting else ""
            self._give(member, waiting, name)
        while busy := [member for member in self._members if member.job is not None]:
            ready = wait([member.connection for member in busy], timeout=_POLL_S)
            for member in busy:
                if member.connection in ready:
                    said = self._hear(member)
                    yield said
                    if isinstance(said, Done):
                        self._give(member, waiting, said.job.environment.name)
                elif time.monotonic() - member.heard > self._silent_s:
                    raise OctoverseError(
                        f"{_where(member)} has said nothing for {self._silent_s:g} s. "
                        "Look at the load of the machine, or play with fewer robots."
                    )

    def close(self) -> None:
        """Send the robots home; those that do not go are ended."""
        for member in self._members:
            try:
                member.connection.send(None)
            except OSError:
                pass  # it has gone already
        until = time.monotonic() + _GOODBYE_S
        for member in self._members:
            idle = member.job is None
            member.process.join(max(0.0, until - time.monotonic()) if idle else 0.0)
            if member.process.is_alive():
                member.process.kill()
                member.process.join()
            member.connection.close()

    def _give(self, member: _Member, waiting: dict[str, list[Job]], preferred: str) -> None:
        """Give it a job of the preferred environment, or of the one that has most left."""
        left = waiting.get(preferred) or max(waiting.values(), key=len, default=[])
        member.job = left.pop(0) if left else None
        member.heard = time.monotonic()
        if member.job is not None:
            try:
                member.connection.send(member.job)
            except OSError:
                raise _dead(member) from None

    def _hear(self, member: _Member) -> Live | Done:
        try:
            said: Live | Done | Failed = member.connection.recv()
        except (EOFError, OSError):
            raise _dead(member) from None
        member.heard = time.monotonic()
        if isinstance(said, Failed):
            raise OctoverseError(f"{_where(member)} stopped: {said.words}")
        return said

    def __enter__(self) -> "Fleet":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _where(member: _Member) -> str:
    assert member.job is not None
    return f"Robot {member.number} ({member.job.environment.name}, seed {member.job.seed})"


def _dead(member: _Member) -> OctoverseError:
    member.process.join(_GOODBYE_S)
    return OctoverseError(
        f"{_where(member)} died (exit code {member.process.exitcode}). What it wrote last is "
        "above; if that is nothing, memory may have run out: play with fewer robots."
    )
