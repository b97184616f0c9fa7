"""Whoever listens hears of every commit that touches; whoever died is forgotten."""

import socket
import sqlite3
from contextlib import closing
from datetime import timedelta

import anyio
import pytest

from queues.database import Transaction
from queues.doorbell import Doorbell
from queues.ringing import LOOPBACK, Ringer, listening_ports
from tests.queues.desk import Desk

PATIENCE = 20.0
SOON = timedelta(seconds=PATIENCE)


def touch(tx: Transaction) -> None:
    tx.touch()


def dead_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind((LOOPBACK, 0))
        return gone.getsockname()[1]


def add_listener_of_another_process(desk: Desk, port: int) -> None:
    with closing(sqlite3.connect(desk.database.path)) as other, other:
        other.execute("INSERT INTO listeners VALUES (?, 1, 0)", (port,))


async def test_a_commit_that_touches_rings(desk: Desk) -> None:
    bell = Doorbell(desk.database)
    async with anyio.create_task_group() as tasks:
        await tasks.start(bell.run)
        heard = bell.next_ring()
        desk.do(touch)
        with anyio.fail_after(PATIENCE):
            await heard.wait()
        tasks.cancel_scope.cancel()


async def test_a_ring_between_taking_the_event_and_waiting_on_it_is_not_lost(desk: Desk) -> None:
    bell = Doorbell(desk.database)
    async with anyio.create_task_group() as tasks:
        await tasks.start(bell.run)
        heard = bell.next_ring()
        desk.do(touch)
        other = bell.next_ring()
        with anyio.fail_after(PATIENCE):
            await other.wait()
        assert heard.is_set()
        await bell.wait(heard)  # returns at once
        tasks.cancel_scope.cancel()


async def test_every_process_of_a_home_hears(desk: Desk) -> None:
    bells = [Doorbell(desk.database) for _ in range(3)]
    async with anyio.create_task_group() as tasks:
        for bell in bells:
            await tasks.start(bell.run)
        heard = [bell.next_ring() for bell in bells]
        desk.do(touch)
        with anyio.fail_after(PATIENCE):
            for event in heard:
                await event.wait()
        tasks.cancel_scope.cancel()


def test_a_transaction_that_is_rolled_back_does_not_ring(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def touch_and_fail(tx: Transaction) -> None:
        tx.touch()
        raise KeyError("rolled back")

    rung: list[list[int]] = []

    def tell(_ringer: Ringer, ports: list[int], *, own: bool) -> None:
        assert own
        rung.append(ports)

    add_listener_of_another_process(desk, 9)
    monkeypatch.setattr(Ringer, "tell", tell)
    with pytest.raises(KeyError):
        desk.do(touch_and_fail)
    assert not any(rung)
    desk.do(touch)
    assert rung[-1] == [9]


def test_who_listens_is_looked_up_anew_only_after_another_process_has_written(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[list[int]] = []

    def looked_up(tx: Transaction) -> list[int]:
        found.append(listening_ports(tx))
        return found[-1]

    desk.do(touch)
    monkeypatch.setattr("queues.ringing.listening_ports", looked_up)
    for _ in range(3):
        desk.do(touch)
    assert found == []
    dead = dead_port()
    add_listener_of_another_process(desk, dead)
    desk.do(lambda tx: tx.run("UPDATE leader SET port = 1"))  # which tells nobody, and so looks nothing up
    for _ in range(3):
        desk.do(touch)
    assert found == [[dead]]


async def test_a_bell_that_stops_listening_leaves_no_row(desk: Desk) -> None:
    async with anyio.create_task_group() as tasks:
        await tasks.start(Doorbell(desk.database).run)
        assert len(desk.do(listening_ports)) == 1
        tasks.cancel_scope.cancel()
    assert desk.do(listening_ports) == []


async def test_dead_listeners_are_forgotten_and_living_ones_kept(desk: Desk) -> None:
    dead = dead_port()
    async with anyio.create_task_group() as tasks:
        await tasks.start(Doorbell(desk.database).run)
        (living,) = desk.do(listening_ports)
        desk.do(lambda tx: tx.run("INSERT INTO listeners VALUES (:port, 1, 0)", port=dead))
        await tasks.start(Doorbell(desk.database).run)
        ports = desk.do(listening_ports)
        assert dead not in ports
        assert living in ports
        assert len(ports) == 2
        tasks.cancel_scope.cancel()


def test_ringing_a_dead_listener_harms_nobody() -> None:
    with closing(Ringer()) as ringer:
        ringer.tell([dead_port(), dead_port()], own=True)


def test_a_commit_stands_even_if_no_socket_can_be_had(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_socket(*_: object) -> None:
        raise OSError(24, "Too many open files")

    add_listener_of_another_process(desk, 9)
    monkeypatch.setattr(socket, "socket", no_socket)
    desk.do(touch)


async def test_waiting_ends_by_itself_when_the_time_is_up(desk: Desk) -> None:
    bell = Doorbell(desk.database)
    with anyio.fail_after(PATIENCE):
        await bell.wait(bell.next_ring(), at_most=timedelta(milliseconds=1))
        await bell.wait(bell.next_ring(), at_most=-SOON)


async def test_a_change_without_a_database_wakes_this_process(desk: Desk) -> None:
    bell = Doorbell(desk.database)
    heard = bell.next_ring()
    bell.ring_here()
    assert heard.is_set()
    assert not bell.next_ring().is_set()
