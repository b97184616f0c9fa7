"""Independent libraries that say what our own code should: large ones, that no user needs."""

import importlib
import os
from typing import Any

import pytest

INSTALL = "pip install -e '.[oracles]'"


def require_oracle(name: str) -> Any:
    """The module, or the test is skipped with the line that installs it; where host programs are required, it fails."""
    try:
        return importlib.import_module(name)
    except ImportError:
        missing = f"{name} is not installed; {INSTALL}"
        if os.environ.get("REQUIRE_HOST_PROGRAMS") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
