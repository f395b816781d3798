import re
import socket
import threading
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octoverse.errors import ServerError
from octoverse.servers import web
from octoverse.servers.web import Answer, Web, said


class Site:
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.hold = threading.Event()
        self.hold.set()

    def answer(self, path: str) -> Answer:
        self.asked.append(path)
        self.hold.wait(60)
        if path == "/broken":
            raise RuntimeError("a page that breaks")
        if path == "/words":
            return said(HTTPStatus.NOT_FOUND, "Nothing here.")
        return Answer("text/html", b"hello", headers={"X-More": "1"})


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Site, int]]:
    site = Site()
    with Web(site.answer, 0) as there:
        yield site, int(there.address.rpartition(":")[2])


@pytest.fixture
def site(running: tuple[Site, int]) -> Site:
    running[0].asked.clear()
    return running[0]


@pytest.fixture
def port(running: tuple[Site, int]) -> int:
    return running[1]


def send(port: int, request: bytes) -> bytes:
    """Everything that comes back until the server hangs up."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(request)
        got = b""
        while part := connection.recv(65536):
            got += part
        return got


def ask(port: int, first: str, host: str = "127.0.0.1") -> tuple[int, dict[str, str], bytes]:
    head, _, body = send(port, f"{first}\r\nHost: {host}\r\n\r\n".encode()).partition(b"\r\n\r\n")
    status, *headers = head.decode().split("\r\n")
    pairs = dict(line.split(": ", 1) for line in headers)
    return int(status.split()[1]), pairs, body


def test_an_answer_is_sent_with_its_headers_once(port: int, site: Site) -> None:
    status, headers, body = ask(port, "GET /a/b?c=/d HTTP/1.1")
    assert (status, body, site.asked) == (200, b"hello", ["/a/b"])
    assert headers["Content-Type"] == "text/html" and headers["Content-Length"] == "5"
    assert headers["X-More"] == "1" and headers["Connection"] == "close"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in headers


def test_head_gets_the_head_alone(port: int) -> None:
    status, headers, body = ask(port, "HEAD / HTTP/1.0")
    assert (status, headers["Content-Length"], body) == (200, "5", b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT"])
def test_other_methods_are_refused(port: int, site: Site, method: str) -> None:
    status, headers, body = ask(port, f"{method} / HTTP/1.1")
    assert (status, headers["Allow"]) == (405, "GET, HEAD")
    assert body == b"method: expected GET or HEAD.\n" and not site.asked


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:5580", "localhost", "LocalHost:80"])
def test_hosts_of_this_machine_are_answered(port: int, host: str) -> None:
    assert ask(port, "GET / HTTP/1.1", host)[0] == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "127.0.0.1.evil.example", "localhost.evil", "evil@127.0.0.1", ""),
        *("0.0.0.0", "127.0.0.1:5580:1", "127.0.0.1\r\nHost: evil.example"),
    ],
)
def test_a_name_that_was_made_to_point_here_is_refused(port: int, site: Site, host: str) -> None:
    status, _, body = ask(port, "GET / HTTP/1.1", host)
    assert (status, body) == (403, b"Host: expected 127.0.0.1 or localhost.\n")
    assert not site.asked


def test_a_request_without_a_host_is_refused(port: int) -> None:
    assert send(port, b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 403 Forbidden")


@pytest.mark.parametrize(
    "first",
    [
        *("", "GET", "GET /", "get / HTTP/1.1", "GET  / HTTP/1.1", "GET / HTTP/2.0"),
        *("GET http://127.0.0.1/ HTTP/1.1", "GET /\x00 HTTP/1.1", "GET /é HTTP/1.1"),
    ],
)
def test_what_is_no_request_is_refused_in_words(port: int, site: Site, first: str) -> None:
    status, _, body = ask(port, first)
    assert (status, body) == (400, b"request: expected one like GET / HTTP/1.1.\n")
    assert not site.asked


@given(st.binary() | st.text("GET /.%\\\r\n:Host127?\x00").map(str.encode))
def test_any_bytes_are_answered_and_no_page_without_a_host(head: bytes) -> None:
    asked: list[str] = []

    def answer(path: str) -> Answer:
        asked.append(path)
        return Answer("text/plain", b"")

    reply = web._reply(head + b"\r\n\r\n", answer)
    assert reply.startswith(b"HTTP/1.1 ") and b"\r\n\r\n" in reply
    assert not asked or re.search(rb"\r\nhost: *127\.0\.0\.1 *\r\n", head + b"\r\n", re.IGNORECASE)


def test_a_request_without_end_is_cut(port: int, site: Site) -> None:
    endless = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"x" * 8192
    assert b" 431 " in send(port, endless)
    assert not site.asked


def test_who_sends_nothing_is_hung_up_on(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "_PATIENCE_S", 0.01)
    assert send(port, b"") == b""
    assert send(port, b"GET / HTTP/1.1\r\n") == b""


def test_one_too_many_is_hung_up_on_and_the_next_is_answered(
    site: Site, monkeypatch: pytest.MonkeyPatch, until: Any
) -> None:
    monkeypatch.setattr(web, "_AT_ONCE", 2)
    site.hold.clear()
    with Web(site.answer, 0) as there:
        port, answers = int(there.address.rpartition(":")[2]), []
        asking = [
            threading.Thread(target=lambda: answers.append(ask(port, "GET / HTTP/1.1")[0]))
            for _ in range(2)
        ]
        for one in asking:
            one.start()
        until(lambda: len(site.asked) == 2)
        assert send(port, b"") == b""
        site.hold.set()
        for one in asking:
            one.join()
        assert answers == [200, 200]
        until(lambda: there._free._value == 2)
        assert ask(port, "GET / HTTP/1.1")[0] == 200


def test_a_page_that_breaks_is_said_and_logged(port: int, caplog: pytest.LogCaptureFixture) -> None:
    status, _, body = ask(port, "GET /broken HTTP/1.1")
    assert (status, body) == (500, b"This failed; the server's log says why.\n")
    assert "a page that breaks" in caplog.text
    assert ask(port, "GET / HTTP/1.1")[0] == 200


def test_words_are_sent_as_plain_text(port: int) -> None:
    status, headers, body = ask(port, "GET /words HTTP/1.1")
    assert (status, body) == (404, b"Nothing here.\n")
    assert headers["Content-Type"] == "text/plain; charset=utf-8"


def test_the_next_free_port_is_taken(site: Site) -> None:
    with Web(site.answer, 0) as first:
        port = int(first.address.rpartition(":")[2])
        with Web(site.answer, port) as second:
            assert port < int(second.address.rpartition(":")[2]) < port + 20
            assert ask(port, "GET / HTTP/1.1")[0] == 200


def test_where_no_port_is_free_it_says_so(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "_PORTS", 1)
    with Web(site.answer, 0) as first:
        port = int(first.address.rpartition(":")[2])
        with pytest.raises(
            ServerError, match=f"monitor: expected a free port from {port} to {port}, got: Address"
        ):
            Web(site.answer, port)


def test_only_this_machine_can_reach_it(site: Site) -> None:
    with Web(site.answer, 0) as there:
        assert there.server_address[0] == "127.0.0.1"
