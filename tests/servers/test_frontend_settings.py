from typing import Any

import msgspec
import pytest

from octoverse.errors import ServerError
from octoverse.servers.frontend_settings import Settings

KEY = "a-key-of-many-letters"


def _settings(**changes: Any) -> Settings:
    told = {"frontend": "openpi", "body": "arm", "address": "127.0.0.1:8000"}
    return msgspec.convert(told | {"observation": {}, "action": {}} | changes, Settings)


def test_an_address_is_a_host_and_a_port() -> None:
    assert _settings().place == ("127.0.0.1", 8000)
    assert _settings(address="localhost:0").place == ("127.0.0.1", 0)
    for address in ("8000", "tcp://127.0.0.1:8000", "127.0.0.1:99999", ":8000"):
        with pytest.raises(ServerError, match=f"address: expected HOST:PORT, got {address}"):
            _ = _settings(address=address).place


def test_other_machines_need_keys() -> None:
    with pytest.raises(ServerError, match=r"loopback .* got 0.0.0.0:8000. Name `api_keys`"):
        _ = _settings(address="0.0.0.0:8000").place
    assert _settings(address="0.0.0.0:8000", api_keys=[KEY]).place == ("0.0.0.0", 8000)


def test_keys_are_asked_for_where_there_are_some() -> None:
    assert _settings().admits("") and _settings().admits("anything")
    guarded = _settings(api_keys=["another-key-of-many", KEY])
    assert guarded.admits(KEY)
    assert not any(map(guarded.admits, ["", KEY[:-1], KEY + "x", "schlüssel"]))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"api_keys": ["short"]}, "Expected `str` of length >= 16"),
        ({"observations": {}}, "unknown field `observations`"),
        ({"grippers": {"action": {"a.b": {"open": 1.0, "closed": 1.0}}}}, "must differ, both are"),
        ({"observation": {"a": 3}}, "Expected `str | array`, got `int`"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        _settings(**changes)
    assert words in str(caught.value)
