"""What people and Prometheus see of a server: a page, /metrics and /health, on loopback only.

It only ever looks at copies, once a second however many ask, so it cannot slow a robot. Its routes
are fixed: what is asked for never becomes a path, and robots are found by their public numbers.
"""

import dataclasses
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path

import msgspec
import numpy as np
import simplejpeg

from octoverse.servers import metrics
from octoverse.servers.history import History, Second
from octoverse.servers.status import ServerStatus
from octoverse.servers.web import Answer, Web, said

DEFAULT_PORT = 5580
_SIDE = 320
"""Of a picture, at most [pixels]."""
_PICTURES = re.compile(r"/robots/(\d{1,18})/pictures(?:/(\d{1,2}))?")
_PAGE = Path(__file__).with_name("page.html").read_bytes()
_JSON = "application/json"


def _hash(element: str) -> str:
    inside = _PAGE.split(f"<{element}>".encode())[1].split(f"</{element}>".encode())[0]
    return f"'sha256-{b64encode(sha256(inside).digest()).decode()}'"


_ONLY_THE_PAGE_ITSELF = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; connect-src 'self'; img-src 'self' data:; "
    f"script-src {_hash('script')}; style-src {_hash('style')}"
}


class Monitor:
    """Serves the page while it is entered.

    Args:
        look: Gives the status of the server.
        pictures: Gives the newest images of the robot of a number, by camera.
        port: The first of twenty that are tried; 0 picks a free one.
        log_lines_lost: Tells how much of the log could not be written.

    Raises:
        ServerError: if no port is free.
    """

    def __init__(
        self,
        look: Callable[[], ServerStatus],
        pictures: Callable[[int], Mapping[str, np.ndarray]],
        *,
        port: int = DEFAULT_PORT,
        log_lines_lost: Callable[[], int] = lambda: 0,
    ) -> None:
        self._history, self._pictures = History(look), pictures
        self._log_lines_lost = log_lines_lost
        self._web = Web(self._answer, port)

    @property
    def address(self) -> str:
        """Where the page is."""
        return self._web.address

    def __enter__(self) -> "Monitor":
        self._history.start()
        self._web.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._web.__exit__(*error)
        self._history.stop()

    def _answer(self, path: str) -> Answer:
        match path:
            case "/":
                return Answer("text/html; charset=utf-8", _PAGE, headers=_ONLY_THE_PAGE_ITSELF)
            case "/status.json":
                return Answer(_JSON, msgspec.json.encode(self._document()))
            case "/metrics":
                text = metrics.text(self._history.latest, log_lines_lost=self._log_lines_lost())
                return Answer(metrics.CONTENT_TYPE, text.encode())
            case "/health":
                trouble = self._history.trouble
                health = {"healthy": not trouble, "trouble": trouble}
                status = HTTPStatus.SERVICE_UNAVAILABLE if trouble else HTTPStatus.OK
                return Answer(_JSON, msgspec.json.encode(health), status)
        if found := _PICTURES.fullmatch(path):
            return self._picture(int(found[1]), found[2])
        return said(HTTPStatus.NOT_FOUND, "There is no such page; the first one is /.")

    def _document(self) -> dict[str, object]:
        """Everything that the page shows but for pictures."""
        status, seconds = self._history.latest, list(self._history.seconds)
        shown = [field.name for field in dataclasses.fields(status) if field.name != "timings"]
        return {
            **{name: getattr(status, name) for name in shown},
            "trouble": self._history.trouble,
            "memory_bytes": metrics.resident_bytes(),
            "log_lines_lost": self._log_lines_lost(),
            "seconds": {
                name: [getattr(second, name) for second in seconds]
                for name in Second.__struct_fields__
            },
        }

    def _picture(self, robot: int, camera: str | None) -> Answer:
        """Give the names of a robot's cameras, or the newest picture of one of them."""
        pictures = dict(self._pictures(robot))
        if camera is None:
            return Answer(_JSON, msgspec.json.encode([*pictures]))
        if int(camera) >= len(pictures):
            return said(HTTPStatus.NOT_FOUND, "There is no such picture.")
        return Answer("image/jpeg", jpeg([*pictures.values()][int(camera)]))


def jpeg(image: np.ndarray) -> bytes:
    """Make a JPEG of at most 320 pixels a side of an image, uint8 (height, width, 3)."""
    step = -(-max(image.shape[:2]) // _SIDE)
    small = np.ascontiguousarray(image[::step, ::step])
    data: bytes = simplejpeg.encode_jpeg(small, 75, "RGB")
    return data
