import pytest

from api.operations.errors import OperationError
from api.server.sockets import listen


def test_port_0_takes_a_free_port():
    with listen("127.0.0.1", 0) as first, listen("127.0.0.1", 0) as second:
        assert 0 < first.getsockname()[1] != second.getsockname()[1] > 0


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_listen_fails_and_names_the_flag_when_the_port_is_in_use(host):
    with listen(host, 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OperationError, match=f"port {port} of {host} is in use.*another port with --metrics-port"):
            listen(host, port, flag="--metrics-port")


@pytest.mark.parametrize("host", ["no such host", "192.0.2.1"])
def test_listen_fails_when_the_address_is_remote(host):
    with pytest.raises(OperationError, match=r"--host \(TOKEN_LEDGER_HOST\): .* is not an address of this machine"):
        listen(host, 0)
