import pytest

from octoverse.errors import BadData
from octoverse.interop.octo_spec import Spec


def spec(**arguments: object) -> Spec:
    return Spec({"module": "m", "name": "Head", "args": [], "kwargs": arguments}, "config: head")


def test_every_argument_is_asked_for_once() -> None:
    one = spec(size=3)
    assert one.name == "Head"
    assert one.take("size") == 3 and one.take("other", 7) == 7
    one.finish()


def test_an_argument_that_nobody_asked_for_is_refused() -> None:
    one = spec(size=3, colour="red")
    one.take("size")
    with pytest.raises(BadData, match="config: head: Head has the setting 'colour', which is not"):
        one.finish()


def test_a_missing_argument_is_named() -> None:
    with pytest.raises(
        BadData, match="config: head: expected the setting 'size' of Head, got none"
    ):
        spec().take("size")


def test_only_one_value_may_be_allowed() -> None:
    spec(film=False).only("film", False, "It is not built.")
    spec().only("film", False, "It is not built.")
    with pytest.raises(BadData, match=r"head\.film: expected False, got True\. It is not built\."):
        spec(film=True).only("film", False, "It is not built.")


@pytest.mark.parametrize(
    "value",
    [None, [], {"module": "m"}, {"module": "m", "name": 3, "args": [], "kwargs": {}}],
)
def test_what_is_no_spec_is_refused(value: object) -> None:
    with pytest.raises(BadData, match="here: expected a part with module, name, args and kwargs"):
        Spec(value, "here")


def test_arguments_without_names_are_refused() -> None:
    with pytest.raises(BadData, match=r"here: expected settings by name, got \[1\] without names"):
        Spec({"module": "m", "name": "n", "args": [1], "kwargs": {}}, "here")
    with pytest.raises(BadData, match="here: expected settings by name, got NoneType"):
        Spec.of("Model", None, "here")
