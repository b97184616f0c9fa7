"""An account is removed only after a person said so; then its holdings are gone, and its snapshots stay."""

from typing import Any

from handlers.stocks import Exchange, Stock
from queues.database import Transaction
from queues.model import QueueName
from server.desk import Desk
from tests.server.desks import Agent, csv_of
from tests.server.test_confirmation import ERAS, NO, Person, agent_of
from tests.server.test_tools_control import state

AAPL, KO = Stock("AAPL", Exchange.NASDAQ), Stock("KO", Exchange.NYSE)


async def hold_two_accounts(desk: Desk, agent: Agent) -> None:
    await agent.call("enqueue_portfolio_sync", csv_text=csv_of(AAPL, KO), account="old")
    await agent.call("enqueue_portfolio_sync", csv_text=csv_of(AAPL))
    await desk.manager.execute_queues()


def snapshots(tx: Transaction) -> list[tuple[Any, ...]]:
    return tx.rows(
        "SELECT account, count(symbol) FROM snapshots LEFT JOIN holdings ON snapshot = seq GROUP BY seq"
    )


@ERAS
async def test_the_person_is_asked_and_then_the_account_is_gone_and_what_it_alone_held_counts_as_sold(
    desk: Desk, era: Any
) -> None:
    person = Person()
    async with agent_of(desk, era, person) as agent:
        await hold_two_accounts(desk, agent)
        await agent.call("hold_queue", queue="ai_analysis", reason="A test.")
        await agent.call("enqueue_ai_analysis", symbols=[str(AAPL), str(KO)])
        removal = await agent.call("remove_account", account="Old")
        await desk.manager.execute_queues()
        result = (await agent.call("get_task", task_id=removal["run_id"]))["task"]["result"]
        portfolio = await agent.call("get_portfolio")
        assert "There is no account 'old'" in await agent.refused("remove_account", account="old")
    assert person.asked == ["Remove the account old, with 2 holdings, from the portfolio?"]
    assert [each["stock"] for each in result["removed"]] == [str(AAPL), str(KO)]
    assert list(result["withdrawn"]) == [str(KO)]
    assert [(each["account"], each["stock"]) for each in portfolio["holdings"]] == [("main", str(AAPL))]
    assert [each["name"] for each in portfolio["accounts"]] == ["main"]
    assert desk.database.read_now(snapshots) == [("old", 2), ("main", 1), ("old", 0)]


async def test_without_a_yes_the_account_stays_and_a_client_that_cannot_ask_is_told_to(desk: Desk) -> None:
    person = Person()
    async with agent_of(desk, "auto", person) as agent:
        await hold_two_accounts(desk, agent)
        for person.answer, said in NO:
            refusal = await agent.refused("remove_account", account="old", confirm=True)
            assert refusal.startswith("Nothing was removed: asked “Remove the account old, with 2 holdings")
            assert said in refusal
    async with agent_of(desk, "legacy", None) as agent:
        assert (await agent.refused("remove_account", account="old")).endswith(
            "call again with confirm=true."
        )
        assert len((await agent.call("list_tasks", queue=QueueName.PORTFOLIO_SYNC))["tasks"]) == 2
        removal = await agent.call("remove_account", account="old", confirm=True)
    assert state(desk, removal["run_id"]) == "queued"


async def test_a_removal_is_not_retried_for_the_account_may_have_been_synced_since(
    desk: Desk, agent: Agent
) -> None:
    await hold_two_accounts(desk, agent)
    removal = await agent.call("remove_account", account="old", confirm=True)
    assert "It removes the account old: what only that held counts as sold." in removal["message"]
    await desk.manager.execute_queues()
    await agent.call("enqueue_portfolio_sync", csv_text=csv_of(KO), account="old")
    await desk.manager.execute_queues()
    sentence = f"{removal['run_id']} removes the account old, and is not retried; remove_account asks anew."
    assert sentence in await agent.refused("retry_task", task_id=removal["run_id"])
    cancelled = await agent.call("remove_account", account="old", confirm=True)
    await agent.call("cancel_tasks", task_ids=cancelled["task_ids"])
    assert "remove_account asks anew" in await agent.refused("retry_task", run_id=cancelled["run_id"])
    assert [each["account"] for each in (await agent.call("get_portfolio"))["holdings"]] == ["main", "old"]


async def test_a_schedule_that_would_bring_the_account_back_is_named_and_a_sync_does(
    desk: Desk, agent: Agent
) -> None:
    await hold_two_accounts(desk, agent)
    for name, turn_on in (("morning", True), ("rests", False)):
        await agent.call(
            "set_schedule",
            name=name,
            queue="portfolio_sync",
            cron="45 8 * * *",
            timezone="UTC",
            path="/data/holdings.csv",
            account="old",
            turn_on=turn_on,
        )
    removal = await agent.call("remove_account", account="old", confirm=True)
    assert " morning will sync it again; delete_schedule ends that." in removal["message"]
    await agent.call("enqueue_portfolio_sync", csv_text=csv_of(KO), account="old")
    await desk.manager.execute_queues()
    assert [each["name"] for each in (await agent.call("get_portfolio"))["accounts"]] == ["main", "old"]
