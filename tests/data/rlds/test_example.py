from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from octoverse.data.rlds.example import Pieces, names, parse
from octoverse.errors import BadData

Serialise = Callable[[Mapping[str, Any]], bytes]


@given(
    numbers=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1),
    floats=st.lists(st.floats(width=32, allow_nan=False)),
    strings=st.lists(st.binary(max_size=200), min_size=1),
)
def test_every_kind_reads_back(
    serialise: Serialise, numbers: list[int], floats: list[float], strings: list[bytes]
) -> None:
    told = {"a": numbers, "b": np.array(floats, np.float32), "c": strings, "d": []}
    got = parse(serialise(told))
    assert list(got["a"]) == numbers
    assert list(got["b"]) == floats
    assert list(got["c"]) == strings and got["c"][1:] == strings[1:]
    assert len(got["d"]) == 0


def test_only_what_is_wanted_is_read(serialise: Serialise) -> None:
    content = serialise({"a": [1], "b": [b"x", b"y" * 300]})
    assert list(parse(content, ("b",))) == ["b"] and parse(content, ()) == {}
    assert names(content) == ["a", "b"] and names(b"\x0b") == []


def test_byte_strings_stay_where_they_are(serialise: Serialise) -> None:
    content = serialise({"b": [b"x", b"y" * 300]})
    pieces = parse(content)["b"]
    assert isinstance(pieces, Pieces) and pieces.content is content
    start, size = pieces.starts[1], pieces.sizes[1]
    assert content[start : start + size] == b"y" * 300


def test_numbers_that_are_not_packed_read_back() -> None:
    # Example{features{feature{key: "a", value{int64_list{value: 1, value: 300}}}}}
    integers = bytes.fromhex("0a10 0a0e 0a0161 1209 1a07 0801 08ac02 0800".replace(" ", ""))
    assert list(parse(integers)["a"]) == [1, 300, 0]
    # Example{features{feature{key: "b", value{float_list{value: 0.5, value: 2}}}}}
    floats = bytes.fromhex("0a13 0a11 0a0162 120c 120a 0d0000003f 0d00000040".replace(" ", ""))
    assert list(parse(floats)["b"]) == [0.5, 2.0]


@pytest.mark.parametrize(
    "content", [b"\x0a\xff", b"\x0a\x05ab", b"\x0b", b"\xff" * 12, b"\x0a\x02\x0a\x00"]
)
def test_what_is_no_example_is_refused(content: bytes) -> None:
    with pytest.raises(BadData, match=r"Expected a tf\.train\.Example, got \d+ bytes"):
        parse(content)


def test_a_number_of_eleven_bytes_is_refused() -> None:
    long = bytes.fromhex("0a16 0a14 0a0161 120f 1a0d 0a0b" + "80" * 10 + "01")
    with pytest.raises(BadData, match="a number is longer than 10 bytes"):
        parse(long)


def test_a_number_that_ends_in_the_middle_is_refused() -> None:
    torn = bytes.fromhex("0a0c 0a0a 0a0161 1205 1a03 0a0180".replace(" ", ""))
    with pytest.raises(BadData, match="a number ends in the middle"):
        parse(torn)
