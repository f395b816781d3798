"""Take numbers, words and images out of the features of one record, as its metadata tell them."""

import zlib
from collections.abc import Mapping, Sequence

import numpy as np

from octoverse.data.rlds.example import Values
from octoverse.data.rlds.facts import Feature
from octoverse.errors import BadData

_FLAT, _LENGTHS = "/ragged_flat_values", "/ragged_row_lengths_0"
"""How TFDS names the parts of a feature with a number of values of its own at every step."""


def stored_names(name: str, feature: Feature) -> tuple[str, ...]:
    """The names under which a feature stands in a record."""
    return (name + _FLAT, name + _LENGTHS) if feature.ragged else (name,)


def numbers(
    features: Mapping[str, Values], name: str, feature: Feature, steps: int, where: str
) -> np.ndarray:
    """Numbers of every step, (t, n) in the feature's own type; one for the episode is repeated.

    Raises:
        BadData: if the record does not have what the metadata tell.
    """
    count = steps if feature.per_step else 1
    width = int(np.prod([size or 0 for size in feature.shape]))
    if feature.ragged:
        width, stored = _ragged_width(features, name, feature, width, where), name + _FLAT
    else:
        stored = name
    values = _get(features, stored, where)
    if feature.encoding != "none":
        values = _decoded(values, name, feature, count, where)
    integer = np.dtype(feature.dtype).kind != "f"
    if (
        not isinstance(values, np.ndarray)
        or values.size != count * width
        or (values.size and (values.dtype.kind != "f") != integer)
    ):
        expected = f"{count} x {feature.dtype} {feature.shape}"
        raise BadData(
            f"{where}, '{name}': expected {expected} (features.json), got {_words(values)}."
        )
    if feature.dtype == "uint64":
        values = values.view(np.uint64)
    rows = values.reshape(count, width)
    return rows if feature.per_step else np.repeat(rows, steps, axis=0)


def strings(
    features: Mapping[str, Values], name: str, feature: Feature, steps: int, where: str
) -> Sequence[bytes]:
    """Encoded images or texts, one for each step; one for the episode is repeated.

    Raises:
        BadData: if the record does not have what the metadata tell.
    """
    count = steps if feature.per_step else 1
    values = _get(features, name, where)
    if isinstance(values, np.ndarray) or len(values) != count:
        raise BadData(
            f"{where}, '{name}': expected {count} byte strings ({feature.words}), "
            f"got {_words(values)}."
        )
    return values if feature.per_step else list(values) * steps


def words(
    features: Mapping[str, Values], name: str, feature: Feature, steps: int, where: str
) -> list[str]:
    """An instruction at every step; some data sets store its UTF-8 codes as numbers, zero-padded.

    Raises:
        BadData: if the record does not have what the metadata tell, or it is not UTF-8.
    """
    raw: Sequence[bytes]
    if feature.kind == "text":
        raw = strings(features, name, feature, steps, where)
    else:
        codes = numbers(features, name, feature, steps, where)
        if codes.min() < 0 or codes.max() > 255:
            raise BadData(
                f"{where}, '{name}': expected codes of UTF-8 from 0 to 255, got from "
                f"{codes.min()} to {codes.max()}. This is no text that octoverse can read."
            )
        raw = [bytes(row[row > 0].astype(np.uint8)) for row in codes]
    known: dict[bytes, str] = {}
    try:
        return [known.get(word) or known.setdefault(word, word.decode()) for word in raw]
    except UnicodeDecodeError as error:
        raise BadData(f"{where}, '{name}': expected text in UTF-8, got: {error}.") from error


def _get(features: Mapping[str, Values], name: str, where: str) -> Values:
    if name not in features:
        raise BadData(
            f"{where}: expected the feature '{name}' (features.json), found none. The metadata "
            "are of another version than the file; fetch both again."
        )
    return features[name]


def _ragged_width(
    features: Mapping[str, Values], name: str, feature: Feature, width: int, where: str
) -> int:
    lengths = _get(features, name + _LENGTHS, where)
    if not isinstance(lengths, np.ndarray) or not len(lengths) or (lengths != lengths[0]).any():
        raise BadData(
            f"{where}, '{name}': expected one number of values at every step, got from "
            f"{min(lengths, default=0)} to {max(lengths, default=0)}. Only such sequences can be "
            "a stream or an action group."
        )
    return int(lengths[0]) * width


def _decoded(values: Values, name: str, feature: Feature, count: int, where: str) -> Values:
    """The numbers of tensors that are stored as bytes."""
    if isinstance(values, np.ndarray) or len(values) != count:
        return values
    try:
        rows = [zlib.decompress(v) if feature.encoding == "zlib" else v for v in values]
        return np.frombuffer(b"".join(rows), feature.dtype)
    except (zlib.error, ValueError) as error:
        raise BadData(
            f"{where}, '{name}': expected {feature.dtype} stored as {feature.encoding}, "
            f"got: {error}."
        ) from error


def _words(values: Values) -> str:
    if isinstance(values, np.ndarray):
        return f"{values.size} numbers of type {values.dtype}"
    return f"{len(values)} byte strings"
