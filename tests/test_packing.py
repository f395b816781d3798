import io
from typing import Any

import msgspec
import numpy as np
import pytest
import simplejpeg
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from octoverse import wire
from octoverse.errors import BadMessage
from octoverse.packing import Jpeg, pack, views

OBSERVE = wire.Observe(session="0" * 32, request=1, observed_at_ns=0)
PLENTY = 2**26
ANY_ARRAY = st.sampled_from(["uint8", "int64", "float32", "bool"]).flatmap(
    lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=0, max_dims=4, min_side=0))
)


def spec(**changes: Any) -> wire.ArraySpec:
    one = wire.ArraySpec(name="x", dtype="float32", shape=(2, 3), offset=0, size=24)
    return msgspec.structs.replace(one, **changes)


@given(st.dictionaries(st.text(min_size=1, max_size=64), ANY_ARRAY, max_size=8))
def test_arrays_arrive_as_they_were_sent(sent: dict[str, np.ndarray]) -> None:
    header, body = pack(OBSERVE, sent)
    message = wire.read_request(header)
    assert isinstance(message, wire.Observe)
    got = views(message.arrays, body.data, PLENTY)
    assert list(got) == list(sent)
    for name, array in got.items():
        assert isinstance(array, np.ndarray)
        assert array.dtype == sent[name].dtype
        assert array.shape == sent[name].shape
        assert array.tobytes() == sent[name].tobytes()


def test_arrays_lie_apart_on_multiples_of_eight() -> None:
    header, body = pack(OBSERVE, {"a": np.zeros(3, np.uint8), "b": np.zeros(1, np.int64)})
    message = wire.read_request(header)
    assert isinstance(message, wire.Observe)
    assert [(s.offset, s.size) for s in message.arrays] == [(0, 3), (8, 8)]
    assert len(body) == 16


def test_an_array_that_is_not_contiguous_arrives_in_its_own_order() -> None:
    image = np.arange(24, dtype=np.uint8).reshape(4, 6)[::-1, ::2]
    header, body = pack(OBSERVE, {"image": image})
    message = wire.read_request(header)
    assert isinstance(message, wire.Observe)
    assert np.array_equal(views(message.arrays, body.data, PLENTY)["image"], image)  # type: ignore[arg-type]


def test_views_copy_nothing_and_cannot_be_written_to() -> None:
    body = np.zeros(24, np.uint8)
    view = views((spec(),), body.data, PLENTY)["x"]
    assert isinstance(view, np.ndarray)
    assert np.shares_memory(view, body)
    assert not view.flags.writeable


def test_a_jpeg_arrives_nearly_as_it_was_sent() -> None:
    ramp = np.linspace(0, 255, 48 * 64 * 3).reshape(48, 64, 3).astype(np.uint8)
    header, body = pack(OBSERVE, {"front": Jpeg.encode(ramp, 95)})
    message = wire.read_request(header)
    assert isinstance(message, wire.Observe)
    image = views(message.arrays, body.data, PLENTY)["front"]
    assert isinstance(image, Jpeg)
    assert len(body) < ramp.nbytes / 3
    assert np.abs(image.decode().astype(int) - ramp).mean() < 2


def test_a_jpeg_of_another_size_is_refused_before_it_is_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small = Jpeg.encode(np.zeros((16, 16, 3), np.uint8), 90)
    monkeypatch.setattr(simplejpeg, "decode_jpeg", None)
    with pytest.raises(BadMessage, match=r"expected shape \(8, 8, 3\) as declared, got \(16, 16"):
        Jpeg(small.data, (8, 8, 3)).decode()


@pytest.mark.parametrize("kept", [0, 2, 100, 300])
def test_a_damaged_jpeg_is_refused(kept: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    whole = Jpeg.encode(noise, 90)
    with pytest.raises(BadMessage, match="expected a complete image, got damaged data"):
        Jpeg(whole.data[:kept], whole.shape).decode()


def test_a_jpeg_of_many_scans_is_refused_before_it_is_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    encoded = io.BytesIO()
    Image.new("RGB", (16, 16)).save(encoded, "JPEG", progressive=True)
    monkeypatch.setattr(simplejpeg, "decode_jpeg", None)
    with pytest.raises(BadMessage, match=r"expected at most 4 scans.* Encode it as baseline, not"):
        Jpeg(encoded.getvalue(), (16, 16, 3)).decode()


@pytest.mark.parametrize(
    ("specs", "words"),
    [
        ([spec(offset=4)], "expected a place from 0 on, a multiple of 8, within a body of 48"),
        ([spec(offset=32)], "within a body of 48 bytes, got 32 to 56"),
        ([spec(), spec(name="y", offset=16)], "array 'y': expected a place from 24 on"),
        ([spec(offset=24), spec(name="y", offset=0)], "array 'y': expected a place from 48 on"),
        ([spec(size=16)], "expected 24 bytes for float32 \\(2, 3\\), got 16"),
        ([spec(dtype="uint8")], "expected 6 bytes for uint8"),
        ([spec(), spec(offset=24)], "expected one array of this name, got two"),
        ([spec(shape=(2**62, 2**62), size=8)], "expected at most 67108864 bytes decoded"),
        ([spec(encoding="jpeg")], "expected a JPEG to be uint8 \\(height, width, 3\\)"),
        ([spec(dtype="uint8", shape=(2, 2, 4), encoding="jpeg")], "expected a JPEG to be uint8"),
        ([spec(dtype="uint8", shape=(2**20, 2**20, 3), encoding="jpeg")], "at most 67108864"),
    ],
)
def test_a_place_that_cannot_be_is_refused(specs: list[wire.ArraySpec], words: str) -> None:
    with pytest.raises(BadMessage, match=words):
        views(tuple(specs), bytes(48), PLENTY)


@given(
    st.lists(
        st.builds(
            wire.ArraySpec,
            name=st.sampled_from("abc"),
            dtype=st.sampled_from(["uint8", "int64", "float32", "bool"]),
            shape=st.lists(st.integers(0, 2**63 - 1) | st.integers(0, 4), max_size=4).map(tuple),
            encoding=st.sampled_from(["raw", "jpeg"]),
            offset=st.integers(0, 2**63 - 1) | st.integers(0, 8).map(lambda i: 8 * i),
            size=st.integers(0, 2**63 - 1) | st.integers(0, 64),
        ),
        max_size=3,
    )
)
def test_no_declaration_reaches_outside_the_body(specs: list[wire.ArraySpec]) -> None:
    body = np.zeros(64, np.uint8)
    try:
        found = views(tuple(specs), body.data, PLENTY)
    except BadMessage:
        return
    assert sum(a.nbytes if isinstance(a, np.ndarray) else len(a.data) for a in found.values()) <= 64


def test_a_type_that_the_wire_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match=r"array 'x': expected uint8, .*, got <f8. Convert"):
        pack(OBSERVE, {"x": np.zeros(2)})
    with pytest.raises(ValueError, match="got >f4"):
        pack(OBSERVE, {"x": np.zeros(2, ">f4")})
