"""Puts much into a store directly, as a desk has it after months."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

from handlers.ai_analysis import analysis_task
from handlers.brokers.holding import Holding
from handlers.facts import Fact, NewFact, current_facts, store_facts
from handlers.planning import fetch_task
from handlers.portfolio import store_snapshot
from handlers.stocks import Exchange, Stock
from handlers.verdict import Analyst, VerdictSubmission
from handlers.verdicts import store_verdict
from queues.database import Transaction
from queues.lifecycle import take_over
from queues.model import Json, NewTask, QueueName, Task
from queues.outcome import Completed, Failed, Snooze
from queues.store import claim_next, enqueue, record

LONG = "This is a long sentence of many words that says little, as they sometimes are. "


def many_stocks(count: int) -> list[Stock]:
    """Symbols of 20 characters, which is as long as they get."""
    return [Stock(f"LONGESTSYMBOLOF{number:05}", Exchange.NSE) for number in range(count)]


def hold_all(tx: Transaction, stocks: Sequence[Stock], account: str = "main") -> None:
    holdings = [
        Holding(
            stock=stock,
            quantity=Decimal("123.456"),
            average_price=Decimal("1234.56"),
            currency="INR",
            name=f"The {stock.symbol} Company of India Limited",
            sector="Information Technology",
        )
        for stock in stocks
    ]
    store_snapshot(tx, account, holdings, "generic export holdings.csv", "sync-1")


def know_all(tx: Transaction, stocks: Sequence[Stock]) -> None:
    names = ("last_close", "return_3m", "sma_200", "rsi_14")
    facts = [
        NewFact(name=name, value=1503.25, unit="INR", as_of=date(2022, 12, 28), source="test", inputs=LONG)
        for name in names
    ]
    for stock in stocks:
        store_facts(tx, stock, facts)


def run_tasks(tx: Transaction, queue: QueueName, tasks: Sequence[NewTask], result: Json) -> None:
    """Enqueue these; complete every second one with `result`, and let the others fail."""
    epoch = take_over(tx, "seed")
    enqueue(tx, tasks)
    for number in range(len(tasks)):
        ended = Completed({"rows": result}) if number % 2 else Failed(LONG * 30)
        record(tx, _claimed(tx, queue, epoch), ended, timedelta())


def syncs(count: int) -> list[NewTask]:
    return [
        NewTask(queue=QueueName.PORTFOLIO_SYNC, kind="sync", payload={"account": "main", "number": number})
        for number in range(count)
    ]


def wordy_task(tx: Transaction) -> str:
    """The id of a task that met one long error after another, with all that a task can hold."""
    queue, words = QueueName.PORTFOLIO_SYNC, [LONG * 20] * 30
    epoch = take_over(tx, "seed")
    [made] = enqueue(tx, [NewTask(queue=queue, kind="sync", payload={"words": words})])
    for _ in range(30):
        record(tx, _claimed(tx, queue, epoch), Snooze(LONG * 20, tx.now), timedelta())
    record(tx, _claimed(tx, queue, epoch), Completed({"words": words}), timedelta())
    return made.task.id


def _claimed(tx: Transaction, queue: QueueName, epoch: int) -> Task:
    task = claim_next(tx, queue, epoch)
    assert task is not None
    return task


def judge_all(tx: Transaction, stocks: Sequence[Stock]) -> None:
    """A verdict of each, as wordy as the border lets it be."""
    task: Task = enqueue(tx, [analysis_task(stocks[:1])])[0].task
    for stock in stocks:
        facts = current_facts(tx, stock)
        store_verdict(tx, task, stock, wordy(stock, facts), facts, analyst=Analyst.BASELINE)


def wordy(stock: Stock, facts: Sequence[Fact]) -> VerdictSubmission:
    points = [(LONG * 4)[:300]] * 6
    return VerdictSubmission.model_validate(
        {
            "symbol": str(stock),
            "action": "HOLD",
            "conviction": 0.5,
            "horizon_months": 12,
            "thesis": (LONG * 20)[:1200],
            "evidence": [
                {
                    "claim": (LONG * 4)[:300],
                    "fact_id": facts[n % len(facts)].id,
                    "value": 1503.25,
                    "unit": "INR",
                }
                for n in range(12)
            ],
            "bull_points": points,
            "bear_points": points,
            "risks": points,
            "would_change_view": points,
            "catalysts": [],
        }
    )


def fetches(stocks: Sequence[Stock]) -> list[NewTask]:
    return [fetch_task(stocks[start : start + 10]) for start in range(0, len(stocks), 10)]
