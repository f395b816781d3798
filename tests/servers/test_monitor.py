import json
import re
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any

import numpy as np
import pytest
import simplejpeg

from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.servers.client import Client
from octoverse.servers.monitor import Monitor, jpeg
from octoverse.servers.status import ServerStatus
from octoverse.synthetic import random_frame

IMAGES = {"table": np.full((480, 640, 3), 200, np.uint8), "wrist": np.zeros((24, 32, 3), np.uint8)}


class Place:
    """What a monitor looks at."""

    def __init__(self, status: ServerStatus) -> None:
        self.status = status

    def look(self) -> ServerStatus:
        return self.status

    def pictures(self, number: int) -> Mapping[str, np.ndarray]:
        return IMAGES if number == 1 else {}


@pytest.fixture(scope="module")
def place(figures: ServerStatus) -> Place:
    return Place(figures)


@pytest.fixture(scope="module")
def monitor(place: Place) -> Iterator[Monitor]:
    with Monitor(place.look, place.pictures, port=0, log_lines_lost=lambda: 7) as monitor:
        yield monitor


def get(monitor: Monitor, path: str) -> tuple[int, Mapping[str, str], bytes]:
    try:
        answer = urllib.request.urlopen(monitor.address + path, timeout=60)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        return answer.status, dict(answer.headers.items()), answer.read()


def test_the_page_runs_what_stands_in_it_and_nothing_else(monitor: Monitor) -> None:
    status, headers, page = get(monitor, "/")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    for element in (b"script", b"style"):
        [inside] = re.findall(b"<%s>(.*?)</%s>" % (element, element), page, re.DOTALL)
        assert f"{element.decode()}-src 'sha256-{b64encode(sha256(inside).digest()).decode()}'" in (
            policy
        )


def test_the_page_is_one_file_that_sets_what_others_say_as_text(monitor: Monitor) -> None:
    page = get(monitor, "/")[2].decode()
    assert not re.search(r"https?://|@import|url\(", page)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", page)
    assert not re.search(r"\son\w+=|\sstyle=", page), "the policy of the page forbids these"


def test_what_the_page_shows_is_there(monitor: Monitor) -> None:
    document = json.loads(get(monitor, "/status.json")[2])
    page = get(monitor, "/")[2].decode()
    script = page.partition("<script>")[2].replace("/status.json", "")
    wanted = set(re.findall(r"\b(?:s|status|seconds)\.(\w+)", script)) - {"toFixed"}
    known = {*document, *document["seconds"]}
    assert wanted <= known and {"trouble", "faults", "hung", "memory_bytes"} <= wanted
    of_robot = set(re.findall(r"\b(?:r|robot)\.(\w+)", script))
    assert of_robot == {*document["robots"][0]}
    assert document["log_lines_lost"] == 7


def test_nobody_can_read_a_session(monitor: Monitor, servo: Any, serve: Any) -> None:
    server = serve(servo())
    with Client(server.address, TABLETOP_ARM, name="arm 1") as robot:
        robot.act(random_frame(TABLETOP_ARM, np.random.default_rng(0)))
        [known] = server.service.robots
        with Monitor(server.status, server.service.pictures, port=0) as there:
            paths = ["/", "/status.json", "/metrics", "/health", f"/robots/{known.number}/pictures"]
            told = b"".join(get(there, path)[2] for path in paths)
            assert b"arm 1" in told and known.id.encode() not in told
            names = json.loads(get(there, paths[-1])[2])
            assert names == ["table", "wrist"]
            picture = get(there, f"{paths[-1]}/0")[2]
            assert simplejpeg.decode_jpeg(picture).shape == (24, 32, 3)


def test_metrics_have_their_kind(monitor: Monitor) -> None:
    status, headers, text = get(monitor, "/metrics")
    assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert b"octoverse_answers_total 2.0\n" in text
    assert b"octoverse_log_lines_lost_total 7.0\n" in text


def test_health_is_told_by_number_and_in_words(
    monitor: Monitor, place: Place, figures: ServerStatus, until: Any
) -> None:
    status, _, words = get(monitor, "/health")
    assert (status, json.loads(words)) == (200, {"healthy": True, "trouble": ""})
    place.status = replace(figures, healthy=False, trouble="The policy hangs.")
    until(lambda: get(monitor, "/health")[0] == 503)
    assert json.loads(get(monitor, "/health")[2]) == {
        "healthy": False,
        "trouble": "The policy hangs.",
    }
    place.status = figures
    until(lambda: get(monitor, "/health")[0] == 200)


def test_pictures_are_named_and_numbered(monitor: Monitor) -> None:
    assert json.loads(get(monitor, "/robots/1/pictures")[2]) == ["table", "wrist"]
    status, headers, picture = get(monitor, "/robots/1/pictures/0?17")
    assert (status, headers["Content-Type"]) == (200, "image/jpeg")
    assert simplejpeg.decode_jpeg_header(picture)[:2] == (240, 320)
    assert json.loads(get(monitor, "/robots/2/pictures")[2]) == []


@pytest.mark.parametrize(
    "path",
    [
        *("/robots/1/pictures/2", "/robots/2/pictures/0", "/robots/-1/pictures", "/robots"),
        *("/page.html", "/../page.html", "/%2e%2e/page.html", "//etc/passwd", "/status.json/"),
        *("/robots/1/pictures/..", f"/robots/{'9' * 30}/pictures", "/favicon.ico"),
    ],
)
def test_there_is_nothing_else(monitor: Monitor, path: str) -> None:
    status, _, words = get(monitor, path)
    assert status == 404 and words.startswith(b"There is no such p")


@pytest.mark.parametrize(
    ("shape", "small"),
    [((24, 32), (24, 32)), ((320, 100), (320, 100)), ((321, 9), (161, 5)), ((2, 5000), (1, 313))],
)
def test_a_picture_is_small(shape: tuple[int, int], small: tuple[int, int]) -> None:
    image = np.full((*shape, 3), 90, np.uint8)[:, ::-1]
    seen = simplejpeg.decode_jpeg(jpeg(image))
    assert seen.shape == (*small, 3) and abs(int(seen.mean()) - 90) < 3
