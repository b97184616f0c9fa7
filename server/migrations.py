"""The server's own schema, as the numbered steps that `queues.database.Database` runs once each."""

from pathlib import Path

from queues.connection import numbered_steps


def server_migrations() -> list[str]:
    return numbered_steps(Path(__file__).parent / "schema")
