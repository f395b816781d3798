"""Arrow columns and parquet files as LeRobot and Hugging Face datasets read them."""

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from octoverse.data.lerobot import format as form


def _type(feature: form.Feature) -> pa.DataType:
    if feature.dtype == "image":
        return pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    kind = pa.bool_() if feature.dtype == "bool" else pa.from_numpy_dtype(feature.dtype)
    if feature.shape == (1,):
        return kind
    if len(feature.shape) == 1:
        return pa.list_(kind, feature.shape[0])
    return pa.list_(pa.list_(kind))


def schema(features: Mapping[str, form.Feature]) -> pa.Schema:
    """Columns of a data file, also as Hugging Face datasets declares them."""
    kept = {key: feature for key, feature in features.items() if feature.dtype != "video"}
    shown = {key: _shown(feature) for key, feature in kept.items()}
    fields = [pa.field(key, _type(feature)) for key, feature in kept.items()]
    return pa.schema(fields, {"huggingface": json.dumps({"info": {"features": shown}})})


def _shown(feature: form.Feature) -> dict[str, Any]:
    """The feature as Hugging Face datasets declares it in a parquet file."""
    if feature.dtype == "image":
        return {"_type": "Image"}
    value = {"dtype": feature.dtype, "_type": "Value"}
    if feature.shape == (1,):
        return value
    if len(feature.shape) == 1:
        return {"feature": value, "length": feature.shape[0], "_type": "Sequence"}
    return {"shape": list(feature.shape), "dtype": feature.dtype, "_type": "Array2D"}


def array(feature: form.Feature, values: Any) -> pa.Array:
    """One column: encoded images as a list of bytes, everything else as (t, ...) numbers."""
    kind = _type(feature)
    if feature.dtype == "image":
        paths = pa.nulls(len(values), pa.string())
        return pa.StructArray.from_arrays([pa.array(values, pa.binary()), paths], ["bytes", "path"])
    flat = pa.array(np.ascontiguousarray(values).reshape(-1))
    if feature.shape == (1,):
        return flat.cast(kind)
    if len(feature.shape) == 1:
        return pa.FixedSizeListArray.from_arrays(flat, feature.shape[0])
    steps, size = feature.shape
    rows = pa.ListArray.from_arrays(np.arange(0, len(flat) + 1, size, dtype=np.int32), flat)
    edges = np.arange(0, len(rows) + 1, steps, dtype=np.int32)
    return pa.ListArray.from_arrays(edges, rows)


def write(path: Path, tables: Sequence[pa.Table]) -> None:
    """Write a file with one row group per table, so that one episode can be read by itself."""
    file = io.BytesIO()
    with pq.ParquetWriter(file, tables[0].schema, compression="snappy", use_dictionary=False) as to:
        for table in tables:
            to.write_table(table)
    form.replace_file(path, cast(bytes, file.getbuffer()))


def tasks_file(tasks: Sequence[str]) -> bytes:
    """Tasks as pandas stores a frame whose index is the task: LeRobot reads it with pandas."""
    index = "__index_level_0__"
    column = {"field_name": "task_index", "name": "task_index", "metadata": None}
    label = {"field_name": index, "name": None, "metadata": None}
    pandas = {
        "index_columns": [index],
        "column_indexes": [],
        "columns": [
            {**column, "pandas_type": "int64", "numpy_type": "int64"},
            {**label, "pandas_type": "unicode", "numpy_type": "object"},
        ],
        "creator": {"library": "pyarrow", "version": pa.__version__},
        "pandas_version": "2.2.0",
    }
    table = pa.table({"task_index": pa.array(range(len(tasks)), pa.int64()), index: list(tasks)})
    file = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({"pandas": json.dumps(pandas)}), file)
    return file.getvalue()
