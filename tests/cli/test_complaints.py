import errno

import pytest
import zmq

from octoverse.cli.complaints import complaint
from octoverse.errors import BadData

WHERE = "Run it again with --debug to see where."


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (BadData("runs: expected episodes, got none."), "runs: expected episodes, got none."),
        (KeyboardInterrupt(), "Stopped."),
        (
            ModuleNotFoundError("No module named 'torch'", name="torch"),
            "This command needs the package 'torch', which is not installed. "
            'Install it with: pip install "octoverse[policy]"',
        ),
        (
            ModuleNotFoundError("No module named 'antigravity'", name="antigravity"),
            f"No module named 'antigravity'. {WHERE}",
        ),
        (
            MemoryError(),
            "The machine's memory is used up. Take a smaller batch or fewer workers.",
        ),
        (
            OSError(errno.EADDRINUSE, "Address already in use"),
            "The port is in use. Stop the other server, or give an address with another port.",
        ),
        (
            zmq.ZMQError(errno.EADDRINUSE),
            "The port is in use. Stop the other server, or give an address with another port.",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            "The disk is full. Free some space, then run it again.",
        ),
        (
            FileNotFoundError(errno.ENOENT, "No such file or directory", "runs/mine"),
            "runs/mine: No such file or directory.",
        ),
        (OSError("the cable is out"), f"the cable is out. {WHERE}"),
        (ValueError("steps must be above 0, got 0."), f"steps must be above 0, got 0. {WHERE}"),
        (ValueError("two\nlines"), f"two lines. {WHERE}"),
        (TypeError("got 2"), f"Unexpected TypeError: got 2. {WHERE}"),
        (AssertionError(), f"Unexpected AssertionError: AssertionError. {WHERE}"),
    ],
)
def test_every_error_is_one_line_with_its_cure(error: BaseException, words: str) -> None:
    assert complaint(error) == words
    assert "\n" not in words
