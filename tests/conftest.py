"""Fixtures that every kind of test shares."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """The product runs on asyncio; a second backend would only prove that anyio works."""
    return "asyncio"
