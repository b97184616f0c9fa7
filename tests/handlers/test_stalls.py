"""An API that falls silent: the session's own deadline ends it, and what it used is written down."""

from dataclasses import replace
from datetime import timedelta

import pytest

from handlers.ai_analysis import AnalystSettings
from handlers.analyst.costs import sessions_of_task
from handlers.verdicts import verdicts_of_task
from queues.database import Database
from queues.model import QueueName
from queues.outcome import Retry
from tests.handlers.claude import INFY, TCS, analyse, know, payload, processes_that_name
from tests.handlers.conftest import TaskRunner
from tests.standins.claude_scripts import submits_one_per_turn
from tests.standins.messages_api import MessagesApi, Reply, Request, Says, Stalls

AI = QueueName.AI_ANALYSIS


@pytest.mark.parametrize("after", [None, Says("It is")], ids=["no byte", "in mid-stream"])
async def test_a_silent_api_is_given_up_at_the_deadline_and_the_verdict_before_it_is_kept(
    after: Says | None,
    api: MessagesApi,
    claude: AnalystSettings,
    database: Database,
    running_task: TaskRunner,
) -> None:
    def script(request: Request) -> Reply:
        return Stalls(after=after) if request.submitted else submits_one_per_turn(request)

    api.script = script
    know(database, INFY, TCS)
    ctx = running_task(AI, payload(INFY, TCS))

    outcome = await analyse(ctx, replace(claude, deadline=timedelta(seconds=4)))

    assert outcome == Retry(
        "The Claude session did not end by its deadline (STOCKDESK_SESSION_MINUTES).",
    )
    assert len(api.requests) == 2
    assert [each.stock for each in database.read_now(lambda tx: verdicts_of_task(tx, ctx.task))] == [INFY]
    [session] = database.read_now(lambda tx: sessions_of_task(tx, ctx.task.id))
    assert (session.ended_as, session.at_least) == ("DeadlinePassed", True)
    assert session.spent.turns == (1 if after is None else 2)
    assert (session.spent.input_tokens or 0) >= 1200
    assert (session.spent.cost_usd or 0) > 0.0086  # the first answer cost $0.0087
    assert not processes_that_name(session.session_id)
