"""What belongs to who asks, whichever process happens to lead: the analyst; and prices as new as the session."""

from datetime import date
from pathlib import Path

import pytest
from mcp import Client

from handlers.stocks import Exchange, Stock
from queues.model import QueueName
from server.app import build_server
from server.control import hold
from server.desk import open_desk
from server.requests import request_analysis
from tests.server.desks import SAMPLE_DAY, Agent, csv_of, sample_settings

KO, XOM = Stock("KO", Exchange.NYSE), Stock("XOM", Exchange.NYSE)


@pytest.mark.parametrize("tool", ["enqueue_ai_analysis", "enqueue_portfolio_review"])
async def test_the_analyst_is_that_of_who_asks_and_not_of_who_leads(tmp_path: Path, tool: str) -> None:
    wanted = (
        {"symbols": [str(KO), str(XOM)]} if tool == "enqueue_ai_analysis" else {"csv_text": csv_of(KO, XOM)}
    )
    leading = sample_settings(tmp_path / "home", analyst="claude", claude_cli=tmp_path / "no CLI")
    async with (
        open_desk(sample_settings(tmp_path / "home"), "asks") as asking,
        open_desk(leading, "leads") as leader,
        Client(build_server(asking)) as client,
    ):
        agent = Agent(client)
        await agent.call(tool, **wanted)
        await leader.manager.execute_queues()
        verdicts = (await agent.call("get_verdicts"))["verdicts"]
        status = await agent.call("get_queue_status")
    assert {(each["stock"], each["analyst"]) for each in verdicts} == {
        (str(KO), "baseline"),
        (str(XOM), "baseline"),
    }
    assert (status["analyst"], status["queues"][2]["holds"]) == ("baseline", [])


async def test_an_analysis_that_was_held_over_a_session_judges_by_the_prices_of_that_session(
    tmp_path: Path,
) -> None:
    the_day_before = sample_settings(tmp_path / "home", as_of=date(2022, 12, 27))
    async with open_desk(the_day_before, "test") as desk:
        await hold(desk, QueueName.AI_ANALYSIS, reason="not today", minutes=None)
        asked = await request_analysis(desk, symbols=[str(KO), str(XOM)], exchange=None, priority=0)
        await desk.manager.execute_queues()
    async with (
        open_desk(sample_settings(tmp_path / "home"), "test") as desk,
        Client(build_server(desk)) as client,
    ):
        agent = Agent(client)
        await agent.call("release_queue", queue="ai_analysis")
        await desk.manager.execute_queues()
        verdicts = (await agent.call("get_verdicts"))["verdicts"]
        detail = await agent.call("get_task", task_id=asked.run_id)
    assert [(each["stock"], each["as_of"]) for each in verdicts] == [
        (str(KO), str(SAMPLE_DAY)),
        (str(XOM), str(SAMPLE_DAY)),
    ]
    run = detail["run"]
    assert (run["stocks"], run["stocks_done"], run["finished"]) == (2, 2, True)
    assert run["tasks"]["completed"] == 4
