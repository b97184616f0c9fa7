"""Prints a database of the running version, with rows in every table, as SQL: made once per release.

    python -m tests.queues.released.write > tests/queues/released/VERSION.sql

Processes led it and died; in each queue an attempt was left running.
"""

import sqlite3
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from handlers.analyst.costs import Spent, close_session, open_session
from handlers.brokers.holding import Holding
from handlers.facts import NewFact, current_facts, store_facts
from handlers.portfolio import store_snapshot
from handlers.prices import log_fetched, log_missing, store_bars
from handlers.sources.base import Bar
from handlers.stocks import Exchange, Stock
from handlers.verdict import Analyst, VerdictSubmission
from handlers.verdicts import store_verdict
from queues.control import cancel_task
from queues.database import Database, Transaction
from queues.holds import hold_queue
from queues.lifecycle import take_over
from queues.model import NewTask, QueueName, Sibling, Task
from queues.outcome import Completed, Failed, Retry, Snooze
from queues.store import claim_next, enqueue, record
from server.change_views import enqueue_view
from server.desk import migrations
from server.mcp_tasks.store import Ending, create_mcp_task, keep_ending

SYNC, FETCH, ANALYSIS = QueueName
MOMENT = datetime(2024, 3, 1, 9, 0, tzinfo=UTC)
DAY = date(2024, 2, 29)
KO = Stock("KO", Exchange.NYSE)


def seed(database: Database) -> None:
    epoch = database.write_now(lambda tx: take_over(tx, "serve"))
    database.write_now(lambda tx: work(tx, epoch))
    database.write_now(lambda tx: leave_running(tx, take_over(tx, "worker")))


def work(tx: Transaction, epoch: int) -> None:
    review = enqueue(
        tx,
        [
            new(SYNC, carried=True),
            new(FETCH, after=(Sibling(0),), priority=5),
            new(ANALYSIS, after=(Sibling(1),)),
            new(FETCH, dedup_key="prices of KO"),
            new(ANALYSIS, after=(Sibling(3),), approval_window=timedelta(days=1)),
            new(SYNC),
            new(SYNC, due_at=MOMENT + timedelta(days=1)),
        ],
    )
    synced = claim(tx, SYNC, epoch)
    hold_all(tx, synced)
    record(tx, synced, Completed({"holdings": 1}, lambda _: [new(FETCH)]), timedelta())
    fetched = claim(tx, FETCH, epoch)
    know_all(tx, fetched)
    record(tx, fetched, Completed({"fetched": ["KO"]}), timedelta())
    judged = claim(tx, ANALYSIS, epoch)
    judge(tx, judged)
    record(tx, judged, Completed({"verdicts": 1}), timedelta())
    record(tx, claim(tx, FETCH, epoch), Failed("Yahoo does not know KO.", {"missing": ["KO"]}), timedelta())
    record(tx, claim(tx, FETCH, epoch), Retry("Yahoo answered 503 for KO."), timedelta(minutes=1))
    cancel_task(tx, review[5].task.id, "cancelled by the user")
    hold_queue(tx, FETCH, "user", "the network is metered", MOMENT + timedelta(days=2))
    answer = enqueue_view(review, {}, run_of_holder=None, estimate=None, advice="")
    ending = Ending(status="cancelled", message="Cancelled on request.", is_error=False, ended_at=MOMENT)
    keep_ending(tx, create_mcp_task(tx, answer, timedelta(days=7)).id, ending)


def leave_running(tx: Transaction, epoch: int) -> None:
    """One that may start again, one that was to be cancelled, one in its last attempt; and what waits behind."""
    enqueue(tx, [new(FETCH, priority=9), new(FETCH), new(SYNC, priority=9, max_attempts=1), new(SYNC)])
    enqueue(tx, [new(ANALYSIS), new(ANALYSIS, approval_window=timedelta(days=1))])
    tx.run("DELETE FROM holds WHERE queue = 'data_fetcher'")
    for queue in QueueName:
        task = claim(tx, queue, epoch)
        if queue is ANALYSIS:
            record(tx, task, Snooze("A usage limit", MOMENT + timedelta(hours=5)), timedelta())
            task = claim(tx, queue, epoch)
            open_session(tx, task, "session-2", model="sonnet", stocks=[KO], prompt_version="1")
            cancel_task(tx, task.id, "cancelled by the user")
    hold_queue(tx, ANALYSIS, "usage_limit", "Claude's usage limit is reached", MOMENT + timedelta(hours=5))
    tx.run("INSERT INTO listeners (port, pid, opened_at) VALUES (45678, 4567, :now)", now=tx.micros)
    tx.run("UPDATE leader SET pid = 4567")


def new(queue: QueueName, **wishes: object) -> NewTask:
    return NewTask(**({"queue": queue, "kind": "work", "payload": {"symbols": ["KO"]}} | wishes))  # pyright: ignore[reportArgumentType] (checked where it is stored)


def claim(tx: Transaction, queue: QueueName, epoch: int) -> Task:
    task = claim_next(tx, queue, epoch)
    assert task is not None
    return task


def hold_all(tx: Transaction, task: Task) -> None:
    ten = Decimal(10)
    holding = Holding(
        stock=KO, quantity=ten, average_price=ten, currency="USD", name="Coca-Cola", sector="Beverages"
    )
    store_snapshot(tx, "main", [holding], "generic export holdings.csv", task.id)


def know_all(tx: Transaction, task: Task) -> None:
    store_bars(tx, KO, [Bar(day=DAY, close=60.0, adj_close=59.5, volume=1000)], "yahoo")
    log_fetched(tx, KO, "yahoo", DAY, task.id)
    log_missing(tx, Stock("NONE", Exchange.NYSE), "unknown", DAY, task.id)
    store_facts(
        tx, KO, [NewFact(name="last_close", value=60.0, unit="USD", as_of=DAY, source="yahoo", inputs="")]
    )


def judge(tx: Transaction, task: Task) -> None:
    facts = current_facts(tx, KO)
    submission = VerdictSubmission.model_validate(
        {
            "symbol": str(KO),
            "action": "HOLD",
            "conviction": 0.5,
            "horizon_months": 12,
            "thesis": "It sells drinks in every weather and pays for waiting, but grows no faster than its price.",
            "evidence": [{"claim": "Its last close", "fact_id": facts[0].id, "value": 60.0, "unit": "USD"}],
            "bull_points": ["It is liked."],
            "bear_points": ["It is sweet."],
            "risks": ["Taxes on sugar."],
            "would_change_view": ["A lower price."],
            "catalysts": [{"what": "The yearly report", "date": "2024-04-30"}],
        }
    )
    open_session(tx, task, "session-1", model="sonnet", stocks=[KO], prompt_version="1")
    store_verdict(
        tx, task, KO, submission, facts, analyst=Analyst.CLAUDE, session_id="session-1", model="sonnet"
    )
    spent = Spent(turns=3, input_tokens=4000, output_tokens=700, cost_usd=0.04)
    close_session(tx, "session-1", ended_as="success", detail="", spent=spent, duration=timedelta(seconds=40))


def main() -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "stockdesk.db"
        database = Database(path, migrations(), clock=lambda: MOMENT)
        seed(database)
        database.close()
        dumped = sqlite3.connect(path)
        sys.stdout.writelines(f"{line}\n" for line in dumped.iterdump())
        dumped.close()


if __name__ == "__main__":
    main()
