"""A small web server on loopback, which a stranger can neither use from elsewhere nor exhaust.

Only GET and HEAD are answered, once per connection. A request has five seconds and eight kilobytes;
its first line and its host are all that is taken out of it.
"""

import logging
import re
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from octoverse.errors import ServerError

logger = logging.getLogger(__name__)

_PORTS = 20
_AT_ONCE = 32
_HEAD_BYTES = 8192
_PATIENCE_S = 5.0
_STOPS_WITHIN_S = 0.1
_END = b"\r\n\r\n"
_ASKED = re.compile(r"([A-Z]{1,16}) (/[!->@-~]*)(?:\?[!-~]*)? HTTP/1\.[01]")
_HOST = re.compile(r"(?:127\.0\.0\.1|localhost)(?::\d{1,5})?", re.IGNORECASE)
"""Another name that was made to point here is one of a page that must not read this one."""
_ALWAYS = {
    "Allow": "GET, HEAD",
    "Cache-Control": "no-store",
    "Connection": "close",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True)
class Answer:
    """What is sent back."""

    kind: str
    """The body's, as in Content-Type."""
    body: bytes
    status: HTTPStatus = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)


def said(status: HTTPStatus, words: str) -> Answer:
    """Answer in words."""
    return Answer("text/plain; charset=utf-8", f"{words}\n".encode(), status)


class Web(socketserver.ThreadingTCPServer):
    """Answers requests in threads of its own while it is entered.

    Args:
        answer: Gives the answer to a path, called from any thread.
        port: The first of twenty that are tried; 0 picks a free one.

    Raises:
        ServerError: if none of them is free.
    """

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 16

    def __init__(self, answer: Callable[[str], Answer], port: int) -> None:
        self.answer = answer
        self._free = threading.BoundedSemaphore(_AT_ONCE)
        self._thread = threading.Thread(
            target=self.serve_forever, args=(_STOPS_WITHIN_S,), name="web", daemon=True
        )
        super().__init__(("127.0.0.1", port), _Request, bind_and_activate=False)
        last = min(port + _PORTS - 1, 65535) if port else 0
        for one in range(port, last + 1):
            try:
                self.server_address = ("127.0.0.1", one)
                self.server_bind()
                self.server_activate()
                return
            except OSError as error:
                reason = error.strerror
        self.server_close()
        raise ServerError(
            f"monitor: expected a free port from {port} to {last}, got: {reason}. "
            "Give another one, or 0 to do without."
        )

    @property
    def address(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> "Web":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread, or hang up where there are too many."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer one request."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()


class _Request(socketserver.BaseRequestHandler):
    server: Web
    request: socket.socket

    def handle(self) -> None:
        with suppress(TimeoutError, ConnectionError):  # nobody is there any more, or too slow
            if head := self._head():
                self.request.settimeout(_PATIENCE_S)
                self.request.sendall(_reply(head, self.server.answer))

    def _head(self) -> bytes:
        """Receive a request up to its empty line; nothing if there is none."""
        head, until = b"", time.monotonic() + _PATIENCE_S
        while _END not in head and len(head) <= _HEAD_BYTES:
            self.request.settimeout(max(until - time.monotonic(), 0.001))
            if not (part := self.request.recv(4096)):
                return b""
            head += part
        return head


def _reply(head: bytes, answer: Callable[[str], Answer]) -> bytes:
    first, *others = head.partition(_END)[0].decode("latin-1").split("\r\n")
    hosts = [line[5:].strip() for line in others if line[:5].lower() == "host:"]
    asked = _ASKED.fullmatch(first)
    if _END not in head:
        reply = said(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            f"request: expected at most {_HEAD_BYTES} bytes.",
        )
    elif asked is None:
        reply = said(HTTPStatus.BAD_REQUEST, "request: expected one like GET / HTTP/1.1.")
    elif len(hosts) != 1 or not _HOST.fullmatch(hosts[0]):
        reply = said(HTTPStatus.FORBIDDEN, "Host: expected 127.0.0.1 or localhost.")
    elif asked[1] not in ("GET", "HEAD"):
        reply = said(HTTPStatus.METHOD_NOT_ALLOWED, "method: expected GET or HEAD.")
    else:
        reply = _answered(asked[2], answer)
    lines = [
        f"HTTP/1.1 {reply.status} {reply.status.phrase}",
        *(f"{name}: {value}" for name, value in {**_ALWAYS, **reply.headers}.items()),
        f"Content-Type: {reply.kind}",
        f"Content-Length: {len(reply.body)}",
    ]
    sent = "\r\n".join(lines).encode("ascii") + _END
    return sent if asked and asked[1] == "HEAD" else sent + reply.body


def _answered(path: str, answer: Callable[[str], Answer]) -> Answer:
    try:
        return answer(path)
    except Exception:
        logger.exception("a page could not be made", extra={"path": path})
        return said(HTTPStatus.INTERNAL_SERVER_ERROR, "This failed; the server's log says why.")
