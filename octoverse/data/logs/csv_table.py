"""Read tables of driving logs that are text: one line for each moment."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from octoverse.errors import BadData


def read_csv(path: Path, columns: Sequence[str], wanted: Sequence[str]) -> dict[str, list[str]]:
    """Columns of a file by name.

    Args:
        path: The file.
        columns: Their names, in order, where the first line does not give them.
        wanted: The columns that there must be.

    Raises:
        BadData: if the file is missing or empty, a column is, or a line is short.
    """
    try:
        lines = list(csv.reader(path.read_text().splitlines(), skipinitialspace=True))
    except OSError as error:
        raise BadData(
            f"{path}: expected a table of text, got: {error.strerror}. Give the folder with it."
        ) from error
    lines = [line for line in lines if line]
    # A line of names holds no number.
    named = bool(lines) and not any(map(_is_number, lines[0]))
    names = [name.strip() for name in lines[0]] if named else list(columns)
    rows = lines[1:] if named else lines
    if not rows:
        raise BadData(f"{path}: expected lines, found none. The log is empty; leave it out.")
    lacking = [name for name in wanted if name not in names]
    if lacking:
        raise BadData(
            f"{path}: expected a column '{lacking[0]}', got {', '.join(names) or 'no names'}. It "
            "is another format; choose its reader, or name the columns in a first line."
        )
    for number, row in enumerate(rows, 1 + named):
        if len(row) < len(names):
            raise BadData(
                f"{path}, line {number}: expected {len(names)} values, got {len(row)}. The file "
                "was cut short; fetch it again, or delete the line."
            )
    return {name: [row[i].strip() for row in rows] for i, name in enumerate(names)}


def numbers(path: Path, name: str, values: Sequence[str]) -> np.ndarray:
    """One column as float64 (n,).

    Raises:
        BadData: if one is no finite number.
    """
    for row, value in enumerate(values, 1):
        if not (_is_number(value) and np.isfinite(float(value))):
            raise BadData(
                f"{path}: expected a finite number as {name} in row {row}, got '{value}'. "
                "Delete the row; a gap is better than a guess."
            )
    return np.array(values, np.float64)


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True
