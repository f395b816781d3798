import msgspec
import numpy as np
import pytest

from octoverse.errors import BadData
from octoverse.interop import flax_msgpack


def packed(value: np.ndarray, name: str = "", code: int = 1) -> msgspec.msgpack.Ext:
    inner = (value.shape, name or value.dtype.name, value.tobytes())
    return msgspec.msgpack.Ext(code, msgspec.msgpack.encode(inner))


def restored(tree: object) -> dict[str, object]:
    found = flax_msgpack.restore(msgspec.msgpack.encode(tree), "file")
    assert isinstance(found, dict)
    return found


def test_arrays_of_every_type_come_back_as_they_were() -> None:
    arrays = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "b": np.array([True, False]),
        "c": np.array(7, np.int32),
        "d": np.zeros((0, 4), np.uint8),
    }
    found = restored(
        {"deep": {name: packed(value) for name, value in arrays.items()}, "e": "plain"}
    )
    flat = flax_msgpack.flatten(found)
    for name, value in arrays.items():
        got = flat[f"deep/{name}"]
        assert got.dtype == value.dtype and got.shape == value.shape
        assert np.array_equal(got, value)
    assert flat["e"] == "plain"


def test_bfloat16_becomes_float32() -> None:
    numbers = np.array([1.0, -2.5, 3.140625], np.float32)
    halves = (numbers.view(np.uint32) >> 16).astype(np.uint16)
    got = restored({"a": packed(halves, "bfloat16")})["a"]
    assert isinstance(got, np.ndarray) and got.dtype == np.float32
    assert np.array_equal(got, numbers)


def test_single_numbers_and_complex_ones_are_read() -> None:
    found = restored(
        {
            "a": packed(np.array(2.5, np.float32), code=3),
            "b": msgspec.msgpack.Ext(2, msgspec.msgpack.encode((1.0, -1.0))),
        }
    )
    assert found == {"a": 2.5, "b": 1 - 1j}


def test_a_large_array_in_pieces_is_put_together() -> None:
    whole = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    pieces = [whole.ravel()[i : i + 10] for i in range(0, 24, 10)]
    chunked = {
        "__msgpack_chunked_array__": True,
        "shape": {str(i): n for i, n in enumerate(whole.shape)},
        "chunks": {str(i): packed(piece) for i, piece in enumerate(pieces)},
    }
    found = flax_msgpack.flatten(restored({"deep": {"a": chunked}}))
    assert np.array_equal(found["deep/a"], whole)


def test_empty_places_are_left_out_of_the_leaves() -> None:
    assert flax_msgpack.flatten({"a": {"b": 1, "c": None}, "d": {}}) == {"a/b": 1}


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"\x82\xa1a",
        msgspec.msgpack.encode({"a": msgspec.msgpack.Ext(9, b"x")}),
        msgspec.msgpack.encode({"a": packed(np.zeros(3, np.float32), "float7")}),
        msgspec.msgpack.encode({"a": packed(np.zeros(3, np.uint8), "float32")}),
        msgspec.msgpack.encode({"__msgpack_chunked_array__": True, "shape": {}}),
    ],
)
def test_what_cannot_be_unpacked_is_refused_with_the_cure(damaged: bytes) -> None:
    with pytest.raises(BadData, match=r"/ck: expected a tree of arrays .* fetch it again"):
        flax_msgpack.restore(damaged, "/ck")
