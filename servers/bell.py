"""Wake a thread that polls sockets, from any other thread."""

import socket


class Bell:
    """A bell that a poller hears: register it, and `silence` it once it is heard."""

    def __init__(self) -> None:
        self._hammer, self._ear = socket.socketpair()
        self._hammer.setblocking(False)
        self._ear.setblocking(False)

    def fileno(self) -> int:
        """What a poller watches."""
        return self._ear.fileno()

    def ring(self) -> None:
        """Wake the thread that polls; never waits."""
        try:
            self._hammer.send(b"\0")
        except OSError:
            pass  # it is ringing already, or nobody is there to hear it

    def silence(self) -> None:
        """Be ready to hear it again."""
        try:
            self._ear.recv(4096)
        except BlockingIOError:
            pass

    def close(self) -> None:
        """Take it down; ringing it afterwards does nothing."""
        self._hammer.close()
        self._ear.close()
