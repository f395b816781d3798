"""What a person reads when a command fails: one line that says what to do."""

import errno

from octoverse.errors import OctoverseError
from octoverse.registry import missing_extra

_WHERE = "Run it again with --debug to see where."


def complaint(error: BaseException) -> str:
    """Put an error into one line for the person at the terminal."""
    if isinstance(error, OctoverseError):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return "Stopped."
    if isinstance(error, ModuleNotFoundError):
        missing = missing_extra("This command", error)
        return str(missing) if missing else f"{_sentence(error)} {_WHERE}"
    if isinstance(error, MemoryError):
        return "The machine's memory is used up. Take a smaller batch or fewer workers."
    if getattr(error, "errno", None) == errno.EADDRINUSE:  # of OSError and ZMQError alike
        return "The port is in use. Stop the other server, or give an address with another port."
    if isinstance(error, OSError):
        return _system(error)
    if isinstance(error, ValueError):
        return f"{_sentence(error)} {_WHERE}"
    return f"Unexpected {type(error).__name__}: {_sentence(error)} {_WHERE}"


def _system(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return "The disk is full. Free some space, then run it again."
    if error.filename is not None:
        return f"{error.filename}: {error.strerror}."
    return f"{_sentence(error)} {_WHERE}"


def _sentence(error: BaseException) -> str:
    words = " ".join(str(error).split()) or type(error).__name__
    return words if words.endswith((".", "!", "?")) else words + "."
