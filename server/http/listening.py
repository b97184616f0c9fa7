"""Where an HTTP server listens, and who can reach it there."""

import socket
import ssl
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from server.settings import SettingsError


@dataclass(frozen=True, slots=True)
class Address:
    """`allowed_hosts` are further names by which clients call this server."""

    host: str = "127.0.0.1"
    port: int = 7853  # S, T, K, D on a telephone's keys
    allowed_hosts: tuple[str, ...] = ()
    tls_cert: Path | None = None
    tls_key: Path | None = None
    allow_insecure: bool = False

    def listen(self) -> socket.socket:
        """A socket at which clients can connect from now on.

        Raises:
            SettingsError: the address cannot be used, or not safely.
        """
        try:
            family, _, _, _, place = socket.getaddrinfo(
                self.host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            self._require_safe(str(place[0]))
            listening = socket.create_server(place, family=family)
        except (OSError, UnicodeError) as error:
            raise SettingsError(
                f"Nothing can listen at {_bracketed(self.host)}:{self.port} ({error}); choose another --host or --port."
            ) from error
        # Each connection inherits it. asyncio sets it only where a socket names its protocol, which this one does not;
        # without it the body of an answer waits up to 40 ms until the client has acknowledged the head.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening

    def _require_safe(self, address: str) -> None:
        ip = ip_address(address.partition("%")[0])
        if ip.is_loopback:
            return
        if self.tls_cert is None and not self.allow_insecure:
            raise SettingsError(
                f"Other machines can reach --host {self.host}, and without TLS whoever is on the way reads the token: "
                "add --tls-cert and --tls-key, or --allow-insecure where a tunnel or a proxy encrypts."
            )
        if ip.is_unspecified and not self.allowed_hosts:
            raise SettingsError(
                f"--host {self.host} is every address of this machine: add --allowed-host with the name by which "
                "clients call it."
            )

    def tls(self) -> ssl.SSLContext | None:
        """None where there is no certificate.

        Raises:
            SettingsError: certificate or key cannot be used.
        """
        if self.tls_cert is None:
            if self.tls_key is not None:
                raise SettingsError(f"--tls-key {self.tls_key} needs its certificate: add --tls-cert.")
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            # An empty password, for nobody may be there to be asked for one.
            context.load_cert_chain(self.tls_cert, self.tls_key, password="")
        except OSError as error:  # ssl.SSLError is one
            raise SettingsError(
                f"--tls-cert {self.tls_cert}, with its key in {self.tls_key or 'the same file'}, cannot be used "
                f"({error}); both must be PEM, and the key without a password."
            ) from error
        return context

    def url(self, port: int) -> str:
        """The URL for clients, where `port` is that of the socket."""
        scheme = "http" if self.tls_cert is None else "https"
        return f"{scheme}://{_bracketed((*self.allowed_hosts, self.host)[0])}:{port}/mcp"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
