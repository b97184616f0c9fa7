"""Wakes every process of a home after a commit: each listens on a loopback UDP port that the database lists.

A datagram carries no news; whoever hears it looks into the database. A lost one costs at most `IDLE_RECHECK`.
"""

import os
import socket
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import anyio
from anyio.abc import TaskStatus

from queues.errors import EngineError

if TYPE_CHECKING:
    from queues.database import Database, Transaction

LOOPBACK = "127.0.0.1"
# Datagrams on loopback are not lost in practice; this bounds the harm where a firewall eats them.
IDLE_RECHECK = timedelta(seconds=30)


def listening_ports(tx: "Transaction") -> list[int]:
    return [port for (port,) in tx.rows("SELECT port FROM listeners")]


def ring(ports: list[int]) -> None:
    """Wake the listeners; never raises, for what they are told of is committed already."""
    if not ports:
        return
    # No socket to be had, or a listener that died: `IDLE_RECHECK` and `_forget_dead_listeners` see to that.
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for port in ports:
            with suppress(OSError):
                sender.sendto(b"\0", (LOOPBACK, port))


class Doorbell:
    """This process's ear. `run` listens for as long as its task lives."""

    def __init__(self, database: "Database") -> None:
        self._database = database
        self._next = anyio.Event()

    def next_ring(self) -> anyio.Event:
        """The event of the next ring. Take it before looking into the database, then wait on it."""
        return self._next

    def ring_here(self) -> None:
        """Wake whoever waits in this process, for a change that no database holds."""
        heard, self._next = self._next, anyio.Event()
        heard.set()

    async def wait(self, heard: anyio.Event, at_most: timedelta | None = None) -> None:
        """Return when `heard` is set, after `at_most`, or after `IDLE_RECHECK`."""
        limit = IDLE_RECHECK if at_most is None else min(at_most, IDLE_RECHECK)
        with anyio.move_on_after(max(limit.total_seconds(), 0)):
            await heard.wait()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        async with await anyio.create_udp_socket(local_host=LOOPBACK) as ear:
            port = int(ear.extra_attributes[anyio.abc.SocketAttribute.local_port]())
            await self._database.write_patiently(lambda tx: _add_listener(tx, port))
            try:
                task_status.started()
                async for _ in ear:
                    self.ring_here()
            finally:
                # A row that stays is removed by the next process that listens.
                with anyio.CancelScope(shield=True), suppress(EngineError):
                    await self._database.write(lambda tx: _remove_listener(tx, port))


def _add_listener(tx: "Transaction", port: int) -> None:
    _forget_dead_listeners(tx)
    tx.run(
        "INSERT INTO listeners (port, pid, opened_at) VALUES (:port, :pid, :now)"
        " ON CONFLICT (port) DO UPDATE SET pid = excluded.pid, opened_at = excluded.opened_at",
        port=port,
        pid=os.getpid(),
        now=tx.micros,
    )


def _remove_listener(tx: "Transaction", port: int) -> None:
    tx.run("DELETE FROM listeners WHERE port = :port", port=port)


def _forget_dead_listeners(tx: "Transaction") -> None:
    """A port that can be bound has no listener: its process is gone."""
    for port in listening_ports(tx):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
            probe.bind((LOOPBACK, port))
            _remove_listener(tx, port)
