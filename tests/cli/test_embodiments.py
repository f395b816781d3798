from pathlib import Path
from types import SimpleNamespace

import pytest

from octoverse import registry
from octoverse.cli.main import run
from octoverse.errors import OctoverseError

Capture = pytest.CaptureFixture[str]


def test_the_list_has_a_line_for_every_body(capsys: Capture) -> None:
    assert run(["embodiments", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == [
        *("name", "control", "Hz", "sees", "moves", "fingerprint", "package"),
    ]
    found = {line.split()[0]: line for line in lines[1:]}
    for name in registry.names("embodiment"):
        body = registry.load("embodiment", name)
        assert body.fingerprint in found[name] and f" {body.control_hz:g} " in found[name]
    assert "octoverse" in found["widowx"]
    assert "arm (end effector delta), gripper (gripper)" in found["widowx"]


def test_a_broken_body_does_not_hide_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    load = registry.load

    def half(kind: registry.Kind, name: str) -> object:
        if name == "panda":
            raise OctoverseError("The embodiment 'panda' cannot be loaded.")
        return load(kind, name)

    monkeypatch.setattr(registry, "load", half)
    assert run(["embodiments", "list"]) == 1
    shown = capsys.readouterr()
    assert "widowx" in shown.out and "panda" not in shown.out
    assert shown.err == "octoverse: The embodiment 'panda' cannot be loaded.\n"


def test_show_gives_every_number_with_its_unit_and_limits(capsys: Capture) -> None:
    assert run(["embodiments", "show", "road_car"]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[0].startswith("road_car 10 Hz ")
    assert "when actions stop coming: brake along the last path at 3 m/s^2" in lines
    assert "│ front │ camera │ uint8 RGB 96 x 96, front │ yes │" in lines
    assert any("x [m], y [m], heading [rad] at 10 Hz" in line for line in lines)
    assert "│ path │ waypoints │ float32 (30, 3) at 10 Hz │" in lines
    assert "│ path.heading │ rad │ -6.3 │ 6.3 │" in lines
    assert "│ speed.speed │ m/s │ -1 │ 60 │" in lines


@pytest.mark.parametrize("name", registry.names("embodiment"))
def test_every_body_can_be_shown(name: str, capsys: Capture) -> None:
    assert run(["embodiments", "show", name]) == 0
    shown = capsys.readouterr().out
    body = registry.load("embodiment", name)
    assert all(part in shown for part in [*body.observation, *body.action])


def test_an_unknown_body_suggests_the_nearest(capsys: Capture) -> None:
    assert run(["embodiments", "show", "widow"]) == 1
    assert "No embodiment named 'widow'. Did you mean 'widowx'?" in capsys.readouterr().err


def test_new_says_what_to_do_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["embodiments", "new", "my_arm"]) == 0
    shown = capsys.readouterr().out
    assert "pip install -e ./octoverse-my-arm" in shown
    assert "octoverse embodiments check my_arm" in shown
    assert (tmp_path / "octoverse-my-arm/octoverse_my_arm/embodiment.py").exists()


def test_a_body_of_somebody_else_is_listed_with_their_package(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    entry = registry._entries("embodiment")["widowx"]
    other = SimpleNamespace(load=entry.load, value=entry.value, dist=SimpleNamespace(name="theirs"))
    monkeypatch.setattr(registry, "_entries", lambda kind: {"widowx": other})
    assert run(["embodiments", "list"]) == 0
    assert capsys.readouterr().out.split()[-1] == "theirs"
