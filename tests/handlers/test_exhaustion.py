"""The last turns and the last cents of a session: what they suffice for, and what of it counts."""

from collections import Counter
from dataclasses import replace

from claude_agent_sdk import AssistantMessage, ToolUseBlock

from handlers.ai_analysis import AnalystSettings
from handlers.analyst.costs import sessions_of_task
from handlers.analyst.ending import BudgetExhausted
from handlers.analyst.options import max_turns
from handlers.analyst.submissions import MAX_REFUSALS
from handlers.analyst.watch import Watch
from handlers.verdict import Action
from handlers.verdicts import verdicts_of_task
from queues.database import Database
from queues.model import QueueName
from queues.outcome import Completed
from tests.handlers.claude import INFY, TCS, WIPRO, analyse, follow_ups, know, payload
from tests.handlers.conftest import TaskRunner
from tests.standins.claude_scripts import never_ends
from tests.standins.messages_api import MessagesApi, Reply, Request, Says, grounded_verdict, submits_all

BATCH = (INFY, TCS, WIPRO)


async def test_each_verdict_of_the_answer_that_uses_up_the_budget_is_kept(
    api: MessagesApi, claude: AnalystSettings, database: Database, running_task: TaskRunner
) -> None:
    """The CLI ends with the answer, before it has called the tool for each verdict in it."""
    api.script = submits_all
    know(database, *BATCH)
    ctx = running_task(QueueName.AI_ANALYSIS, payload(*BATCH))

    outcome = await analyse(ctx, replace(claude, budget_usd=0.001))

    [session] = database.read_now(lambda tx: sessions_of_task(tx, ctx.task.id))
    assert session.ended_as == "BudgetExhausted"
    stocks = [each.stock for each in database.read_now(lambda tx: verdicts_of_task(tx, ctx.task))]
    assert stocks == list(BATCH)
    assert isinstance(outcome, Completed)
    assert follow_ups(database, outcome) == []
    assert len(api.requests) == 1


def test_a_call_of_another_tool_hands_in_nothing() -> None:
    watch = Watch(ending=BudgetExhausted())
    block = ToolUseBlock(id="t", name="Bash", input={"symbol": "NSE:INFY"})
    watch.see(AssistantMessage(content=[block], model="m", message_id="m1"))
    assert watch.cut_off == []


async def test_turns_suffice_for_three_stocks_that_come_alone_and_are_each_mended_once(
    api: MessagesApi, claude: AnalystSettings, database: Database, running_task: TaskRunner
) -> None:
    """The longest session that settles all by the rules: a second refusal settles a stock as a verdict does."""
    api.script = mends_each
    know(database, *BATCH)
    ctx = running_task(QueueName.AI_ANALYSIS, payload(*BATCH))

    assert isinstance(await analyse(ctx, claude), Completed)

    [session] = database.read_now(lambda tx: sessions_of_task(tx, ctx.task.id))
    turns = len(BATCH) * MAX_REFUSALS + 1
    assert (session.ended_as, session.spent.turns) == ("Finished", turns)
    assert turns < max_turns(len(BATCH))
    verdicts = database.read_now(lambda tx: verdicts_of_task(tx, ctx.task))
    assert [(each.stock, each.action) for each in verdicts] == [(stock, Action.HOLD) for stock in BATCH]


async def test_a_budget_that_is_used_up_without_a_verdict_splits_the_batch(
    api: MessagesApi, claude: AnalystSettings, database: Database, running_task: TaskRunner
) -> None:
    api.script = never_ends
    know(database, *BATCH)
    ctx = running_task(QueueName.AI_ANALYSIS, payload(*BATCH))

    outcome = await analyse(ctx, replace(claude, budget_usd=0.001))

    assert [task.payload["stocks"] for task in follow_ups(database, outcome)] == [
        ["NSE:INFY", "NSE:TCS"],
        ["NSE:WIPRO"],
    ]
    [session] = database.read_now(lambda tx: sessions_of_task(tx, ctx.task.id))
    assert session.ended_as == "BudgetExhausted"


def mends_each(request: Request) -> Reply:
    """One stock a turn; the first submission of each has a number that is not among its facts."""
    tries = Counter(request.submitted)
    for entry in request.stocks:
        match tries[entry["stock"]]:
            case 0:
                return Says(submits=({**grounded_verdict(entry), "thesis": "It is worth 1799.5. Buy it."},))
            case 1:
                return Says(submits=(grounded_verdict(entry),))
            case _:
                pass
    return Says("All verdicts are submitted.")
