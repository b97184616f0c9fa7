"""What an `analyse` task carries; apart from its handler, as whoever enqueues one needs no Claude session."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from handlers.analyst.limits import SESSION_DEADLINE
from handlers.stocks import Stock
from handlers.verdict import AnalystChoice
from queues.model import NewTask, QueueName, Sibling, Task

KIND = "analyse"
# Asked for today, wanted today: an analysis costs money, so an older one waits for a person's word.
APPROVAL_WINDOW = timedelta(hours=24)
# Around the session's own deadline: reading, storing, and stopping the CLI.
TIMEOUT_SLACK = timedelta(minutes=1)


class AnalysisPayload(BaseModel):
    """`stocks` in the form NSE:INFY; `analyst` overrides the desk's own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stocks: Annotated[list[str], Field(min_length=1, max_length=3)]
    analyst: AnalystChoice | None = None


def analysis_task(
    stocks: Sequence[Stock],
    *,
    priority: int = 0,
    after: tuple[str | Sibling, ...] = (),
    carried: bool = False,
    analyst: AnalystChoice | None = None,
    session_deadline: timedelta = SESSION_DEADLINE,
) -> NewTask:
    """One session over these one to three stocks; in any other order it is the same task (same dedup key)."""
    names = [str(stock) for stock in stocks]
    payload = AnalysisPayload(stocks=names, analyst=analyst)
    return NewTask(
        queue=QueueName.AI_ANALYSIS,
        kind=KIND,
        payload=payload.model_dump(exclude_none=True),
        dedup_key=f"{KIND}:{','.join(sorted(names))}",
        priority=priority,
        after=after,
        carried=carried,
        timeout=session_deadline + TIMEOUT_SLACK,
        approval_window=APPROVAL_WINDOW,
    )


def session_deadline_of(task: Task) -> timedelta:
    """With what `session_deadline` the analysis was made."""
    return task.timeout - TIMEOUT_SLACK
