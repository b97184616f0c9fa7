"""Opens one fresh database after another, each at the same moment as its fellows: FOLDER, own number, how many."""

import sys
from pathlib import Path

from queues.database import Database
from queues.scheduler import engine_migrations

HOMES = 25


def main() -> None:
    folder, number, fellows = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    for home in range(HOMES):
        (folder / f"{home}-ready-{number}").touch()
        while not all((folder / f"{home}-ready-{fellow}").exists() for fellow in range(fellows)):
            pass  # spinning starts them within microseconds of each other
        Database(folder / f"{home}.db", {"queues": engine_migrations()}).close()


if __name__ == "__main__":
    main()
