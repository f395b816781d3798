import io
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from octoverse.errors import BadMessage
from octoverse.servers.numpy_msgpack import read, write_groot, write_openpi

encode = msgspec.msgpack.encode
KINDS = st.sampled_from(["bool", "uint8", "int16", "int64", "float16", "float32", "float64"])
ANY = arrays.arrays(KINDS, arrays.array_shapes(min_dims=0, max_dims=5, max_side=4))


def _openpi(**changes: Any) -> bytes:
    kind = {"__ndarray__": True, "data": bytes(12), "dtype": "<f4", "shape": [3]}
    return encode({name.encode(): value for name, value in (kind | changes).items()})


def _npy(value: bytes | np.ndarray, **options: Any) -> bytes:
    if isinstance(value, np.ndarray):
        file = io.BytesIO()
        np.save(file, value, **options)
        value = file.getvalue()
    return encode({"__ndarray_class__": True, "as_npy": value})


def _header(text: str, data: bytes = bytes(12), version: int = 1) -> bytes:
    told = text.encode("latin-1")
    length = len(told).to_bytes(2 if version == 1 else 4, "little")
    return _npy(b"\x93NUMPY" + bytes([version, 0]) + length + told + data)


@given(ANY)
def test_what_openpi_would_read_we_read(value: np.ndarray) -> None:
    [found] = read(write_openpi([value]))
    assert found.dtype == value.dtype and found.shape == value.shape
    np.testing.assert_array_equal(found, value)


@given(ANY)
def test_an_npy_file_is_read_as_numpy_reads_it(value: np.ndarray) -> None:
    for data, expected in ((write_groot(value), value), (_npy(value.T), value.T)):
        found = read(data)
        assert found.dtype == expected.dtype and found.shape == expected.shape
        np.testing.assert_array_equal(found, expected)


def test_what_we_write_for_groot_is_what_numpy_loads() -> None:
    value = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    told = msgspec.msgpack.decode(write_groot({"action": value}))["action"]
    loaded = np.load(io.BytesIO(told["as_npy"]), allow_pickle=False)
    np.testing.assert_array_equal(loaded, value)


def test_later_versions_of_npy_are_read() -> None:
    told = "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }\n"
    for version in (2, 3):
        assert read(_header(told, version=version)).shape == (3,)


def test_a_number_of_numpy_s_is_read() -> None:
    found = read(encode({b"__npgeneric__": True, b"data": 1.5, b"dtype": "<f4"}))
    assert found.dtype == np.float32 and found == 1.5


def test_a_number_too_large_for_its_type_becomes_infinite() -> None:
    assert np.isinf(read(encode({b"__npgeneric__": True, b"data": 1e300, b"dtype": "<f4"})))


@pytest.mark.parametrize(
    ("data", "kind"),
    [(float("nan"), "<i4"), (float("inf"), "<i8"), (300, "|u1"), (-1, "|u1"), ("7", "<f4")],
)
def test_a_number_that_is_none_of_its_type_is_refused(data: Any, kind: str) -> None:
    with pytest.raises(BadMessage, match="number: expected one of"):
        read(encode({b"__npgeneric__": True, b"data": data, b"dtype": kind}))


def test_arrays_are_views_of_the_message_and_cannot_be_written() -> None:
    data = write_openpi({"image": np.zeros((64, 64, 3), np.uint8)})
    image = read(data)["image"]
    assert np.shares_memory(image, np.frombuffer(data, np.uint8)) and not image.flags.writeable


def test_only_messages_and_arrays_are_written() -> None:
    for write in (write_openpi, write_groot):
        with pytest.raises((TypeError, NotImplementedError)):
            write({"thing": object()})


@pytest.mark.parametrize("kind", ["|O", "|V8", "<c8", "<U4", "|S4", "<M8[ns]", ">f4", "<f4,<f4"])
def test_types_that_are_no_plain_numbers_are_refused(kind: str) -> None:
    for data in (
        _openpi(dtype=kind),
        encode({b"__npgeneric__": True, b"data": 1, b"dtype": kind}),
        _header(f"{{'descr': '{kind}', 'fortran_order': False, 'shape': (3,), }}\n"),
    ):
        with pytest.raises(BadMessage, match=r"array: expected a dtype of \|b1.* got str"):
            read(data)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"shape": [2**62, 2**62, 2**62]}, "bytes for float32"),
        ({"shape": [2**40, 0, 2**40]}, "expected 0 bytes for float32"),
        ({"shape": [-1, -3]}, "a shape of at most 6 sides of at least 0, got list [-1, -3]"),
        ({"shape": [1] * 7}, "a shape of at most 6 sides"),
        ({"shape": [True, 3]}, "a shape of at most 6 sides"),
        ({"shape": [1.5]}, "a shape of at most 6 sides"),
        ({"shape": 3}, "a shape of at most 6 sides"),
        ({"shape": [4]}, "expected 16 bytes for float32 (4,), got 12"),
        ({"data": "0" * 12}, "expected its data as bytes, got str"),
        ({"dtype": 4}, "got int 4. Convert it before sending."),
        ({"dtype": [["a", "<f4"]]}, "expected a dtype of"),
    ],
)
def test_an_array_that_cannot_be_is_refused_in_words(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(BadMessage) as caught:
        read(_openpi(**changes))
    assert words in str(caught.value)


def test_an_empty_array_takes_no_memory_whatever_its_sides() -> None:
    assert read(_openpi(data=b"", shape=[2**40, 0, 2**40])).size == 0


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (4,), }\n", "expected 16 bytes"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (9" + "9" * 17 + ",), }\n", "bytes"),
        ("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,), }\n", "an .npy header"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,3), }\n", "an .npy"),
        ("{'descr': '<f4', 'fortran_order': print(), 'shape': (3,), }\n", "an .npy header"),
        ("__import__('os').abort()", "an .npy header of dtype, order and shape"),
        ("{" * 1000, "an .npy header"),
        (" " * 60_000, "an .npy header of dtype, order and shape in 1024 bytes"),
        ("", "an .npy header"),
    ],
)
def test_an_npy_header_that_numpy_does_not_write_is_refused(told: str, words: str) -> None:
    with pytest.raises(BadMessage) as caught:
        read(_header(told))
    assert words in str(caught.value)


def test_objects_are_never_unpickled() -> None:
    with pytest.raises(BadMessage, match=r"expected a dtype of .* got str"):
        read(_npy(np.array([{}]), allow_pickle=True))


@pytest.mark.parametrize("value", [b"", b"\x93NUMPY", b"PK\x03\x04" + bytes(100), "text", 3])
def test_what_is_no_npy_file_is_refused(value: Any) -> None:
    with pytest.raises(BadMessage, match=r"expected the bytes of an \.npy file"):
        read(encode({"__ndarray_class__": True, "as_npy": value}))


@given(st.binary(max_size=120), st.integers(0, 10**6), st.integers(0, 255))
def test_a_spoilt_message_is_read_or_refused(noise: bytes, place: int, byte: int) -> None:
    for sound in (_openpi(), _npy(np.zeros((2, 3), np.float32))):
        spoilt = bytearray(sound)
        spoilt[place % len(spoilt)] = byte
        for data in (bytes(spoilt), bytes(spoilt) + noise, sound[: place % len(sound)]):
            try:
                read(data)
            except BadMessage as error:
                assert ": expected " in str(error)
