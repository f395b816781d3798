from typing import Any

from octoverse import registry
from octoverse.data.lerobot.python_text import python_text
from octoverse.data.standard import Standard, Taken


def test_what_is_written_makes_the_same_again() -> None:
    for name in ("widowx", "unitree_g1", "passenger_car"):
        body = registry.load("embodiment", name)
        standard = Standard(
            embodiment=name,
            observation={"a": Taken(feature="x", start=1, stop=4)},
            action={"b": Taken(features=("y", "z"))},
        )
        text = python_text(BODY=body, STANDARD=standard)
        made: dict[str, Any] = {}
        exec(text, made)
        assert (made["BODY"], made["STANDARD"]) == (body, standard)


def test_equal_numbers_and_defaults_are_short() -> None:
    text = python_text(BODY=registry.load("embodiment", "unitree_g1"))
    assert "units=('rad',) * 14" in text
    assert "optional" not in text
