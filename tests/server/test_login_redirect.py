"""After a login at Kite the browser brings the token itself; a person may paste it all the same."""

import os
import socket
import threading
import webbrowser
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.client import HTTPConnection
from typing import TextIO
from urllib.parse import parse_qs, urlsplit

import pytest

from server import login_broker
from server.login_broker import log_in
from server.login_redirect import NobodyCameError, Redirect, listening
from tests.server.test_login_broker import Login, kite, login, session
from tests.standins.brokers import KEY, REQUEST_TOKEN, SECRET, TOKEN

__all__ = ["kite", "login"]  # fixtures

ARRIVAL = f"/?action=login&status=success&request_token={REQUEST_TOKEN}&state="


@contextmanager
def typed() -> Generator[tuple[int, TextIO]]:
    """The end at which a person types, and the one that is read."""
    reading, writing = os.pipe()
    with os.fdopen(reading, encoding="utf-8") as lines:
        yield writing, lines


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def port_of(listener: socket.socket) -> int:
    return listener.getsockname()[1]


def browse(port: int, target: str, method: str = "GET") -> tuple[int, str, str | None]:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, target, headers={"Cookie": "x" * 3000})
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), answer.headers["Content-Security-Policy"]
    finally:
        connection.close()


def test_the_link_lets_the_broker_hand_the_state_on(listener: socket.socket) -> None:
    with typed() as (writing, lines):
        os.close(writing)
        redirect = Redirect(listener, lines, monotonic=lambda: 0.0)
        link = redirect.link("https://kite.zerodha.com/connect/login?v=3&api_key=k")
        again = Redirect(listener, lines)
    query = parse_qs(urlsplit(link).query)
    assert query == {"v": ["3"], "api_key": ["k"], "redirect_params": [f"state={redirect.state}"]}
    assert again.state != redirect.state


def test_only_what_brings_the_state_is_taken_and_the_rest_is_answered_and_forgotten(
    listener: socket.socket, capsys: pytest.CaptureFixture[str]
) -> None:
    answers: list[tuple[int, str, str | None]] = []

    def visitors(port: int, state: str) -> None:
        with socket.create_connection(("127.0.0.1", port)) as rude:
            rude.sendall(b"\x16\x03\x01\xff\r\n\r\n")  # as one who tries https
        with socket.create_connection(("127.0.0.1", port)):
            pass  # says nothing
        for target, method in (
            ("/favicon.ico", "GET"),
            (f"{ARRIVAL}wrong", "GET"),
            (f"{ARRIVAL}{state}&state=second", "GET"),
            (f"{ARRIVAL}{state}", "POST"),
            (f"{ARRIVAL}{state}", "GET"),
        ):
            answers.append(browse(port, target, method))

    with typed() as (writing, lines):
        redirect = Redirect(listener, lines, monotonic=lambda: 0.0)
        thread = threading.Thread(target=visitors, args=(port_of(listener), redirect.state))
        thread.start()
        address = redirect.wait("> ")
        thread.join()
        os.close(writing)
    assert address == f"http://127.0.0.1{ARRIVAL}{redirect.state}"
    assert [status for status, *_ in answers] == [404, 404, 404, 404, 200]
    assert {policy for *_, policy in answers} == {"default-src 'none'"}
    assert "You may close this page" in answers[-1][1]
    assert not [body for _, body, _ in answers if REQUEST_TOKEN in body]
    assert REQUEST_TOKEN not in capsys.readouterr().out


def test_a_pasted_line_is_taken_too_and_the_end_of_the_input_ends_the_wait(listener: socket.socket) -> None:
    with typed() as (writing, lines):
        redirect = Redirect(listener, lines, monotonic=lambda: 0.0)
        os.write(writing, b"a-token\n")
        assert redirect.wait("> ") == "a-token\n"
        os.close(writing)
        with pytest.raises(EOFError):
            redirect.wait("> ")


def test_nobody_is_waited_for_longer_than_that(listener: socket.socket) -> None:
    with typed() as (writing, lines):
        redirect = Redirect(listener, lines, monotonic=iter([0.0, 600.0]).__next__)
        with pytest.raises(NobodyCameError, match="Nobody logged in within 10 minutes; nothing was changed"):
            redirect.wait("> ")
        os.close(writing)


def test_without_a_terminal_or_a_free_port_a_person_has_to_paste(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(0) as redirect:
        assert redirect is None  # a test has no terminal
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    with listening(port_of(listener)) as redirect:
        assert redirect is None


async def test_a_login_in_a_terminal_is_done_when_the_browser_is_back(
    login: Login, monkeypatch: pytest.MonkeyPatch, listener: socket.socket
) -> None:
    port = port_of(listener)
    listener.close()
    visits: list[threading.Thread] = []

    def log_in_there(link: str) -> bool:
        """As the person and Kite do, in a browser."""
        [handed_on] = parse_qs(urlsplit(link).query)["redirect_params"]
        target = f"{ARRIVAL.removesuffix('&state=')}&{handed_on}"
        visits.append(threading.Thread(target=browse, args=(port, target)))
        visits[-1].start()
        return True

    monkeypatch.setattr(webbrowser, "open", log_in_there)
    monkeypatch.setattr(login_broker, "listening", partial(listening, port))
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setenv("KITE_API_KEY", KEY)
    monkeypatch.setenv("KITE_API_SECRET", SECRET)
    keyboard, terminal = os.openpty()
    with os.fdopen(terminal, encoding="utf-8") as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        message, succeeded = await log_in(replace(login, ask=_not_asked))
    os.close(keyboard)
    visits[-1].join()
    kept = session(login)
    assert (succeeded, kept and kept.access_token) == (True, TOKEN), message


def _not_asked(prompt: str) -> str:
    raise AssertionError(prompt)
