"""Serve clients of openpi, unmodified: its websocket and its msgpack, over the same batcher.

Each connection is one robot with a session of its own. One thread has all connections and waits
for nobody, so what many robots ask together is computed together.
"""

import asyncio
import http
import logging
import threading
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.http11 import Request, Response

from octoverse.errors import BadMessage, OctoverseError, RemoteError, ServerError
from octoverse.servers import numpy_msgpack
from octoverse.servers.frontend import Frontend
from octoverse.servers.frontend_settings import Settings
from octoverse.servers.guest import Guest
from octoverse.servers.service import Service

logger = logging.getLogger(__name__)

_Answer = Mapping[str, np.ndarray] | RemoteError
_KEY = "Api-Key "
_QUIET = logging.getLogger(f"{__name__}.websockets")
_QUIET.setLevel(logging.CRITICAL)  # it would tell every connection, and trace every bad one


class OpenpiFrontend(Frontend):
    """Serves openpi's clients until stopped; see Frontend."""

    def __init__(self, service: Service, settings: Settings) -> None:
        super().__init__(service, settings)
        self._connections = 0
        self._ready = threading.Event()
        self._trouble: Exception | None = None
        self._waiting: set[asyncio.Future[_Answer]] = set()
        self._thread = threading.Thread(target=self._run, name="openpi", daemon=True)

    def start(self) -> "OpenpiFrontend":
        """Listen, in a thread of its own.

        Raises:
            ServerError: if the address is not allowed, or the port is in use.
        """
        self._place = self.settings.place
        self._thread.start()
        self._ready.wait()
        if self._trouble is not None:
            self._thread.join()
            raise ServerError(
                f"{self.address}: expected a free port, got: {self._trouble}. Stop the server "
                "that has it, or name another one in the frontend's file."
            ) from self._trouble
        logger.info("openpi's clients are served", extra={"address": self.address})
        return self

    def stop(self) -> None:
        """Close all connections."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        try:
            server = await serve(
                self._talk,
                *self._place,
                process_request=self._admit,
                origins=[None],  # a page in somebody's browser has one
                compression=None,
                max_size=self.service.limits.message_bytes,
                max_queue=1,
                server_header=None,
                logger=_QUIET,
            )
        except Exception as error:
            self._trouble = error
            self._ready.set()
            return
        async with server:
            host, port = server.sockets[0].getsockname()
            self.address = f"{host}:{port}"
            self._ready.set()
            await self._stopping.wait()
            for future in self._waiting:
                _resolve(future, RemoteError("stopping", "The frontend stops."))

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        if request.path == "/healthz":
            return connection.respond(http.HTTPStatus.OK, "OK\n")
        told = request.headers.get("Authorization", "")
        if not self.settings.admits(told.removeprefix(_KEY)):
            return connection.respond(
                http.HTTPStatus.UNAUTHORIZED,
                "api_key: expected one of those in the frontend's file, got none or another.\n",
            )
        limit = self.service.limits.connections
        if self._connections >= limit:
            return connection.respond(
                http.HTTPStatus.SERVICE_UNAVAILABLE,
                f"connections: expected at most {limit}, all of them in use.\n",
            )
        return None

    async def _talk(self, connection: ServerConnection) -> None:
        guest = Guest(self.service, self.key_map, "openpi")
        self._connections += 1
        try:
            await connection.send(numpy_msgpack.write_openpi(self._metadata()))
            total_s = None
            async for message in connection:
                began = time.monotonic()
                try:
                    actions = await self._actions(guest, message)
                except BadMessage as error:
                    await connection.send(str(error))
                    await connection.close(CloseCode.INVALID_DATA, "not a message of openpi's")
                    return
                except OctoverseError as error:
                    await connection.send(str(error))
                    continue
                timing = {"infer_ms": 1000 * (time.monotonic() - began)}
                if total_s is not None:
                    timing["prev_total_ms"] = 1000 * total_s
                answer = {**actions, "server_timing": timing}
                await connection.send(numpy_msgpack.write_openpi(answer))
                total_s = time.monotonic() - began
        except ConnectionClosed:
            pass
        except Exception:
            logger.exception("a connection of openpi's broke")
        finally:
            self._connections -= 1
            guest.leave()

    async def _actions(self, guest: Guest, message: str | bytes) -> Mapping[str, np.ndarray]:
        if isinstance(message, str):
            raise BadMessage("message: expected msgpack in a binary message, got a text.")
        observation = numpy_msgpack.read(message)
        if not isinstance(observation, dict):
            raise BadMessage(
                f"message: expected a map of observations, got a {type(observation).__name__}."
            )
        future: asyncio.Future[_Answer] = self._loop.create_future()
        guest.ask(flat(observation), len(message), partial(self._tell, future))
        self._waiting.add(future)
        answer = await future
        self._waiting.remove(future)
        if isinstance(answer, RemoteError):
            raise answer
        return answer

    def _tell(self, future: "asyncio.Future[_Answer]", answer: _Answer) -> None:
        try:
            self._loop.call_soon_threadsafe(_resolve, future, answer)
        except RuntimeError:
            pass  # stopped meanwhile, and the connection is closed

    def _metadata(self) -> dict[str, Any]:
        body = self.key_map.body
        return {
            "model": self.service.policy.model,
            "body": body.name,
            "control_hz": body.control_hz,
            "horizons": self.key_map.horizons,
        }


def _resolve(future: "asyncio.Future[_Answer]", answer: _Answer) -> None:
    if not future.done():
        future.set_result(answer)


def flat(observation: Mapping[Any, Any], above: str = "") -> dict[str, Any]:
    """Name what lies in maps within maps by its path, as openpi's transforms do: images/front."""
    found: dict[str, Any] = {}
    for key, value in observation.items():
        path = f"{above}{key}"
        if isinstance(value, dict):
            found |= flat(value, f"{path}/")
        else:
            found[path] = value
    return found
