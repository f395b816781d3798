"""Processes that make samples, and the memory that they share with the one that asks.

Each step has a slot of shared memory; the samples of an episode always go to the same worker, which
keeps what it has opened and decoded. Who makes a sample decides nothing about it.
"""

import pickle
import shutil
import threading
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np

from octoverse.data.assembly import Assembler, Made, Place, Setting, rows_of, worker_of
from octoverse.data.child import live_with_parent
from octoverse.data.windows import StackedWindows, padded
from octoverse.errors import BadData, OctoverseError

_SHARED = Path("/dev/shm")
"""Where Linux keeps shared memory."""


class Slot:
    """Shared memory for one step: room for the samples of every body.

    Args:
        setting: What samples are.
        rows: For each body, how many samples a step can have.
        name: That of existing shared memory; new memory is made unless given.
    """

    def __init__(self, setting: Setting, rows: Mapping[str, int], name: str | None = None) -> None:
        shapes = {body: setting.empty(body, count) for body, count in rows.items()}
        size = sum(one.nbytes for one in shapes.values())
        self.memory = SharedMemory(name, create=name is None, size=size)
        self._taken = 0
        self.bodies = {body: one.mapped(self._shared) for body, one in shapes.items()}

    def _shared(self, array: np.ndarray) -> np.ndarray:
        found: np.ndarray = np.ndarray(array.shape, array.dtype, self.memory.buf, self._taken)
        self._taken += padded(array.nbytes)
        return found

    def close(self) -> None:
        """Let go of the memory; who made it also removes it."""
        self.bodies = {}
        self.memory.close()


class Workers:
    """Makes steps in several processes, in order.

    Args:
        setting: What samples are; `memory` is for all workers together.
        rows: For each body, how many samples a step can have.
        count: Processes.
        depth: Steps under way at a time; each has a slot.

    Raises:
        OctoverseError: if a source cannot be sent to another process, or there is too little shared
            memory.
    """

    def __init__(self, setting: Setting, rows: Mapping[str, int], count: int, depth: int) -> None:
        try:
            shared = pickle.dumps((replace(setting, memory=setting.memory // count), dict(rows)))
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise OctoverseError(
                f"The sources cannot be sent to worker processes: {error}. Define their classes in "
                "a module, keep no open files in them, or use 0 workers."
            ) from error
        _check_room(depth * sum(setting.empty(*one).nbytes for one in rows.items()))
        context = get_context("spawn")
        self._slots = [Slot(setting, rows) for _ in range(depth)]
        self._free = list(range(depth))
        self._waiting: dict[int, tuple[int, list[Made]]] = {}
        self._order: list[tuple[int, list[Place]]] = []
        self._pipes: list[Connection] = []
        self._tasks: list[SimpleQueue[Any]] = []
        self._processes = []
        names = [slot.memory.name for slot in self._slots]
        for _ in range(count):
            here, there = context.Pipe()
            process = context.Process(target=_work, args=(there, shared, names), daemon=True)
            process.start()
            there.close()
            tasks: SimpleQueue[Any] = SimpleQueue()
            # A thread sends: a full pipe must never keep this process from reading answers.
            threading.Thread(target=_send, args=(here, tasks), daemon=True).start()
            self._pipes.append(here)
            self._tasks.append(tasks)
            self._processes.append(process)

    @property
    def free(self) -> int:
        """How many more steps can be asked for."""
        return len(self._free)

    def submit(self, places: Sequence[Place]) -> None:
        """Ask for one step."""
        slot, count = self._free.pop(), len(self._tasks)
        parts: list[list[Place]] = [[] for _ in range(count)]
        for place in places:
            parts[worker_of(place, count)].append(place)
        for tasks, part in zip(self._tasks, parts, strict=True):
            tasks.put((slot, part))
        self._waiting[slot] = (count, [])
        self._order.append((slot, list(places)))

    def collect(self) -> tuple[dict[str, StackedWindows], Made]:
        """Wait for the oldest step asked for; its arrays are the caller's own.

        Raises:
            BadData: if a sample cannot be read.
            OctoverseError: if a worker died or failed.
        """
        slot, places = self._order[0]
        while self._waiting[slot][0]:
            self._receive()
        self._order.pop(0)
        made = self._waiting.pop(slot)[1]
        words: dict[tuple[str, str], dict[int, str]] = {}
        for part in made:
            for body, stream, row, text in part.words:
                words.setdefault((body, stream), {})[row] = text
        batch = {}
        for body, count in rows_of(places).items():
            own = self._slots[slot].bodies[body].mapped(partial(_first, count))
            texts = {
                name: [words[body, name][row] for row in range(count)]
                for name, values in own.streams.items()
                if isinstance(values, list)
            }
            batch[body] = replace(own, streams={**own.streams, **texts})
        self._free.append(slot)
        return batch, Made(skipped=[one for part in made for one in part.skipped])

    def close(self) -> None:
        """End the processes and give the memory back."""
        for tasks in self._tasks:
            tasks.put(None)
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.join()
        for pipe in self._pipes:
            pipe.close()
        for slot in self._slots:
            slot.close()
            slot.memory.unlink()
        self._slots = []

    def _receive(self) -> None:
        """Take in what workers have answered, waiting for one."""
        ends = [process.sentinel for process in self._processes]
        ready = wait([*self._pipes, *ends])
        answers = [pipe for pipe in self._pipes if pipe in ready]
        if not answers:
            raise self._died()
        for pipe in answers:
            try:
                kind, slot, content = pipe.recv()
            except (EOFError, OSError):
                raise self._died() from None
            if kind == "bad":
                raise BadData(content)
            if kind == "failed":
                raise OctoverseError(content)
            left, made = self._waiting[slot]
            self._waiting[slot] = (left - 1, [*made, content])

    def _died(self) -> OctoverseError:
        for process in self._processes:
            process.join(0.5)
        codes = [p.exitcode for p in self._processes if p.exitcode is not None]
        return OctoverseError(
            f"A process that prepares samples died (exit code {codes[0] if codes else '?'}; -9 is "
            "what a machine out of memory does). Give the mixture less memory or fewer workers; a "
            "training run goes on from its last checkpoint."
        )


def _send(pipe: Connection, tasks: "SimpleQueue[Any]") -> None:
    while (task := tasks.get()) is not None:
        try:
            pipe.send(task)
        except OSError:
            return


def _work(pipe: Connection, shared: bytes, names: Sequence[str]) -> None:
    """In a worker: make samples until the pipe ends."""
    live_with_parent()
    try:
        setting, rows = pickle.loads(shared)
        slots = [Slot(setting, rows, name) for name in names]
        assembler = Assembler(setting)
        while True:
            slot, places = pipe.recv()
            made = assembler.make(places, slots[slot].bodies)
            pipe.send(("made", slot, made))
    except (EOFError, OSError, KeyboardInterrupt):
        return
    except BadData as error:
        pipe.send(("bad", 0, str(error)))
    except OctoverseError as error:
        pipe.send(("failed", 0, str(error)))
    except Exception:
        pipe.send(
            ("failed", 0, f"A process that prepares samples failed:\n{traceback.format_exc()}")
        )


def _check_room(needed: int) -> None:
    """Raise OctoverseError where shared memory is too small: writing to it would kill a worker."""
    if not _SHARED.exists():
        return
    free = shutil.disk_usage(_SHARED).free
    if free < needed:
        raise OctoverseError(
            f"Worker processes need {needed:,} bytes of shared memory ({_SHARED}), found {free:,} "
            "free. Give a container more (docker run --shm-size), or lower workers, batch_size or "
            "image sizes."
        )


def _first(count: int, array: np.ndarray) -> np.ndarray:
    return array[:count].copy()
