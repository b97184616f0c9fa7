import socket
from pathlib import Path

import pytest

from server.http.listening import Address
from server.settings import SettingsError


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_loopback_needs_nothing_else(host: str) -> None:
    with Address(host, 0).listen() as listening:
        port = listening.getsockname()[1]
        with socket.create_connection((host, port)):
            pass
        assert Address(host, 0).url(port) == f"http://{host}:{port}/mcp"


def test_an_answer_waits_for_no_acknowledgement() -> None:
    with Address(port=0).listen() as listening, socket.create_connection(listening.getsockname()):
        connection, _ = listening.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "::ffff:192.0.2.1"])
def test_without_tls_other_machines_must_be_let_in_explicitly(host: str) -> None:
    with pytest.raises(SettingsError, match=rf"--host {host}, .*add --tls-cert .*--allow-insecure"):
        Address(host, 0).listen()


def test_a_server_at_every_address_must_know_its_name() -> None:
    with pytest.raises(SettingsError, match="--allowed-host"):
        Address("0.0.0.0", 0, allow_insecure=True).listen()
    named = Address("0.0.0.0", 0, ("desk.example",), allow_insecure=True)
    with named.listen() as listening:
        assert listening.getsockname()[0] == "0.0.0.0"
    assert named.url(80) == "http://desk.example:80/mcp"


def test_a_port_in_use_is_named() -> None:
    with Address(port=0).listen() as first:
        port = first.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"127.0.0.1:{port} .*in use.*another --host or --port"):
            Address(port=port).listen()


def test_a_name_that_nobody_knows_is_named() -> None:
    with pytest.raises(SettingsError, match=r"\[no:such\]:7853 .*; choose another"):
        Address("no:such").listen()


def test_a_certificate_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    no_pem = tmp_path / "cert.pem"
    no_pem.write_text("nothing")
    for certificate in (no_pem, tmp_path / "missing.pem"):
        with pytest.raises(SettingsError, match=rf"{certificate}, .*key in the same file, cannot be used"):
            Address(tls_cert=certificate).tls()
    with pytest.raises(SettingsError, match=r"--tls-key .* needs its certificate"):
        Address(tls_key=no_pem).tls()
