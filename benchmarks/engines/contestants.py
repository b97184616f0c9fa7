"""Who takes part, how durable each is, and what it needs. Nothing here imports an engine."""

from dataclasses import dataclass
from enum import StrEnum


class Server(StrEnum):
    """By the name of its Debian package."""

    POSTGRESQL = "postgresql"
    REDIS = "redis-server"


LOSES_TASKS, BLOCKS_LOOP = "loses claimed tasks in a crash", "makes the loop wait for the disk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """`factory` opens the engine ("module:function"), `package` is what its user imports.

    `share` scales the number of tasks, so that a round of a slow engine ends within about 15 s. `only_told` says why
    ours is not judged by it. One that deletes a task when it is claimed is not durable: whatever it syncs, a crash
    loses what ran. One that blocks the loop makes a server wait for the disk, like raw SQLite on the loop.
    """

    name: str
    setting: str
    factory: str
    package: str
    distributions: tuple[str, ...]
    server: Server | None = None
    share: float = 1.0
    only_told: str | None = None

    @property
    def is_peer(self) -> bool:
        return self in PEERS


OURS, RAW_ON_LOOP, RAW_IN_THREAD = "ours", "raw SQLite on the loop", "raw SQLite behind a thread"
LOCAL = (
    Contestant(
        name=RAW_ON_LOOP,
        setting="WAL, synchronous=FULL, three transactions a task; the loop waits for the disk",
        factory="benchmarks.engines.raw:on_loop",
        package="apsw",
        distributions=("apsw",),
    ),
    Contestant(
        name=RAW_IN_THREAD,
        setting="the same behind run_in_executor of one writer thread",
        factory="benchmarks.engines.raw:in_thread",
        package="apsw",
        distributions=("apsw",),
    ),
    Contestant(
        name=OURS,
        setting="WAL, synchronous=FULL",
        factory="benchmarks.engines.ours:ours",
        package="queues.scheduler",
        distributions=("anyio", "apsw"),
    ),
)
PEERS = (
    Contestant(
        name="huey",
        setting="SqliteHuey, WAL, fsync=True; called directly, poll 10 ms; a crash loses the claimed tasks",
        factory="benchmarks.engines.peers.huey_sqlite:open_engine",
        package="huey",
        distributions=("huey",),
        only_told=LOSES_TASKS,
    ),
    Contestant(
        name="persist-queue SQLiteQueue",
        setting="a file per queue, WAL, synchronous=FULL; called directly; a crash loses the claimed tasks",
        factory="benchmarks.engines.peers.persist_queue_sqlite:without_acknowledgement",
        package="persistqueue",
        distributions=("persist-queue",),
        only_told=LOSES_TASKS,
    ),
    Contestant(
        name="persist-queue SQLiteAckQueue",
        setting="a file per queue, WAL, synchronous=FULL; called directly: who enqueues waits for the disk",
        factory="benchmarks.engines.peers.persist_queue_sqlite:with_acknowledgement",
        package="persistqueue",
        distributions=("persist-queue",),
        only_told=BLOCKS_LOOP,
    ),
    Contestant(
        name="persist-queue, behind a thread",
        setting="SQLiteAckQueue; enqueued behind run_in_executor of one thread",
        factory="benchmarks.engines.peers.persist_queue_sqlite:behind_a_thread",
        package="persistqueue",
        distributions=("persist-queue",),
    ),
    Contestant(
        name="DBOS",
        setting="SQLite as DBOS opens it: rollback journal, synchronous=FULL; concurrency 1, poll 10 ms",
        factory="benchmarks.engines.peers.dbos_sqlite:open_engine",
        package="dbos",
        distributions=("dbos",),
        share=0.05,
    ),
    Contestant(
        name="Procrastinate",
        setting="PostgreSQL, synchronous_commit=on; a lock per queue",
        factory="benchmarks.engines.peers.procrastinate_postgresql:open_engine",
        package="procrastinate",
        distributions=("procrastinate", "psycopg"),
        server=Server.POSTGRESQL,
        share=0.4,
    ),
    Contestant(
        name="PgQueuer",
        setting="PostgreSQL, synchronous_commit=on; concurrency_limit 1 per entrypoint, batches of 3",
        factory="benchmarks.engines.peers.pgqueuer_postgresql:open_engine",
        package="pgqueuer",
        distributions=("pgqueuer", "asyncpg"),
        server=Server.POSTGRESQL,
        share=0.4,
    ),
    Contestant(
        name="SAQ",
        setting="Redis, appendonly yes, appendfsync always; a worker of concurrency 1 per queue",
        factory="benchmarks.engines.peers.saq_redis:open_engine",
        package="saq",
        distributions=("saq", "redis"),
        server=Server.REDIS,
    ),
    Contestant(
        name="docket",
        setting="Redis, appendonly yes, appendfsync always; a docket and a worker of concurrency 1 per queue",
        factory="benchmarks.engines.peers.docket_redis:open_engine",
        package="docket",
        distributions=("pydocket", "redis"),
        server=Server.REDIS,
        share=0.2,
    ),
)
CONTESTANTS = (*LOCAL, *PEERS)
