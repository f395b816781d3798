from pathlib import Path

import pytest

from octoverse.data.logs.csv_table import numbers, read_csv
from octoverse.errors import BadData


@pytest.mark.parametrize("text", ["a,b\n1, x\n\n2,y\n", "1,x\n2,y"])
def test_names_stand_in_the_first_line_or_are_given(tmp_path: Path, text: str) -> None:
    path = tmp_path / "log.csv"
    path.write_text(text)
    assert read_csv(path, ("a", "b"), ("a",)) == {"a": ["1", "2"], "b": ["x", "y"]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"log\.csv: expected lines, found none"),
        ("a,b\n", r"log\.csv: expected lines, found none"),
        ("c,d\n1,2\n", r"log\.csv: expected a column 'a', got c, d\. It is another format"),
        ("a,b\n1,2\n3\n", r"log\.csv, line 3: expected 2 values, got 1\. The file was cut short"),
        ("1,2\n3", r"log\.csv, line 2: expected 2 values, got 1"),
    ],
)
def test_a_damaged_table_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "log.csv"
    path.write_text(text)
    with pytest.raises(BadData, match=message):
        read_csv(path, ("a", "b"), ("a",))


def test_a_missing_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"log\.csv: expected a table of text, got: No such file"):
        read_csv(tmp_path / "log.csv", (), ("a",))


@pytest.mark.parametrize("bad", ["nan", "fast", "", "inf"])
def test_what_is_no_number_is_named_with_its_row(bad: str) -> None:
    assert numbers(Path("log.csv"), "speed", ["1.5", "-2"]).tolist() == [1.5, -2.0]
    with pytest.raises(BadData, match=rf"log\.csv: .* number as speed in row 2, got '{bad}'"):
        numbers(Path("log.csv"), "speed", ["1", bad])
