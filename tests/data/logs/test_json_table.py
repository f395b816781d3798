import json
from pathlib import Path

import msgspec
import pytest

from octoverse.data.logs.json_table import json_rows
from octoverse.errors import BadData


class Row(msgspec.Struct):
    token: str
    place: list[float]


ROWS = [{"token": str(i), "place": [i, 0.5], "more": None} for i in range(5)]


@pytest.mark.parametrize("indent", [None, 0, 2])
def test_rows_are_decoded_one_by_one(tmp_path: Path, indent: int | None) -> None:
    (tmp_path / "t.json").write_text(json.dumps(ROWS, indent=indent) + "\n")
    assert [row.token for row in json_rows(tmp_path / "t.json", Row)] == ["0", "1", "2", "3", "4"]
    (tmp_path / "t.json").write_text("[]")
    assert list(json_rows(tmp_path / "t.json", Row)) == []


@pytest.mark.parametrize("length", [0, 1, 30, 110, -1, -3])
def test_a_table_cut_short_is_never_read_in_part(tmp_path: Path, length: int) -> None:
    path = tmp_path / "t.json"
    path.write_text(json.dumps(ROWS)[:length])
    with pytest.raises(
        BadData, match=r"t\.json: expected a (table in JSON, found an empty|JSON li)"
    ):
        list(json_rows(path, Row))


def test_a_missing_table_and_a_bad_row_are_named(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    with pytest.raises(BadData, match=r"t\.json: expected this table, found none"):
        list(json_rows(path, Row))
    path.write_text(json.dumps([*ROWS, {"token": 5}]))
    with pytest.raises(
        BadData, match=r"t\.json, row 5: expected token, place, got b'{\"token\": 5}"
    ):
        list(json_rows(path, Row))
    path.write_text(json.dumps({"rows": ROWS}))
    with pytest.raises(
        BadData, match=r"expected a JSON list of flat rows, got b'{\"rows\": \[' wh"
    ):
        list(json_rows(path, Row))
