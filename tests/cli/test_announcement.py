import io
import re
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from octoverse import checkpoint as checkpoints
from octoverse import registry
from octoverse.cli.announcement import announcement
from octoverse.embodiment import Embodiment

BODIES = {name: registry.load("embodiment", name) for name in registry.names("embodiment")}
PLACES = {"page": "http://127.0.0.1:5580, with /metrics and /health"}


def policy_of(bodies: Mapping[str, Embodiment]) -> Any:
    return SimpleNamespace(
        model="many-1",
        statistics="; ".join(f"{name} 0123abcd" for name in bodies),
        frames=1,
        bodies=bodies,
        camera_sizes={n: {c: (224, 224) for c in b.cameras} for n, b in bodies.items()},
        horizons={n: dict.fromkeys(b.action, 16) for n, b in bodies.items()},
    )


def lines(policy: Any, width: int = 100) -> list[str]:
    console = Console(width=width, file=io.StringIO())
    console.print(announcement(policy, "tcp://127.0.0.1:5", PLACES))
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_it_says_what_is_served_where_and_for_whom(small_checkpoint: Path) -> None:
    policy = checkpoints.load(small_checkpoint)
    said = lines(policy)
    assert said[1:6] == [
        f"serves      {policy.model}",
        f"statistics  {policy.statistics}"[:100],
        "sees        1 frame at a time",
        "robots      tcp://127.0.0.1:5",
        "page        http://127.0.0.1:5580, with /metrics and /health",
    ]
    [arm] = [line for line in said if line.startswith("tabletop_arm")]
    [car] = [line for line in said if line.startswith("road_car")]
    assert "10   table 16x16, wrist 16x16, tool, instruction" in arm
    assert arm.endswith("arm 4, gripper 4") and car.endswith("path 30")
    assert '  with Client("tcp://127.0.0.1:5", body) as robot:' in said
    assert said[-1] == "Stop with Ctrl-C. What it has taken is answered first."


def test_it_says_how_to_connect_with_keys_from_elsewhere(
    small_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("octoverse.cli.announcement.gethostname", lambda: "factory")
    console = Console(width=100, file=io.StringIO())
    policy = checkpoints.load(small_checkpoint)
    console.print(announcement(policy, "tcp://0.0.0.0:5", {}, "server"))
    assert isinstance(console.file, io.StringIO)
    said = console.file.getvalue()
    assert "  from octoverse.servers.keys import ClientKeys\n" in said
    assert '  keys = ClientKeys.load("NAME.key", "server.pub")\n' in said
    assert '  with Client("tcp://factory:5", body, keys=keys) as robot:\n' in said


@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize("count", [1, 12])
def test_few_bodies_have_a_line_each(count: int, width: int) -> None:
    chosen = dict(list(BODIES.items())[:count])
    said = lines(policy_of(chosen), width)
    assert len(said) == 18 + count
    for name, body in chosen.items():
        [line] = [one for one in said if re.match(rf"{name} +{body.control_hz:g}  ", one)]
        assert line.partition(name)[2].strip(), line


def test_thirty_bodies_fit_one_screen() -> None:
    said = lines(policy_of(BODIES))
    assert len(BODIES) >= 30 and len(said) <= 36
    text = " ".join(" ".join(said).split())
    for name, body in BODIES.items():
        assert f"{name} {body.control_hz:g} Hz" in text
