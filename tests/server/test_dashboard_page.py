"""The page as it is delivered: what a browser does with it is in tests/pages."""

import re
import shutil
import subprocess
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import pytest

from server.dashboard.assembling import dashboard_csp, dashboard_html

MOST_BYTES = 100_000
# It names the language of what is drawn, and is never fetched.
SVG_NAMESPACE = "http://www.w3.org/2000/svg"


class Parts(HTMLParser):
    """Every element with its attributes, and the text of those whose text is code."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.code: dict[str, list[str]] = {"script": [], "style": []}
        self.feed(dashboard_html())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.elements and (tag := self.elements[-1][0]) in self.code and self.cdata_elem == tag:
            self.code[tag].append(data)


@pytest.fixture(scope="module")
def parts() -> Parts:
    return Parts()


def test_the_page_is_one_file_that_asks_for_nothing_else(parts: Parts) -> None:
    assert re.findall(r"https?://[^\s'\")]+", dashboard_html().replace(SVG_NAMESPACE, "")) == []
    addresses = [attrs[name] for _, attrs in parts.elements for name in ("src", "href") if name in attrs]
    assert all(address is not None and address.startswith("data:") for address in addresses)
    assert not re.search(r"@import|@font-face|url\(", parts.code["style"][0])
    assert len(dashboard_html().encode()) <= MOST_BYTES


def test_the_policy_lets_run_the_one_script_and_the_one_style_of_the_page_and_no_other(parts: Parts) -> None:
    policy = dict(each.split(" ", 1) for each in dashboard_csp().split("; "))
    for tag, code in parts.code.items():
        assert len(code) == 1
        digest = b64encode(sha256(code[0].encode()).digest()).decode()
        assert policy.pop(f"{tag}-src") == f"'sha256-{digest}'"
    assert policy == {
        "default-src": "'none'",
        "connect-src": "'self'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }


def test_nothing_in_the_markup_needs_a_weaker_policy(parts: Parts) -> None:
    names = {name for _, attrs in parts.elements for name in attrs}
    assert not {name for name in names if name == "style" or name.startswith("on")}
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|\beval\(|new Function", parts.code["script"][0]
    )


def test_every_element_that_the_script_looks_for_is_in_the_page_once(parts: Parts) -> None:
    ids = [attrs["id"] for _, attrs in parts.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'byId\("([^"]+)"\)', parts.code["script"][0])) <= set(ids)


def test_every_action_of_a_button_is_one_that_the_script_knows(parts: Parts) -> None:
    script = parts.code["script"][0]
    known = set(
        re.findall(
            r'^  "?([a-z-]+)"?: ', script.partition("const ACTS = {")[2].partition("\n};")[0], re.MULTILINE
        )
    )
    used = {str(attrs["data-act"]) for _, attrs in parts.elements if "data-act" in attrs}
    used |= set(re.findall(r'(?:\bact: |\bbutton\([^,]+, )"(?!data-)([a-z-]+)"', script))
    assert used
    assert used <= known


@pytest.mark.skipif(shutil.which("node") is None, reason="Node checks the syntax where it is installed")
def test_the_script_is_sound(parts: Parts, tmp_path: Path) -> None:
    script = tmp_path / "page.js"
    script.write_text(parts.code["script"][0], encoding="utf-8")
    checked = subprocess.run(["node", "--check", script], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
