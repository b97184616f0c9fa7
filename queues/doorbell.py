"""Hears what the commits of a home are about, whichever process made them.

A ring carries no news; whoever hears it looks into the database. A lost one costs at most `IDLE_RECHECK`.
"""

import os
import socket
from contextlib import suppress
from datetime import timedelta

import anyio
from anyio.abc import TaskStatus

from queues.database import Database, Transaction
from queues.errors import EngineError
from queues.ringing import LOOPBACK, RING, listening_ports
from queues.topics import EVERYTHING, Topic

# Datagrams on loopback are not lost in practice; this bounds the harm where a firewall eats them.
IDLE_RECHECK = timedelta(seconds=30)
# Whether the loop behind a port turns. An answer is no question: two ears never keep each other busy.
QUESTION, ANSWER = b"?", b"!"
_WORD_BYTES = 16


class Doorbell:
    """This process's ear. `run` listens for as long as its task lives."""

    def __init__(self, database: Database) -> None:
        self.port = 0
        """Where `run` listens; 0 while it does not."""
        self._database = database
        self._next: dict[Topic, anyio.Event] = {}

    def next_ring(self, topic: Topic = Topic.CHANGED) -> anyio.Event:
        """The event of the next ring about one topic. Take it before looking into the database, then wait on it."""
        if topic not in self._next:
            self._next[topic] = anyio.Event()
        return self._next[topic]

    def ring_here(self, topics: int = EVERYTHING) -> None:
        """Wake whoever waits in this process, for a change that no database holds."""
        # An event is made when somebody waits for it: most rings concern nobody here.
        for topic in [each for each in self._next if each & (topics | Topic.CHANGED)]:
            self._next.pop(topic).set()

    async def wait(self, heard: anyio.Event, at_most: timedelta | None = None) -> None:
        """Return when `heard` is set, after `at_most`, or after `IDLE_RECHECK`."""
        limit = IDLE_RECHECK if at_most is None else min(at_most, IDLE_RECHECK)
        with anyio.move_on_after(max(limit.total_seconds(), 0)):
            await heard.wait()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        async with await anyio.create_udp_socket(local_host=LOOPBACK) as ear:
            self.port = port = int(ear.extra_attributes[anyio.abc.SocketAttribute.local_port]())
            await self._database.write_patiently(lambda tx: _add_listener(tx, port))
            self._database.ringer.add_ear(port, self.ring_here)
            try:
                task_status.started()
                async for datagram, (host, asking) in ear:
                    if datagram == RING:
                        self.ring_here()
                    elif datagram.startswith(QUESTION):
                        await ear.sendto(ANSWER + datagram[1 : 1 + _WORD_BYTES], host, asking)
            finally:
                self.port = 0
                self._database.ringer.remove_ear(port)
                # A row that stays is removed by the next process that listens.
                with anyio.CancelScope(shield=True), suppress(EngineError):
                    await self._database.write(lambda tx: _remove_listener(tx, port))


async def answers(port: int, within: timedelta) -> bool:
    """Whether the event loop of the process that listens on this port turns: it sends back what it is asked."""
    word = os.urandom(_WORD_BYTES)
    async with await anyio.create_udp_socket(local_host=LOOPBACK) as asker:
        with anyio.move_on_after(within.total_seconds()), suppress(OSError):
            await asker.sendto(QUESTION + word, LOOPBACK, port)
            async for datagram, sender in asker:
                if datagram == ANSWER + word and sender == (LOOPBACK, port):
                    return True
    return False


def _add_listener(tx: Transaction, port: int) -> None:
    _forget_dead_listeners(tx)
    tx.run(
        "INSERT INTO listeners (port, pid, opened_at) VALUES (:port, :pid, :now)"
        " ON CONFLICT (port) DO UPDATE SET pid = excluded.pid, opened_at = excluded.opened_at",
        port=port,
        pid=os.getpid(),
        now=tx.micros,
    )


def _remove_listener(tx: Transaction, port: int) -> None:
    tx.run("DELETE FROM listeners WHERE port = :port", port=port)


def _forget_dead_listeners(tx: Transaction) -> None:
    """A port that can be bound has no listener: its process is gone."""
    for port in listening_ports(tx):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
            probe.bind((LOOPBACK, port))
            _remove_listener(tx, port)
