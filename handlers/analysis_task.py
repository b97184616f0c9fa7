"""What an `analyse` task carries; apart from its handler, as whoever enqueues one needs no Claude session."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from handlers.analyst.limits import SESSION_DEADLINE
from handlers.stocks import Stock, parse_stock
from handlers.verdict import AnalystChoice
from queues.database import Transaction
from queues.inspection import unfinished_tasks
from queues.model import JsonObject, NewTask, QueueName, Sibling, Task
from queues.payloads import unfinished_listing

KIND = "analyse"
# Asked for today, wanted today: an analysis costs money, so an older one waits for a person's word.
APPROVAL_WINDOW = timedelta(hours=24)
# Around the session's own deadline: reading, storing, and stopping the CLI.
TIMEOUT_SLACK = timedelta(minutes=1)


class AnalysisPayload(BaseModel):
    """`stocks` in the form NSE:INFY; `analyst` overrides the desk's own.

    `forced` are judged anew even if nothing has changed since their last verdict. A task that `may_grow` was made for
    one stock that somebody asked for alone; others that are asked for alone join it while it waits. `withdrawn` have
    left it on request.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    stocks: Annotated[list[str], Field(min_length=1, max_length=3)]
    analyst: AnalystChoice | None = None
    forced: list[str] = []
    may_grow: bool = False
    withdrawn: list[str] = []

    @property
    def dedup_key(self) -> str:
        """The same for the same stocks in any order."""
        return f"{KIND}:{','.join(sorted(self.stocks))}"

    def as_json(self) -> JsonObject:
        return self.model_dump(exclude_defaults=True)

    def joined_by(self, stock: Stock, *, force: bool) -> Self:
        forced = [*self.forced, str(stock)] if force else self.forced
        return self.model_copy(update={"stocks": [*self.stocks, str(stock)], "forced": forced})

    def without(self, stock: Stock) -> Self | None:
        """What is left when a stock is withdrawn; None if nothing is."""
        name = str(stock)
        left = [each for each in self.stocks if each != name]
        update = {
            "stocks": left,
            "forced": [each for each in self.forced if each != name],
            "withdrawn": [*self.withdrawn, name],
        }
        return self.model_copy(update=update) if left else None


def analysis_task(
    stocks: Sequence[Stock],
    *,
    priority: int = 0,
    after: tuple[str | Sibling, ...] = (),
    carried: bool = False,
    analyst: AnalystChoice | None = None,
    forced: Collection[Stock] = (),
    may_grow: bool = False,
    session_deadline: timedelta = SESSION_DEADLINE,
) -> NewTask:
    """One session over these one to three stocks; in any other order it is the same task (same dedup key)."""
    payload = AnalysisPayload(
        stocks=[str(stock) for stock in stocks],
        analyst=analyst,
        forced=[str(stock) for stock in stocks if stock in forced],
        may_grow=may_grow,
    )
    return NewTask(
        queue=QueueName.AI_ANALYSIS,
        kind=KIND,
        payload=payload.as_json(),
        dedup_key=payload.dedup_key,
        priority=priority,
        after=after,
        carried=carried,
        timeout=session_deadline + TIMEOUT_SLACK,
        approval_window=APPROVAL_WINDOW,
    )


def unfinished_analyses(tx: Transaction) -> list[tuple[Task, AnalysisPayload]]:
    """The queued and running ones with what they carry, in enqueue order."""
    return [
        (task, AnalysisPayload.model_validate(task.payload))
        for task in unfinished_tasks(tx, QueueName.AI_ANALYSIS)
        if task.kind == KIND
    ]


def analyses_of(tx: Transaction, stocks: Collection[Stock]) -> dict[Stock, Task]:
    """The unfinished analysis of each of these stocks that has one; of several, the newest."""
    listing = unfinished_listing(tx, QueueName.AI_ANALYSIS, "stocks", map(str, stocks))
    return {parse_stock(text): task for text, task in listing if task.kind == KIND}


def session_deadline_of(task: Task) -> timedelta:
    """With what `session_deadline` the analysis was made."""
    return task.timeout - TIMEOUT_SLACK
