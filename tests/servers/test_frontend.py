from pathlib import Path
from typing import Any, Self

import pytest

from octoverse import registry
from octoverse.errors import BadConfig, UnknownName
from octoverse.servers import frontend
from octoverse.servers.frontend import Frontend
from octoverse.servers.service import Service

MAP = """
frontend = "stranger"
body = "tabletop_arm"
address = "127.0.0.1:0"

[observation]
table = "front"
wrist = "wrist"
tool = "state"
instruction = "prompt"

[action]
actions = ["arm", "gripper"]
"""


class Stranger(Frontend):
    def start(self) -> Self:
        self.address = "127.0.0.1:1234"
        return self

    def stop(self) -> None:
        self.address = ""


@pytest.fixture
def service(servo: Any, monkeypatch: pytest.MonkeyPatch) -> Service:
    load = registry.load

    def known(kind: registry.Kind, name: str) -> Any:
        return Stranger if name == "stranger" else load(kind, name)

    monkeypatch.setattr(registry, "load", known)
    return Service(servo())


def test_a_file_names_a_frontend_by_its_entry_point(service: Service, tmp_path: Path) -> None:
    (tmp_path / "map.toml").write_text(MAP)
    with frontend.load(tmp_path / "map.toml", service) as found:
        assert isinstance(found, Stranger) and found.service is service
        assert found.key_map.horizons == {"actions": 6}
        assert (found.name, found.address) == ("stranger tabletop_arm", "127.0.0.1:1234")
    assert found.address == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("body = ", "map.toml: expected a file of TOML, got: Invalid value"),
        ("frontend = 'zeromq'", "got 'zeromq', which speaks octoverse's own protocol. It needs no"),
        ("frontend = 'stranger'", "map.toml: Object missing required field `body`"),
        (MAP + "\n[act]", "map.toml: Object contains unknown field `act`"),
        (MAP.replace('wrist = "wrist"', ""), "observation.wrist: expected the client's key"),
    ],
)
def test_a_file_that_is_not_sound_is_refused(
    service: Service, tmp_path: Path, text: str, words: str
) -> None:
    (tmp_path / "map.toml").write_text(text)
    with pytest.raises(BadConfig) as caught:
        frontend.load(tmp_path / "map.toml", service)
    assert words in str(caught.value)


def test_a_frontend_that_there_is_not_is_refused(service: Service, tmp_path: Path) -> None:
    (tmp_path / "map.toml").write_text("frontend = 'zeromk'")
    with pytest.raises(UnknownName, match=r"No server named 'zeromk'\. Did you mean 'zeromq'"):
        frontend.load(tmp_path / "map.toml", service)


def test_a_file_that_there_is_not_is_refused(service: Service, tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"expected a file of TOML, got: .* No such file"):
        frontend.load(tmp_path / "none.toml", service)


def test_keys_are_not_shown_to_others(service: Service, tmp_path: Path) -> None:
    path = tmp_path / "map.toml"
    path.write_text('api_keys = ["a-key-of-many-letters"]\n' + MAP)
    path.chmod(0o644)
    with pytest.raises(BadConfig, match=r"others may read. Run: chmod 600 .*map.toml"):
        frontend.load(path, service)
    path.chmod(0o600)
    assert frontend.load(path, service).settings.admits("a-key-of-many-letters")
