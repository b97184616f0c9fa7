"""Tells every process of a home after a commit: each listens on a loopback UDP port that the database lists."""

import socket
import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from queues.database import Transaction

LOOPBACK = "127.0.0.1"
# It names no topic: of many that come at once some are lost, and the others must do for all of them.
RING = b"\0"


def listening_ports(tx: "Transaction") -> list[int]:
    return [port for (port,) in tx.rows("SELECT port FROM listeners")]


class Ringer:
    """The way of one database's news: by topic to the ears of this process, by a bare datagram to those of others."""

    def __init__(self) -> None:
        self._ears: dict[int, Callable[[int], None]] = {}
        self._sender: socket.socket | None = None
        self._opening = threading.Lock()
        self._known: list[int] | None = None
        self._version = 0

    def add_ear(self, port: int, hear: Callable[[int], None]) -> None:
        """An ear of this process; it also hears what comes to `port`."""
        self._ears[port] = hear
        self._known = None

    def remove_ear(self, port: int) -> None:
        del self._ears[port]
        self._known = None

    def known_ports(self, version: int, tx: "Transaction") -> list[int]:
        """`listening_ports`, read anew only where another connection has written since; `version` is SQLite's."""
        if self._known is None or self._version != version:
            self._known, self._version = listening_ports(tx), version
        return self._known

    def committed(self, before: int, after: int) -> None:
        """The commit of the transaction that asked took the file from version `before` to `after`."""
        if self._version == before:
            self._version = after

    def tell_here(self, topics: int) -> None:
        """For the event loop's own thread."""
        for hear in list(self._ears.values()):
            hear(topics)

    def tell(self, ports: Collection[int], *, own: bool) -> None:
        """Ring at these ports, those of this process left out or not.

        Never raises, for what they are told of is committed already.
        """
        # No socket to be had, or a listener that died: the rechecks of the doorbell see to that.
        for port in ports:
            if own or port not in self._ears:
                with suppress(OSError):
                    self._open().sendto(RING, (LOOPBACK, port))

    def close(self) -> None:
        with self._opening:
            if self._sender is not None:
                self._sender.close()
                self._sender = None

    def _open(self) -> socket.socket:
        with self._opening:
            if self._sender is None:
                self._sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                # A full buffer must not make a commit wait.
                self._sender.setblocking(False)
            return self._sender
