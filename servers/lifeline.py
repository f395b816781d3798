"""What ties a worker process to the one that started it: it ends when that one does.

The starter holds one end of a pipe. However it ends, even killed, the pipe closes and tells.
"""

import os
import threading
from collections.abc import Callable
from typing import Final

VARIABLE: Final = "OCTOVERSE_LIFELINE"
"""Environment variable with the number of the pipe's end in the worker."""
_LAST_S = 30.0
"""How long a worker may take to end by itself."""


class Lifeline:
    """The starter's side: pass `end` on to the process, and keep this until it shall end."""

    def __init__(self) -> None:
        self.end, self._held = os.pipe()
        self.environment = {VARIABLE: str(self.end)}

    def passed_on(self) -> None:
        """The process has its end; close ours of it."""
        os.close(self.end)

    def cut(self) -> None:
        """Tell the process to end; once more does nothing."""
        if self._held >= 0:
            os.close(self._held)
            self._held = -1


def when_cut(end: Callable[[], None]) -> None:
    """Call `end` when the process that started this one cuts the line, or is gone.

    A process that has not ended half a minute later, because its policy hangs, is ended the hard
    way. Does nothing in a process that was started without a lifeline.
    """
    number = os.environ.pop(VARIABLE, "")
    if not number:
        return

    def wait() -> None:
        os.read(int(number), 1)
        last = threading.Timer(_LAST_S, os._exit, (1,))
        last.daemon = True
        last.start()
        end()

    threading.Thread(target=wait, name="lifeline", daemon=True).start()
