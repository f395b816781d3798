import pytest
import zmq

from octoverse.errors import ServerError
from octoverse.servers.address import bind, checked_address, is_loopback

BEYOND = ["tcp://0.0.0.0:5555", "tcp://*:5555", "tcp://10.0.0.7:*", "tcp://robots.example:1"]


@pytest.mark.parametrize("address", ["5555", "tcp://127.0.0.1", "ipc:///tmp/x", "tcp://a:b"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ServerError, match=f"expected tcp://127.0.0.1:PORT, got {address}"):
        checked_address(address, keys=True)
    assert not is_loopback(address)


@pytest.mark.parametrize("address", BEYOND)
def test_other_machines_need_keys_or_an_explicit_word(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ServerError) as caught:
        checked_address(address)
    for words in (f"got {address} without", "`octoverse keys new server`", "--keys", "--insecure"):
        assert words in str(caught.value)
    assert checked_address(address, keys=True) == address
    assert not caplog.text
    assert checked_address(address, insecure=True) == address
    assert f"{address}: anybody who can reach it may use this server, unencrypted" in caplog.text


def test_this_machine_needs_none(caplog: pytest.LogCaptureFixture) -> None:
    assert checked_address("tcp://127.0.0.1:*", insecure=True) == "tcp://127.0.0.1:*"
    assert checked_address("tcp://localhost:0") == "tcp://127.0.0.1:0"
    assert is_loopback("tcp://127.1.2.3:7") and is_loopback("tcp://localhost:7")
    assert not caplog.text


def test_a_port_in_use_is_said_with_the_cure() -> None:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as one:
        bind(one, "tcp://127.0.0.1:*")
        taken = one.getsockopt_string(zmq.LAST_ENDPOINT)
        with context.socket(zmq.ROUTER) as other:
            with pytest.raises(ServerError, match=f"{taken}: expected a free port, got: Address"):
                bind(other, taken)
