"""What becomes of a stock whose submissions are refused again and again."""

from typing import Any

import pytest

from handlers.ai_analysis import AnalystSettings
from handlers.verdict import Action, Reason
from handlers.verdicts import verdicts_of_task
from queues.database import Database
from queues.model import QueueName
from queues.outcome import Completed
from tests.handlers.claude import INFY, analyse, know, payload
from tests.handlers.conftest import TaskRunner
from tests.standins.messages_api import Json, MessagesApi, Reply, Request, Says, grounded_verdict

# Most of what the form forbids never comes so far: the CLI holds it against the schema. This the schema cannot say.
BARE: dict[str, Any] = {"evidence": []}
INVENTED: dict[str, Any] = {"thesis": "Analysts expect a price of 1799.5 within a year. Buy it now."}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ([BARE, BARE], Reason.INVALID),
        ([INVENTED, BARE], Reason.UNGROUNDED),
        ([BARE, INVENTED], Reason.UNGROUNDED),
    ],
    ids=["form only", "first a number", "then a number"],
)
async def test_only_refused_numbers_are_called_ungrounded(
    api: MessagesApi,
    claude: AnalystSettings,
    database: Database,
    running_task: TaskRunner,
    changes: list[dict[str, Any]],
    reason: Reason,
) -> None:
    def refused(entry: Json, change: dict[str, Any]) -> Json:
        return {**grounded_verdict(entry), **change}

    def script(request: Request) -> Reply:
        turn = len(request.submitted)
        return Says(submits=(refused(request.stocks[0], changes[turn]),)) if turn < 2 else Says("Done.")

    api.script = script
    know(database, INFY)
    ctx = running_task(QueueName.AI_ANALYSIS, payload(INFY))

    assert isinstance(await analyse(ctx, claude), Completed)

    [verdict] = database.read_now(lambda tx: verdicts_of_task(tx, ctx.task))
    assert (verdict.action, verdict.reason) == (Action.INSUFFICIENT_DATA, reason)
