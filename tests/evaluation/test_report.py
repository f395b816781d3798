import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from octoverse.evaluation.film import Film
from octoverse.evaluation.report import Report, Shown, jpeg, png, write_report
from octoverse.evaluation.results import RowResult

ARM = RowResult(success=0.9, episodes=10, low=0.596, high=0.982, expert=1.0, random=0.1)
CAR = RowResult(success=0.8, episodes=10, low=0.49, high=0.94, ade=0.21, ade_constant_velocity=1.34)
STORED = RowResult(success=0.97, episodes=100, low=0.915, high=0.99, model="demo-77aa")
PICTURE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)


@pytest.fixture
def page(tmp_path: Path) -> str:
    film = Film(mp4=b"not really a film", seconds=2.0, portrait=None)
    report = Report(
        title="One network",
        lead="Two bodies & one trunk",
        rows={"arm/lift": ARM, "car/lane": CAR},
        caption="10 episodes, a quick look",
        stored={"arm/lift": STORED},
        films=[
            Shown(film=film, row="arm/lift", instruction="lift <it>", success=True),
            Shown(film=film, row="car/lane", instruction="go", success=False, faster=4),
        ],
        latencies_ms={"arm/lift": [3.0, 4.0, 8.0]},
        timing_ms={"policy": 3.0, "wire": 1.0},
        facts={"Model": "demo-1f3a9c02", "Machine": "a <fast> one"},
        picture=PICTURE,
    )
    write_report(report, tmp_path / "deep/report.html")
    return (tmp_path / "deep/report.html").read_text()


def test_the_page_holds_the_numbers(page: str) -> None:
    for words in (
        "<b>90%</b>",
        "60% to 98%",
        "0.21 (1.34) m",
        "10 episodes, a quick look",
        "<b>97%</b>",
        "100 episodes per row, stored with the weights (demo-77aa)",
        "median 4.0 ms",
        "policy: 3.0 ms",
        "demo-1f3a9c02",
        "4 times as fast as life",
    ):
        assert words in page
    assert "$" not in page


def test_the_page_needs_nothing_but_itself(page: str) -> None:
    assert not re.search(r"https?:|<link|@import|url\(|<script", page)
    assert all(source.startswith("data:") for source in re.findall(r'src="([^"]+)"', page))
    [image] = re.findall(r'<img[^>]*base64,([^"]+)"', page)
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(image))))
    assert shown.shape == PICTURE.shape
    films = re.findall(r'<video[^>]*base64,([^"]+)"', page)
    assert [base64.b64decode(film) for film in films] == [b"not really a film"] * 2


def test_words_are_shown_as_they_are(page: str) -> None:
    assert "lift &lt;it&gt;" in page and "a &lt;fast&gt; one" in page
    assert "Two bodies &amp; one trunk" in page


def test_what_there_is_not_is_left_out(tmp_path: Path) -> None:
    report = Report(title="One", lead="", rows={"arm/lift": STORED}, caption="alone")
    write_report(report, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "<h2>Success</h2>" in page
    for title in ("The stored table", "Watch", "Latency", "How this was made", "<img", "chance"):
        assert title not in page


def test_pictures_survive() -> None:
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png(PICTURE)))), PICTURE)
    smooth = np.full((16, 16, 3), 120, np.uint8)
    shown = np.asarray(Image.open(io.BytesIO(jpeg(smooth)))).astype(int)
    assert np.abs(shown - smooth).max() < 6
