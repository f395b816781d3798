"""One ROS 2 bag: a folder with metadata.yaml, or a single .mcap or .db3 file.

Source: the package rosbags, which reads them without ROS.
"""

import os
import weakref
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from rosbags.interfaces import Connection, MessageDefinitionFormat
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from octoverse.errors import BadData, UnknownName


class Place(NamedTuple):
    """Where a message lies in a bag."""

    log_ns: int
    """When it was recorded."""
    among: int
    """Which of those of its topic that were recorded at that time."""


class Message(NamedTuple):
    """One message as it is stored."""

    topic: str
    place: Place
    raw: bytes


@dataclass(frozen=True, kw_only=True)
class RosBag:
    """Reads the messages of one bag, all in passing or one at its place.

    The last few bags stay open in each process that reads.
    """

    path: Path

    @property
    def topics(self) -> Collection[str]:
        """Names of the topics."""
        return self._connections

    def type_of(self, topic: str) -> str:
        """Type of a topic, such as sensor_msgs/msg/Image.

        Raises:
            UnknownName: if there is no such topic.
        """
        return self._of(topic)[0].msgtype

    def has_stamp(self, topic: str) -> bool:
        """Whether its messages begin with a header or a stamp."""
        with self._in_words():
            fields = self._types.get_msgdef(self.type_of(topic)).fields
        return bool(fields) and fields[0][0] in ("header", "stamp")

    def messages(self, topics: Sequence[str]) -> Iterator[Message]:
        """All messages of some topics in the order of their recording, one at a time.

        Raises:
            UnknownName: if there is no such topic.
            BadData: if the bag is damaged.
        """
        wanted = [connection for topic in topics for connection in self._of(topic)]
        last = dict.fromkeys(topics, Place(-1, 0))
        if wanted:
            with self._in_words():
                reader = self._reader  # kept open as long as it is read from
                for connection, log_ns, raw in reader.messages(wanted):
                    before = last[connection.topic]
                    among = before.among + 1 if before.log_ns == log_ns else 0
                    place = last[connection.topic] = Place(log_ns, among)
                    yield Message(connection.topic, place, raw)

    def read(self, topic: str, place: Place) -> bytes:
        """One message as it is stored.

        Raises:
            BadData: if it is no longer there.
        """
        with self._in_words():
            reader = self._reader
            here = reader.messages(self._of(topic), place.log_ns, place.log_ns + 1)
            found = next(islice(here, place.among, None), None)
        if found is None:
            raise BadData(
                f"{self.path}: expected a message of {topic} at {place.log_ns} ns, found none. The "
                "bag was changed while it was read; open it again."
            )
        return found[2]

    def decode(self, topic: str, raw: bytes) -> Any:
        """A message as an object with the fields of its type.

        Raises:
            BadData: if it is damaged, or its type is not known.
        """
        with self._in_words():
            return self._types.deserialize_cdr(raw, self.type_of(topic))

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path}

    def _of(self, topic: str) -> list[Connection]:
        if topic not in self._connections:
            raise UnknownName(f"topic in {self.path}", topic, self._connections)
        return self._connections[topic]

    @property
    def _reader(self) -> Reader:
        if not self.path.exists():
            raise BadData(f"{self.path}: expected a ROS 2 bag, found nothing. Fetch it.")
        return _opened(self.path, self.path.stat().st_mtime_ns, os.getpid())

    @cached_property
    def _connections(self) -> dict[str, list[Connection]]:
        with self._in_words():
            found: dict[str, list[Connection]] = {}
            for connection in self._reader.connections:
                found.setdefault(connection.topic, []).append(connection)
        return found

    @cached_property
    def _types(self) -> Typestore:
        """The standard types, and those that the bag describes itself."""
        store = get_typestore(Stores.LATEST)
        for connection in self._reader.connections:
            text = connection.msgdef.data
            if connection.msgdef.format is MessageDefinitionFormat.MSG:
                own = get_types_from_msg(text, connection.msgtype)
            elif connection.msgdef.format is MessageDefinitionFormat.IDL:
                own = get_types_from_idl(text)
            else:
                continue
            store.register({name: told for name, told in own.items() if name not in store.types})
        return store

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except (BadData, UnknownName):
            raise
        except Exception as error:  # what a damaged bag raises is of many types
            raise BadData(
                f"{self.path}: expected a ROS 2 bag that can be read, got {type(error).__name__}: "
                f"{error}. If it was cut short, try: ros2 bag reindex, or mcap recover."
            ) from error


@lru_cache(maxsize=8)
def _opened(path: Path, changed_ns: int, process: int) -> Reader:
    """An open bag; a process that was forked opens its own, since open files share their place."""
    reader = Reader(path)
    reader.open()
    weakref.finalize(reader, reader.storage.close)
    return reader
