from collections.abc import Iterator
from pathlib import Path

import pytest

from queues.database import Database
from tests.queues.desk import Desk
from tests.queues.running import open_database


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.database.close()


@pytest.fixture
def small_desk(tmp_path: Path) -> Iterator[Desk]:
    """One whose queues hold three queued tasks each, and no more."""
    desk = Desk(tmp_path, queue_limit=3)
    yield desk
    desk.database.close()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(tmp_path)
    yield database
    database.close()
