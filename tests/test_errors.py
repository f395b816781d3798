import inspect
import re

import pytest

from octoverse import errors
from octoverse.errors import MissingExtra, OctoverseError, RemoteError, UnknownName

KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, OctoverseError)
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_is_in_the_tree_at_the_top_of_the_file(kind: type) -> None:
    assert re.search(rf"- {kind.__name__}\b", errors.__doc__ or "")


def test_the_tree_names_no_error_that_is_not_there() -> None:
    named = set(re.findall(r"- (\w+)", errors.__doc__ or ""))
    assert named == {kind.__name__ for kind in KINDS}


def test_an_unknown_name_suggests_the_nearest_and_lists_all() -> None:
    error = UnknownName("embodiment", "ur6", ["ur5", "aloha"])
    assert str(error) == "No embodiment named 'ur6'. Did you mean 'ur5'? Known: aloha, ur5."
    assert (error.kind, error.name, error.known) == ("embodiment", "ur6", ["aloha", "ur5"])


def test_an_unknown_name_far_from_all_suggests_nothing() -> None:
    assert str(UnknownName("readout", "zzz", ["bins"])) == "No readout named 'zzz'. Known: bins."


def test_where_nothing_is_known_it_says_so() -> None:
    assert str(UnknownName("source", "x", [])) == "No source named 'x'. Known: none."


def test_a_missing_package_comes_with_the_command_that_installs_it() -> None:
    assert str(MissingExtra("Training", "torch", "policy")) == (
        "Training needs the package 'torch', which is not installed. "
        'Install it with: pip install "octoverse[policy]"'
    )


def test_a_remote_error_keeps_its_code_and_says_the_cure() -> None:
    error = RemoteError("stale", "The observation came too late.", "Send it sooner.")
    assert str(error) == "The observation came too late. Send it sooner."
    assert error.code == "stale"
    assert str(RemoteError("bad", "It is wrong.")) == "It is wrong."
