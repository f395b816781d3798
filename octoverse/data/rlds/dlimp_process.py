"""The process that reads through dlimp, and the only one that imports TensorFlow.

It answers requests of `octoverse.data.rlds.dlimp` with plain numbers, arrays and byte strings:

- ("steps", split): steps of every episode of the split, a list.
- ("open", split): nothing; the episodes that are asked for next are those of the split, in order.
- ("next", names): those features of the next episode, by flat name.

Source: kvablack/dlimp, dlimp/dataset.py.
"""

import sys
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

import numpy as np


def main() -> None:
    """Answer until the other end is closed: its file descriptor and the folder are arguments."""
    connection, folder = Connection(int(sys.argv[1])), sys.argv[2]
    try:
        import dlimp
        import tensorflow
        import tensorflow_datasets
    except ImportError as error:
        connection.send(("missing", error.name or str(error)))
        return
    connection.send(("answer", None))

    def episodes(split: str) -> Iterator[dict[str, Any]]:
        builder = tensorflow_datasets.builder_from_directory(folder)
        found = dlimp.DLataset.from_rlds(builder, split=split, shuffle=False, num_parallel_reads=1)
        # dlimp lets parallel reading change the order of episodes.
        options = tensorflow.data.Options()
        options.deterministic = True
        return found.with_options(options).as_numpy_iterator()

    opened: Iterator[dict[str, Any]] = iter(())
    while True:
        try:
            kind, told = connection.recv()
        except EOFError:
            return
        try:
            if kind == "steps":
                connection.send(("answer", [len(one["_len"]) for one in episodes(told)]))
            elif kind == "open":
                opened = episodes(told)
                connection.send(("answer", None))
            else:
                connection.send(("answer", _plain(next(opened), told)))
        except Exception as error:
            connection.send(("error", f"{type(error).__name__}: {error}"))


def _plain(episode: dict[str, Any], names: frozenset[str]) -> dict[str, Any]:
    """Features as a record holds them: float32 or int64 (n,), or byte strings."""
    found = {}
    for name in names:
        first, *rest = name.split("/")
        path = rest if first == "steps" else ["traj_metadata", first, *rest]
        part: Any = episode
        for key in path:
            part = part.get(key) if isinstance(part, dict) else None
        if part is None:
            continue
        # dlimp repeats what belongs to the episode for every step.
        values = part.ravel() if first == "steps" else part.ravel()[:: len(episode["_len"])]
        if values.dtype.kind in "OS":
            found[name] = [bytes(value) for value in values]
        else:
            found[name] = values.astype(np.float32 if values.dtype.kind == "f" else np.int64)
    return found


if __name__ == "__main__":
    main()
