"""How a worker process lives: exactly as long as the process that it works for."""

import os
import signal
import threading
from multiprocessing import parent_process


def live_with_parent() -> None:
    """In a worker: leave Ctrl-C to the parent, and end when the parent ends, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
