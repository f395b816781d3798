"""What an event looks like in the log: one line that a person reads and a program parses.

    2026-01-01T12:00:00.123+00:00 info  "welcome" robot="tabletop_arm arm-1 (3)" hz=10

The time with its zone, the level, what happened, then names and values. Text that came from
elsewhere can neither break a line nor play tricks on a terminal: whatever is not printable is
escaped, as in JSON. A traceback follows on indented lines of its own, since nobody reads it in one
escaped line; the reader takes them as part of the event.
"""

import json
import logging
import re
import traceback
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

_INDENT = "    "
_LEVELS = {50: "fatal", 40: "error", 30: "warn", 20: "info", 0: "debug"}
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_BARE = re.compile(r"[\w.:/@%+,*~-]+", re.ASCII)
_PAIR = re.compile(rf' ([A-Za-z_]\w*)=({_QUOTED}|[^" ]+)', re.ASCII)
_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-][\d:]+"
_LINE = re.compile(rf"({_TIME}) ([a-z]+) +({_QUOTED})((?:{_PAIR.pattern})*)", re.ASCII)
_NOT_FIELDS = {*vars(logging.makeLogRecord({})), "message", "asctime"}
"""What every record of the standard library has; the others were given by `extra`."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """One thing that happened."""

    at: datetime
    """With a zone; to a millisecond."""
    level: str
    """debug, info, warn, error or fatal."""
    words: str
    fields: Mapping[str, str] = field(default_factory=dict)
    """Name, as of a variable, to value."""
    trace: str = ""
    """Of an exception."""


def event_of(record: logging.LogRecord) -> Event:
    """Take what was logged; what was given as `extra` becomes fields, but for None."""
    given = {
        name: _text(value)
        for name, value in vars(record).items()
        if name not in _NOT_FIELDS and value is not None
    }
    trace = record.stack_info or ""
    if record.exc_info and record.exc_info[0]:
        kind, error, _ = record.exc_info
        given["error"] = f"{kind.__name__}: {error}"
        trace += "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
    return Event(
        at=datetime.fromtimestamp(int(1000 * record.created) / 1000).astimezone(),
        level=next(name for least, name in _LEVELS.items() if record.levelno >= least),
        words=record.getMessage(),
        fields=given,
        trace=trace,
    )


def write(event: Event) -> str:
    """Put an event into a line, without its end; a trace into more, indented."""
    pairs = "".join(f" {name}={_value(value)}" for name, value in event.fields.items())
    line = f"{event.at.isoformat(timespec='milliseconds')} {event.level:5} "
    line += f"{_quoted(event.words)}{pairs}"
    traced = event.trace.split("\n") if event.trace else []
    return "\n".join([line, *(_INDENT + _escaped(one) for one in traced)])


def read(lines: Iterable[str]) -> Iterator[Event]:
    """Read what `write` wrote, each line with or without its end.

    Raises:
        ValueError: for what is not a line of a log.
    """
    event: Event | None = None
    traced: list[str] = []
    for number, line in enumerate(lines, 1):
        line = line.removesuffix("\n")
        if event is not None and line.startswith(_INDENT):
            traced.append(_unescaped(line.removeprefix(_INDENT)))
            continue
        if event is not None:
            yield replace(event, trace="\n".join(traced))
        event, traced = _event(number, line), []
    if event is not None:
        yield replace(event, trace="\n".join(traced))


def _event(number: int, line: str) -> Event:
    match = _LINE.fullmatch(line)
    if match is None:
        raise ValueError(f"line {number}: expected an event of a log, got {line[:80]!r}.")
    at, level, words, pairs = match.group(1, 2, 3, 4)
    return Event(
        at=datetime.fromisoformat(at),
        level=level,
        words=json.loads(words),
        fields={
            name: json.loads(value) if value.startswith('"') else value
            for name, value in _PAIR.findall(pairs)
        },
    )


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _value(value: str) -> str:
    return value if _BARE.fullmatch(value) else _quoted(value)


def _quoted(text: str) -> str:
    return '"' + _escaped(text).replace('"', '\\"') + '"'


def _escaped(text: str) -> str:
    """Escape what cannot be seen."""
    if text.isprintable() and "\\" not in text:
        return text
    return "".join(
        one if one.isprintable() and one != "\\" else json.dumps(one)[1:-1] for one in text
    )


def _unescaped(text: str) -> str:
    unescaped: str = json.loads('"' + text.replace('"', '\\"') + '"')
    return unescaped
