from collections.abc import Iterator
from pathlib import Path

import pytest

from queues.database import Database
from queues.scheduler import engine_migrations


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A fresh home for tasks: one SQLite file."""
    database = Database(tmp_path / "desk.db", {"queues": engine_migrations()})
    yield database
    database.close()
