"""Analysis by the real Claude CLI, before a stand-in of its API."""

from dataclasses import replace
from pathlib import Path

import pytest

from handlers.ai_analysis import AnalystSettings
from handlers.analyst.costs import sessions_of_task
from handlers.verdict import Action, Analyst, Reason
from handlers.verdicts import verdicts_of_task
from queues.database import Database
from queues.model import QueueName
from queues.outcome import Completed, Failed
from tests.handlers.claude import (
    INFY,
    TCS,
    WIPRO,
    analyse,
    follow_ups,
    know,
    payload,
)
from tests.handlers.conftest import TaskRunner
from tests.standins.claude_scripts import (
    never_ends,
    says_nothing_useful,
    submits_one_per_turn,
)
from tests.standins.messages_api import (
    SUBMIT,
    Json,
    MessagesApi,
    Reply,
    Request,
    Says,
    grounded_verdict,
)

AI = QueueName.AI_ANALYSIS


def invented(entry: Json) -> Json:
    return {
        **grounded_verdict(entry),
        "thesis": "Analysts expect a price of 1799.5 within a year. Buy it now.",
    }


@pytest.mark.usefixtures("api")
async def test_each_of_two_stocks_gets_a_verdict_from_its_own_facts(
    claude: AnalystSettings, database: Database, running_task: TaskRunner
) -> None:
    know(database, INFY, TCS)
    ctx = running_task(AI, payload(INFY, TCS))

    outcome = await analyse(ctx, claude)

    assert isinstance(outcome, Completed)
    verdicts = database.read_now(lambda tx: verdicts_of_task(tx, ctx.task))
    assert [(each.stock, each.action, each.analyst) for each in verdicts] == [
        (INFY, Action.HOLD, Analyst.CLAUDE),
        (TCS, Action.HOLD, Analyst.CLAUDE),
    ]
    assert [each.evidence[0].value for each in verdicts] == [1503.46, 1510.46]
    [session] = database.read_now(lambda tx: sessions_of_task(tx, ctx.task.id))
    assert session.ended_as == "Finished"
    assert (session.spent.turns, session.spent.input_tokens, session.spent.output_tokens) == (2, 2400, 680)
    assert session.spent.cost_usd == pytest.approx(2 * (1200 * 3 + 340 * 15) / 1e6)
    assert {each.session_id for each in verdicts} == {session.session_id}
    assert outcome.result["sessions"][0]["session_id"] == session.session_id  # type: ignore[index] (JSON)


async def test_the_session_has_one_tool_and_nothing_of_its_surroundings(
    api: MessagesApi, claude: AnalystSettings, database: Database, running_task: TaskRunner, tmp_path: Path
) -> None:
    know(database, INFY, TCS)
    home = tmp_path / "claude home"
    (home / ".claude").mkdir()
    (home / ".claude" / "CLAUDE.md").write_text("SURROUNDINGS", encoding="utf-8")
    (home / ".claude.json").write_text('{"mcpServers": {"x": {"command": "SURROUNDINGS"}}}', encoding="utf-8")

    await analyse(running_task(AI, payload(INFY, TCS)), claude)

    assert [request.tool_names for request in api.requests] == [[SUBMIT], [SUBMIT]]
    assert "SURROUNDINGS" not in str(api.requests[0].body)
    assert "You are the analyst of a research desk." in str(api.requests[0].body["system"])
    assert not list((home / ".claude").rglob("*.jsonl"))
    assert [each.name for each in claude.folder.iterdir()] == ["claude.lock"]


async def test_three_stocks_fit_even_when_each_takes_a_turn(
    api: MessagesApi, claude: AnalystSettings, database: Database, running_task: TaskRunner
) -> None:
    api.script = submits_one_per_turn
    know(database, INFY, TCS, WIPRO)
    ctx = running_task(AI, payload(INFY, TCS, WIPRO))

    assert isinstance(await analyse(ctx, claude), Completed)

    assert [each.stock for each in database.read_now(lambda tx: verdicts_of_task(tx, ctx.task))] == [
        INFY,
        TCS,
        WIPRO,
    ]


async def test_an_invented_number_is_named_and_mended_in_the_same_session(
    api: MessagesApi, claude: AnalystSettings, database: Database, running_task: TaskRunner
) -> None:
    def script(request: Request) -> Reply:
        if not request.submitted:
            return Says(submits=(invented(request.stocks[0]),))
        if len(request.submitted) == 1:
            return Says(submits=(grounded_verdict(request.stocks[0]),))
        return Says("Done.")

    api.script = script
    know(database, INFY)
    ctx = running_task(AI, payload(INFY))

    assert isinstance(await analyse(ctx, claude), Completed)

    assert "1799.5" in api.requests[1].tool_errors[0]
    assert len(api.requests[2].tool_errors) == 1
    [verdict] = database.read_now(lambda tx: verdicts_of_task(tx, ctx.task))
    assert verdict.action is Action.HOLD
    assert len(database.read_now(lambda tx: sessions_of_task(tx, ctx.task.id))) == 1


async def test_a_stock_whose_numbers_stay_invented_is_stored_as_ungrounded_and_its_neighbour_is_kept(
    api: MessagesApi, claude: AnalystSettings, database: Database, running_task: TaskRunner
) -> None:
    def script(request: Request) -> Reply:
        first, second = request.stocks
        match len(request.submitted):
            case 0 | 1:
                return Says(submits=(invented(first),))
            case 2:
                return Says(submits=(grounded_verdict(second, "ADD"),))
            case _:
                return Says("Done.")

    api.script = script
    know(database, INFY, TCS)
    ctx = running_task(AI, payload(INFY, TCS))

    assert isinstance(await analyse(ctx, claude), Completed)

    refused, accepted = database.read_now(lambda tx: verdicts_of_task(tx, ctx.task))
    assert (refused.action, refused.reason) == (Action.INSUFFICIENT_DATA, Reason.UNGROUNDED)
    assert (accepted.stock, accepted.action) == (TCS, Action.ADD)


async def test_what_exhausted_turns_leave_open_goes_on_as_a_smaller_task_before_its_equals(
    api: MessagesApi, claude: AnalystSettings, database: Database, running_task: TaskRunner
) -> None:
    def script(request: Request) -> Reply:
        return (
            never_ends(request) if request.submitted else Says(submits=(grounded_verdict(request.stocks[0]),))
        )

    api.script = script
    know(database, INFY, TCS)
    ctx = running_task(AI, payload(INFY, TCS))

    outcome = await analyse(ctx, claude)

    [follow_up] = follow_ups(database, outcome)
    assert (follow_up.payload["stocks"], follow_up.carried) == (["NSE:TCS"], True)
    assert isinstance(outcome, Completed)
    result = running_task.end(ctx, outcome).result
    assert result is not None
    assert result["moved"] == {"NSE:TCS": "analysis-2"}
    [session] = database.read_now(lambda tx: sessions_of_task(tx, ctx.task.id))
    assert (session.ended_as, session.spent.turns) == ("TurnsExhausted", 8)
    assert "NSE:NOTASKED was not asked for" in api.requests[-1].tool_errors[0]


async def test_a_session_without_any_verdict_is_split(
    api: MessagesApi, claude: AnalystSettings, database: Database, running_task: TaskRunner
) -> None:
    api.script = says_nothing_useful
    know(database, INFY, TCS, WIPRO)

    outcome = await analyse(running_task(AI, payload(INFY, TCS, WIPRO)), claude)

    assert [task.payload["stocks"] for task in follow_ups(database, outcome)] == [
        ["NSE:INFY", "NSE:TCS"],
        ["NSE:WIPRO"],
    ]


async def test_one_stock_whose_session_ends_without_a_verdict_fails(
    api: MessagesApi, claude: AnalystSettings, database: Database, running_task: TaskRunner
) -> None:
    api.script = says_nothing_useful
    know(database, INFY)

    outcome = await analyse(running_task(AI, payload(INFY)), claude)

    assert isinstance(outcome, Failed)
    assert outcome.error == "The session ended without a verdict of NSE:INFY."


async def test_a_used_up_budget_moves_what_is_left(
    api: MessagesApi, claude: AnalystSettings, database: Database, running_task: TaskRunner
) -> None:
    api.script = submits_one_per_turn
    know(database, INFY, TCS)

    outcome = await analyse(running_task(AI, payload(INFY, TCS)), replace(claude, budget_usd=0.001))

    [follow_up] = follow_ups(database, outcome)
    assert follow_up.payload["stocks"] == ["NSE:TCS"]
