"""A real Chromium, what it complains of, and the homes that it looks at."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

import pytest

try:
    from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, WebError, expect
except ImportError:
    if os.environ.get("REQUIRE_HOST_PROGRAMS") == "1":
        raise
    pytest.skip("playwright is not installed; pip install -e '.[pages]'", allow_module_level=True)

from tests.pages.chromium import launched
from tests.pages.homes import Busy, busy, review_the_sample

# As long as the tools that are waited for elsewhere; whoever waits this long has found a hang.
PATIENCE_MS = 30_000
# Which Chromium says of a server that is gone or refuses: the page has its own words for it.
UNREACHABLE = "Failed to load resource"

expect.set_options(timeout=PATIENCE_MS)

Scheme: TypeAlias = Literal["light", "dark"]


class OpenPage(Protocol):
    def __call__(
        self, url: str, *, width: int = ..., scheme: Scheme = ..., first: str = ..., offline: bool = ...
    ) -> Page: ...


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where screenshots go; with SCREENSHOTS, into that folder."""
    return Path(os.environ.get("SCREENSHOTS") or tmp_path)


@pytest.fixture
def axe(require_npm_package: Callable[[str, str], Path]) -> str:
    """Accessibility rules, for `first` of a page; see `found_by_axe`."""
    packages = require_npm_package("axe-core", "4.14.1")
    return (packages / "axe-core" / "axe.min.js").read_text("utf-8")


@pytest.fixture(scope="session")
def reviewed_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("reviewed") / "desk"
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.upper().startswith("STOCKDESK_")]:
            patch.delenv(name)
        review_the_sample(home)
    return home


@pytest.fixture(scope="module")
def folder(reviewed_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a copy of the reviewed home."""
    folder = tmp_path_factory.mktemp("page")
    shutil.copytree(reviewed_home, folder / "desk")
    return folder


@pytest.fixture(scope="module")
def work(folder: Path) -> Iterator[Busy]:
    with busy(folder) as found:
        yield found


@pytest.fixture(scope="module")
def chromium(require_program: Callable[[str, str], Path]) -> Iterator[Browser]:
    """Not for longer than a module: others have event loops of their own."""
    with launched(require_program("chromium", "apt-get install chromium")) as browser:
        yield browser


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[OpenPage]:
    """Opens pages that may complain of nothing: no error, no breach of a policy, no dialog, at any moment.

    `first` runs before their own scripts; `offline` is for tests whose server goes away or refuses.
    """
    complaints: list[str] = []

    def note(message: ConsoleMessage, *, offline: bool) -> None:
        is_expected = offline and (message.type == "warning" or message.text.startswith(UNREACHABLE))
        if message.type in ("error", "warning") and not is_expected:
            complaints.append(message.text)

    def dismiss(dialog: Dialog) -> None:
        complaints.append(f"{dialog.type}: {dialog.message}")
        dialog.dismiss()

    def fail(error: WebError) -> None:
        complaints.append(str(error.error))

    with ExitStack() as contexts:

        def open_(
            url: str, *, width: int = 1440, scheme: Scheme = "light", first: str = "", offline: bool = False
        ) -> Page:
            context = contexts.enter_context(
                chromium.new_context(
                    viewport={"width": width, "height": 900},
                    color_scheme=scheme,
                    reduced_motion="reduce",
                    locale="en-GB",
                    timezone_id="Asia/Kolkata",
                )
            )
            context.set_default_timeout(PATIENCE_MS)
            context.on("console", lambda message: note(message, offline=offline))
            context.on("dialog", dismiss)
            context.on("weberror", fail)
            context.add_init_script(first)
            page = context.new_page()
            page.goto(url)
            return page

        yield open_
    assert complaints == []
