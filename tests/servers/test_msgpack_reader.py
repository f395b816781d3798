import struct
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from octoverse.errors import BadMessage
from octoverse.servers.msgpack_reader import DEPTH, ITEMS, TEXT_BYTES, read

encode = msgspec.msgpack.encode
PLAIN: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.text(max_size=40),
    st.floats(allow_nan=False),
    st.binary(max_size=300),
)
VALUES = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=20)
        | st.dictionaries(st.text(max_size=20) | st.binary(max_size=20), inner, max_size=20)
    ),
    max_leaves=40,
)


def _as_is(found: dict[Any, Any]) -> Any:
    return found


def _depth(value: Any) -> int:
    if isinstance(value, dict | list):
        inside = value.values() if isinstance(value, dict) else value
        return 1 + max(map(_depth, inside), default=0)
    return 0


@given(VALUES)
def test_what_another_library_wrote_is_read_as_it_was(value: Any) -> None:
    if _depth(value) <= DEPTH:
        assert read(encode(value), _as_is) == value


@given(st.binary(max_size=200))
def test_random_bytes_are_a_message_or_refused_in_words(data: bytes) -> None:
    try:
        read(data, _as_is)
    except BadMessage as error:
        assert ": expected " in str(error) and ", got " in str(error)


@given(VALUES, st.data())
def test_a_message_that_ends_early_is_refused(value: Any, data: st.DataObject) -> None:
    whole = encode(value)
    part = whole[: data.draw(st.integers(0, len(whole) - 1))]
    with pytest.raises(BadMessage, match="expected"):
        read(part, _as_is)


def test_single_precision_and_every_length_of_length_is_read() -> None:
    assert read(b"\xca" + struct.pack(">f", 1.5), _as_is) == 1.5
    for value in ("a" * 300, [1] * 300, {f"key {i}": i for i in range(300)}, b"a" * 70_000):
        assert read(encode(value), _as_is) == value


def test_bytes_are_looked_at_where_they_lie_and_cannot_be_written() -> None:
    data = encode({"image": bytes(1000)})
    view = read(data, _as_is)["image"]
    assert view.obj is data and view.readonly


def test_maps_become_what_is_made_of_them_from_the_inside_out() -> None:
    assert read(encode({"a": {"b": 1}}), lambda found: sorted(found)) == ["a"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "expected 1 bytes from byte 0 on, got an end after 0"),
        (b"\xc1", "a byte 0xc1, which begins none of them"),
        (b"\xd4\x01\x02", "a byte 0xd4, which begins none of them"),
        (b"\x01\x01", "expected it to end at byte 1, got 2 bytes"),
        (b"\x91" * (DEPTH + 1) + b"\xc0", f"expected at most {DEPTH} levels, got more"),
        (b"\x91" * 10**6, f"expected at most {DEPTH} levels, got more"),
        (b"\xdd\xff\xff\xff\xff", f"expected at most {ITEMS} values, got more"),
        (b"\xdf\xff\xff\xff\xff", f"expected at most {ITEMS} values, got more"),
        (b"\xdc\x07\xff" + b"\x91\xc0" * ITEMS, f"expected at most {ITEMS} values, got more"),
        (b"\xc6\xff\xff\xff\xff", "expected 4294967295 bytes from byte 5 on"),
        (b"\xdb\xff\xff\xff\xff", f"text: expected at most {TEXT_BYTES} bytes, got 4294967295"),
        (b"\xa2\xff\xff", "text: expected UTF-8, got other bytes"),
        (b"\x81\x01\x01", "expected keys of at most 256 letters, got a int"),
        (b"\x81\x90\x01", "expected keys of at most 256 letters, got a list"),
        (b"\x81" + encode(bytes(300)) + b"\x01", "expected keys of at most 256 letters"),
        (b"\x81" + encode("a" * 300) + b"\x01", "expected keys of at most 256 letters"),
        (b"\x82\xa1a\x01\xa1a\x02", "expected the key 'a' once, got it twice"),
    ],
)
def test_what_breaks_a_bound_is_refused_in_words(data: bytes, words: str) -> None:
    with pytest.raises(BadMessage) as caught:
        read(data, _as_is)
    assert words in str(caught.value)
