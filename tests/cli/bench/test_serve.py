import os
import re
import signal
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from octoverse.cli.bench.serve import serve
from octoverse.embodiments.tabletop_arm import TABLETOP_ARM
from octoverse.errors import BadConfig, OctoverseError, ServerUnreachable, UnknownName

Still = Callable[..., tuple[Any, str]]


def test_it_tells_what_a_server_did(still: Still, capsys: pytest.CaptureFixture[str]) -> None:
    policy, address = still()
    serve(address, clients=2, seconds=1.0, rate=20.0, jpeg=True, timeout=60.0)
    shown = capsys.readouterr().out
    assert f"still-1 at {address}: 2 tabletop_arm in " in shown
    assert "20 Hz each" in shown
    found = re.search(r"(\d+) answers in 1\.0 s: (\d+)\.0 requests/s", shown)
    assert found is not None
    assert found[1] == found[2]
    assert 0 < int(found[1]) <= min(len(policy.seen) - 2, 40)
    assert "not answered: 0 overloaded, 0 stale, 0 lost" in shown
    assert re.search(r"round trip +\d+\.\d\d +\d+\.\d\d +\d+\.\d\d", shown)
    assert "of a fair share: the slowest client " in shown


def test_ctrl_c_ends_it_with_what_was_measured(
    still: Still, capsys: pytest.CaptureFixture[str]
) -> None:
    policy, address = still()
    before = signal.getsignal(signal.SIGINT)

    def press() -> None:
        if len(policy.seen) > 20:
            policy.answer = lambda: None
            os.kill(os.getpid(), signal.SIGINT)

    policy.answer = press
    serve(address, clients=1, seconds=600.0, timeout=60.0)
    assert signal.getsignal(signal.SIGINT) is before
    shown = capsys.readouterr().out
    found = re.search(r"(\d+) answers in (\d+\.\d) s", shown)
    assert found is not None
    assert int(found[1]) == len(policy.seen) - 1
    assert float(found[2]) < 600
    assert "as fast as they go" in shown


def test_without_a_server_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("octoverse.cli.bench.serve._PATIENCE_S", 0.1)
    with pytest.raises(ServerUnreachable, match="expected a policy server, got no connection"):
        serve("tcp://127.0.0.1:9")


def test_a_body_that_cannot_be_is_refused(still: Still) -> None:
    own = msgspec.structs.replace(TABLETOP_ARM, name="homemade")
    _, address = still({"homemade": own})
    with pytest.raises(BadConfig, match=r"that the server knows \(homemade\) to be installed here"):
        serve(address)
    with pytest.raises(UnknownName, match=r"tabletop_arn.*Did you mean 'tabletop_arm'"):
        serve(address, body="tabletop_arn")
    with pytest.raises(OctoverseError, match=r"No body of still-1 named 'road_car'"):
        serve(address, body="road_car", clients=1)


@pytest.mark.parametrize(
    "settings", [{"clients": 0}, {"seconds": 0.0}, {"timeout": float("nan")}, {"rate": 0.0}]
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(BadConfig, match="clients must be at least 1, seconds, timeout and rate"):
        serve(**settings)
