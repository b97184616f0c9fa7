"""Where the browser arrives after a login at a broker: one address on loopback, open only while the login lasts."""

import hmac
import secrets
import select
import socket
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO
from urllib.parse import parse_qs, urlencode, urlsplit

import anyio

# Registered by nobody; whoever logs in writes it into the settings of the app at the broker, so it stays the same.
PORT = 28417
# A login with a password and a code takes a minute; one that is left alone shall not listen for ever.
PATIENCE_SECONDS = 600.0
_MOST_BYTES = 8192
_PER_REQUEST_SECONDS = 2.0
_HEAD = (
    "Content-Type: text/html; charset=utf-8\r\nCache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n"
    "Content-Security-Policy: default-src 'none'\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n"
)
_ARRIVED = "Stockdesk goes on in the terminal. You may close this page."
_NOT_ASKED = "This is not the login that Stockdesk waits for."


class NobodyCameError(Exception):
    """Neither an arrival nor a line within the time; the message is a sentence."""


@dataclass(slots=True)
class Redirect:
    """Waits for the browser, which must bring `state`, and beside it for a line that a person pastes."""

    listener: socket.socket
    pasted: TextIO
    state: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    monotonic: Callable[[], float] = anyio.current_time

    def link(self, login_url: str) -> str:
        """The address of the login page, told to hand `state` on. Source: `redirect_params` at kite.trade."""
        return f"{login_url}&{urlencode({'redirect_params': urlencode({'state': self.state})})}"

    def wait(self, prompt: str, seconds: float = PATIENCE_SECONDS) -> str:
        """The address at which the browser arrived, or the line, whichever is first.

        Raises:
            NobodyCameError: neither came in time.
            EOFError: the input has ended.
        """
        print(prompt, end="", flush=True)  # noqa: T201 (a prompt)
        end = self.monotonic() + seconds
        while (left := end - self.monotonic()) > 0:
            ready, _, _ = select.select([self.listener, self.pasted], [], [], left)
            if self.pasted in ready:
                if not (line := self.pasted.readline()):
                    raise EOFError
                return line
            if self.listener in ready and (address := self._arrival()) is not None:
                print("The browser is back.", flush=True)  # noqa: T201 (ends the line of the prompt)
                return address
        raise NobodyCameError(f"Nobody logged in within {seconds / 60:g} minutes; nothing was changed.")

    def _arrival(self) -> str | None:
        """Answer one request; its address if it is the login's. Anyone on this machine can send others."""
        connection, _ = self.listener.accept()
        with connection:
            try:
                method, target, *_ = self._request(connection).split(" ", 2)
                is_ours = method == "GET" and self._brings_state(target)
                status, text = ("200 OK", _ARRIVED) if is_ours else ("404 Not Found", _NOT_ASKED)
                body = f"<!doctype html><title>Stockdesk</title><p>{text}"
                head = f"HTTP/1.1 {status}\r\n{_HEAD}Content-Length: {len(body)}\r\n\r\n"
                connection.sendall((head + body).encode())
            except (OSError, ValueError):  # silence, half a request, no text
                return None
        return f"http://127.0.0.1{target}" if is_ours else None

    def _request(self, connection: socket.socket) -> str:
        """All that a browser sends at first: what is left unread would make the system break the answer off."""
        read, end = b"", self.monotonic() + _PER_REQUEST_SECONDS
        while b"\r\n\r\n" not in read:
            connection.settimeout(max(end - self.monotonic(), 0.001))
            if not (part := connection.recv(_MOST_BYTES)) or len(read := read + part) > _MOST_BYTES:
                raise ValueError("half a request, or one without an end")
        return read.decode("ascii")

    def _brings_state(self, target: str) -> bool:
        states = parse_qs(urlsplit(target).query, max_num_fields=20).get("state", [])
        return len(states) == 1 and hmac.compare_digest(states[0].encode(), self.state.encode())


@contextmanager
def listening(port: int = PORT) -> Generator[Redirect | None]:
    """None where nothing can be waited for: without a terminal, on Windows, whose console cannot, or a taken port."""
    if sys.platform == "win32" or not sys.stdin.isatty():
        yield None
        return
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a login right after another
        try:
            listener.bind(("127.0.0.1", port))
            listener.listen()
        except OSError:
            yield None
        else:
            yield Redirect(listener, sys.stdin)
