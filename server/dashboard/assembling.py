"""The page: one HTML file that needs nothing else, and the policy that holds it to that."""

from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable

_SERVER = files("server")
_PAGE = _SERVER / "dashboard" / "page"
# Functions may be used before they are written, constants may not; main.js starts.
_SCRIPTS = (
    "dom.js",
    "format.js",
    "bridge.js",
    "client.js",
    "header.js",
    "lanes.js",
    "timeline.js",
    "troubles.js",
    "board.js",
    "finding.js",
    "dialog.js",
    "verdict.js",
    "task.js",
    "actions.js",
    "main.js",
)


@cache
def dashboard_html() -> str:
    """The page without any data; what it shows it asks the tools for."""
    page = _read(_PAGE / "page.html")
    return page.replace("/* style */", _style()).replace("/* script */", _script())


@cache
def dashboard_csp() -> str:
    """The Content-Security-Policy under which a browser gets the page: its own script and style, its own server."""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src '{_digest(_script())}'",
            f"style-src '{_digest(_style())}'",
            "connect-src 'self'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )


@cache
def _style() -> str:
    return "\n".join([_read(_SERVER / "look" / "base.css"), _read(_PAGE / "style.css")])


@cache
def _script() -> str:
    """All scripts in one scope that nothing else can reach."""
    return "\n".join(['"use strict";', "{", *(_read(_PAGE / name) for name in _SCRIPTS), "}"])


def _digest(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def _read(part: Traversable) -> str:
    return part.read_text("utf-8")
