"""Fixtures that every kind of test shares."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """The product runs on asyncio; a second backend would only prove that anyio works."""
    return "asyncio"


@pytest.fixture(scope="session")
def require_program() -> Callable[[str, str], Path]:
    """`require_program(name, install_line)` finds a program on PATH, or skips the test with the line that installs it.

    With REQUIRE_HOST_PROGRAMS=1, as in .ci/run, a missing program fails the test.
    """

    def find(name: str, install_line: str) -> Path:
        found = shutil.which(name)
        if found is None:
            missing = f"{name} is not on PATH; install it: {install_line}"
            if os.environ.get("REQUIRE_HOST_PROGRAMS") == "1":
                pytest.fail(missing)
            pytest.skip(missing)
        return Path(found)

    return find
