"""What stands behind a verdict can be looked up: inputs, session, refusals, the verdict before and what changed."""

from typing import Any

from handlers.ai_analysis import AnalystSettings
from handlers.analyst.briefs import read_briefs
from handlers.analyst.prompt import entry_of, hash_of
from handlers.audit import MOST_CHANGES, Audit, audit_of
from handlers.facts import NewFact, store_facts
from handlers.verdict import Action
from handlers.verdicts import verdicts_of_task
from queues.database import Database
from queues.model import QueueName
from tests.handlers.claude import AS_OF, INFY, analyse, know, new_facts, payload
from tests.handlers.conftest import NOW, TaskRunner
from tests.standins.messages_api import MessagesApi, Reply, Request, Says, grounded_verdict

AI = QueueName.AI_ANALYSIS


async def judged(running_task: TaskRunner, settings: AnalystSettings) -> Audit:
    ctx = running_task(AI, payload(INFY))
    running_task.end(ctx, await analyse(ctx, settings))
    return ctx.database.read_now(lambda tx: audit_of(tx, verdicts_of_task(tx, ctx.task)[-1]))


async def test_the_inputs_are_what_the_model_was_sent(
    api: MessagesApi, claude: AnalystSettings, database: Database, running_task: TaskRunner
) -> None:
    know(database, INFY)
    audit = await judged(running_task, claude)
    assert audit.inputs == api.requests[0].stocks[0]
    [brief] = database.read_now(lambda tx: read_briefs(tx, [INFY], NOW))
    stored = database.read_now(lambda tx: tx.rows("SELECT hash FROM inputs"))
    assert stored == [(hash_of(entry_of(brief)),)]


async def test_the_session_tells_model_prompt_turns_tokens_and_cost(
    api: MessagesApi, claude: AnalystSettings, database: Database, running_task: TaskRunner
) -> None:
    know(database, INFY)
    session = (await judged(running_task, claude)).session
    assert session is not None
    assert (session.model, session.stocks, session.ended_as) == (claude.model, ("NSE:INFY",), "Finished")
    assert session.spent.turns == len(api.requests)
    assert session.spent.cost_usd is not None


async def test_refused_submissions_are_kept_in_the_words_of_the_refusal(
    api: MessagesApi, claude: AnalystSettings, database: Database, running_task: TaskRunner
) -> None:
    def script(request: Request) -> Reply:
        good = grounded_verdict(request.stocks[0])
        match len(request.submitted):
            case 0:
                return Says(submits=({**good, "risks": ["It may fall to 1200.5."]},))
            case 1:
                return Says(submits=(good,))
            case _:
                return Says("Done.")

    api.script = script
    know(database, INFY)
    [refusal] = (await judged(running_task, claude)).refusals
    assert "1200.5" in refusal
    assert refusal in api.requests[-1].tool_errors[0]


async def test_what_changed_since_the_verdict_before_is_told(
    api: MessagesApi, claude: AnalystSettings, database: Database, running_task: TaskRunner
) -> None:
    know(database, INFY)
    first = await judged(running_task, claude)
    assert (first.previous, first.changes) == (None, ())

    def sells(request: Request) -> Reply:
        verdict = {**grounded_verdict(request.stocks[0], "TRIM"), "conviction": 0.4}
        return Says("Done.") if request.submitted else Says(submits=(verdict,))

    api.script = sells
    database.write_now(lambda tx: store_facts(tx, INFY, new_facts(2)))
    audit = await judged(running_task, claude)
    assert audit.previous is not None
    assert audit.previous.action is Action.HOLD
    assert audit.changes == (
        "action: HOLD → TRIM",
        "conviction: 0.6 → 0.4",
        "last_close: 1503.46 → 1505.46 INR",
        "return_3m: -5.25 → -3.25 percent",
        "rsi_14: 44.1234 → 46.1234 points",
    )


async def test_the_verdict_before_a_renewed_one_is_not_the_one_that_it_renews(
    api: MessagesApi, claude: AnalystSettings, database: Database, running_task: TaskRunner
) -> None:
    know(database, INFY)
    await judged(running_task, claude)
    renewed = await judged(running_task, claude)
    assert len([request for request in api.requests if not request.submitted]) == 1
    assert renewed.previous is None


async def test_a_long_list_of_changed_facts_is_cut(
    baseline: AnalystSettings, database: Database, running_task: TaskRunner
) -> None:
    def facts(shift: float) -> list[NewFact]:
        numbers: list[dict[str, Any]] = [
            {"name": f"fact_{number}", "value": number + shift} for number in range(20)
        ]
        return [NewFact(**each, unit="INR", as_of=AS_OF, source="sample") for each in numbers]

    know(database, INFY)
    database.write_now(lambda tx: store_facts(tx, INFY, facts(0)))
    await judged(running_task, baseline)
    database.write_now(lambda tx: store_facts(tx, INFY, facts(1)))
    changes = (await judged(running_task, baseline)).changes
    assert len(changes) == MOST_CHANGES + 1
    assert changes[-1] == f"{20 - MOST_CHANGES} more facts"
