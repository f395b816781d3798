import zlib
from typing import Any

import numpy as np
import pytest

from octoverse.data.rlds.facts import Feature
from octoverse.data.rlds.values import numbers, stored_names, strings, words
from octoverse.errors import BadData

RAGGED = Feature(kind="numbers", dtype="int32", shape=(2,), ragged=True)


def feature(dtype: str = "float32", shape: tuple[int, ...] = (2,), **more: Any) -> Feature:
    return Feature(kind="numbers", dtype=dtype, shape=shape, **more)


def test_numbers_come_as_rows_in_their_own_type() -> None:
    record = {
        "a": np.arange(6, dtype=np.float32),
        "b": np.array([1, 0, 1]),
        "c": np.array([-1, 5, 6], np.int64),
    }
    assert numbers(record, "a", feature(), 3, "here").tolist() == [[0, 1], [2, 3], [4, 5]]
    assert numbers(record, "b", feature("bool", ()), 3, "here").tolist() == [[1], [0], [1]]
    assert numbers(record, "c", feature("uint64", ()), 3, "here")[0, 0] == 2**64 - 1


def test_one_value_for_the_episode_stands_at_every_step() -> None:
    record: dict[str, Any] = {"a": np.array([1.0, 2.0], np.float32), "t": [b"x"]}
    assert numbers(record, "a", feature(per_step=False), 2, "here").tolist() == [[1, 2], [1, 2]]
    text = Feature(kind="text", dtype="str", shape=(), per_step=False)
    assert list(strings(record, "t", text, 3, "here")) == [b"x"] * 3


@pytest.mark.parametrize("encoding", ["bytes", "zlib"])
def test_tensors_that_are_stored_as_bytes_are_read(encoding: Any) -> None:
    raw = [np.array([i, i + 0.5]).tobytes() for i in range(3)]
    stored = [zlib.compress(one) for one in raw] if encoding == "zlib" else raw
    told = feature("float64", (2,), encoding=encoding)
    assert numbers({"a": stored}, "a", told, 3, "here")[2].tolist() == [2, 2.5]
    with pytest.raises(BadData, match=r"here, 'a': expected 4 x float64 \(2,\).*, got 3 byte str"):
        numbers({"a": stored}, "a", told, 4, "here")
    with pytest.raises(BadData, match=rf"'a': expected float64 stored as {encoding}, got"):
        numbers({"a": [b"abc"]}, "a", told, 1, "here")


def test_sequences_of_one_length_are_numbers_and_others_are_refused() -> None:
    assert stored_names("a", RAGGED) == ("a/ragged_flat_values", "a/ragged_row_lengths_0")
    record = {"a/ragged_flat_values": np.arange(12), "a/ragged_row_lengths_0": np.array([3, 3])}
    assert numbers(record, "a", RAGGED, 2, "here").tolist() == [[*range(6)], [*range(6, 12)]]
    record["a/ragged_row_lengths_0"] = np.array([2, 4])
    with pytest.raises(BadData, match=r"'a': expected one number .* step, got from 2 to 4"):
        numbers(record, "a", RAGGED, 2, "here")


def test_words_are_text_or_the_codes_of_their_letters() -> None:
    text = Feature(kind="text", dtype="str", shape=())
    assert words({"a": ["é".encode(), b""]}, "a", text, 2, "here") == ["é", ""]
    codes = np.zeros((2, 8), np.int64)
    codes[0, :3] = [*"é!".encode()]
    told = feature("int32", (8,))
    assert words({"a": codes.ravel()}, "a", told, 2, "here") == ["é!", ""]
    codes[1, 0] = 30522
    with pytest.raises(BadData, match=r"here, 'a': expected codes of UTF-8 .*, got from 0 to 305"):
        words({"a": codes.ravel()}, "a", told, 2, "here")


@pytest.mark.parametrize(
    ("values", "told", "got"),
    [
        (np.zeros(5, np.float32), feature(), "5 numbers of type float32"),
        (np.zeros(6, np.int64), feature(), "6 numbers of type int64"),
        (np.zeros(6, np.float32), feature("int32"), "6 numbers of type float32"),
        ([b"a"] * 3, feature(), "3 byte strings"),
    ],
)
def test_what_does_not_fit_is_told_with_what_was_expected(
    values: Any, told: Feature, got: str
) -> None:
    expected = rf"here, 'a': expected 3 x {told.dtype} \(2,\) \(features\.json\), got {got}\."
    with pytest.raises(BadData, match=expected):
        numbers({"a": values}, "a", told, 3, "here")


def test_what_is_missing_is_named() -> None:
    with pytest.raises(BadData, match=r"here: expected the feature 'a' .*, found none"):
        numbers({}, "a", feature(), 3, "here")
    with pytest.raises(BadData, match=r"here: expected the feature 'a/ragged_row_lengths_0'"):
        numbers({}, "a", RAGGED, 3, "here")
