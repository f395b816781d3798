import logging
import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octoverse.servers.log_lines import Event, event_of, read, write

AT = datetime(2026, 1, 1, 12, 0, 0, 123000, UTC)
NASTY = 'arm\n2026-01-01T12:00:00.000+00:00 info  "forged"\r\x1b[2J\u202e\u2028\x85 é 腕 =\\'
EVENTS = st.builds(
    Event,
    at=st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1)).map(
        lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000, tzinfo=UTC)
    ),
    level=st.sampled_from(["debug", "info", "warn", "error", "fatal"]),
    words=st.text() | st.just(NASTY),
    fields=st.dictionaries(
        st.from_regex(r"[A-Za-z_][A-Za-z0-9_]*", fullmatch=True), st.text() | st.just(NASTY)
    ),
    trace=st.text() | st.just(f"Traceback:\n{NASTY}\n\n"),
)


def record(words: str, *arguments: object, **extra: object) -> logging.LogRecord:
    made = logging.makeLogRecord({"msg": words, "args": arguments, "levelno": logging.INFO})
    made.created = AT.timestamp()
    vars(made).update(extra)
    return made


@given(st.lists(EVENTS, max_size=3))
def test_what_is_written_is_read_as_it_was(events: list[Event]) -> None:
    text = "".join(write(event) + "\n" for event in events)
    assert list(read(text.split("\n")[:-1])) == events


@given(EVENTS)
def test_nothing_but_what_can_be_seen_reaches_a_terminal(event: Event) -> None:
    first, *trace = write(event).split("\n")
    assert first.isprintable() and all(line.isprintable() for line in trace)
    assert all(line.startswith("    ") for line in trace)


def test_a_line_reads_like_this() -> None:
    event = Event(
        at=AT, level="info", words="welcome", fields={"robot": "tabletop_arm arm 1 (3)", "hz": "10"}
    )
    assert write(event) == (
        '2026-01-01T12:00:00.123+00:00 info  "welcome" robot="tabletop_arm arm 1 (3)" hz=10'
    )


def test_the_zone_is_kept() -> None:
    there = AT.astimezone(timezone(timedelta(hours=-3, minutes=-30)))
    [event] = read([write(Event(at=there, level="warn", words=""))])
    assert event.at.isoformat() == "2026-01-01T08:30:00.123000-03:30"


def test_extras_become_fields_and_none_of_them_is_told() -> None:
    event = event_of(record("%s of %d", "two", 3, body="arm", ok=True, hz=0.1234567, peer=None))
    assert event.words == "two of 3"
    assert event.fields == {"body": "arm", "ok": "true", "hz": "0.123457"}
    assert (event.at, event.level, event.trace) == (AT, "info", "")


@pytest.mark.parametrize(
    ("number", "name"), [(5, "debug"), (25, "info"), (30, "warn"), (40, "error"), (60, "fatal")]
)
def test_levels_have_short_names(number: int, name: str) -> None:
    assert event_of(record("", levelno=number)).level == name


def test_an_exception_is_told_in_the_line_and_its_trace_below() -> None:
    try:
        raise ValueError("no\nway")
    except ValueError:
        event = event_of(record("failed", exc_info=sys.exc_info()))
    first, *below = write(event).splitlines()
    assert first.endswith(r'"failed" error="ValueError: no\nway"')
    assert below[0] == "    Traceback (most recent call last):"
    assert below[1].startswith('      File "') and below[-1] == "    way"
    assert list(read([first, *below])) == [event]


@pytest.mark.parametrize(
    "line", ["", "Hello", '2026 info  "a"', '2026-01-01T12:00:00.123+00:00 info  "a" b']
)
def test_what_is_no_event_is_refused_with_its_line(line: str) -> None:
    good = write(Event(at=AT, level="info", words="good"))
    with pytest.raises(ValueError, match="line 2: expected an event of a log, got "):
        list(read([good, line]))


def test_a_trace_of_no_event_is_refused() -> None:
    with pytest.raises(ValueError, match="line 1: expected an event of a log, got '    Trace"):
        list(read(["    Traceback"]))
