"""Columns of feather and parquet tables, with words for what is wrong with them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import feather, parquet

from octoverse.errors import BadData


def read_columns(path: Path, columns: Sequence[str]) -> dict[str, np.ndarray]:
    """Columns (n,) of a table by name.

    Raises:
        BadData: if there is no such file, it is damaged, lacks a column or holds a gap.
    """
    if not path.exists():
        raise BadData(f"{path}: expected this table, found none. Fetch the log again.")
    try:
        table = feather.read_table(path) if path.suffix == ".feather" else parquet.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise BadData(
            f"{path}: expected a {path.suffix[1:]} table, got {path.stat().st_size} bytes that "
            f"cannot be read: {error}. Fetch the file again."
        ) from error
    for name in columns:
        if name not in table.column_names:
            raise BadData(
                f"{path}: expected a column {name}, found {', '.join(table.column_names)}. "
                "Is it a table of another data set?"
            )
        if table[name].null_count:
            raise BadData(
                f"{path}: expected a value in every row of {name}, got {table[name].null_count} "
                "without. Fetch the file again."
            )
    return {name: np.asarray(table[name].to_numpy()) for name in columns}
