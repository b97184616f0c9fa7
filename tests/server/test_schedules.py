"""Recurring work over the tools: off until it is turned on, shown with what came of it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from queues.database import Transaction
from queues.inspection import tasks_of_run
from queues.model import TaskState
from server.desk import Desk
from tests.server.desks import Agent, csv_of
from tests.server.seeding import many_stocks

MORNING: dict[str, Any] = {
    "name": "morning",
    "queue": "ai_analysis",
    "cron": "45 8 * * *",
    "trading_days_of": "NSE",
}
PATIENCE = 25.0


def make_due(desk: Desk, ago: timedelta) -> None:
    """As if its time had come so long ago, while no process ran the queues."""
    desk.database.write_now(
        lambda tx: tx.run(
            "UPDATE schedules SET next_at = :at", at=tx.micros - ago // timedelta(microseconds=1)
        )
    )


async def run_until_fired(desk: Desk, agent: Agent) -> dict[str, Any]:
    """What is shown of the only schedule once the queues have run and its time has come."""
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            await tasks.start(desk.manager.run)
            while True:
                heard = desk.manager.bell.next_ring()
                [schedule] = (await agent.call("list_schedules"))["schedules"]
                if schedule["latest"]:
                    tasks.cancel_scope.cancel()
                    return schedule
                await heard.wait()
    raise AssertionError


async def test_a_schedule_is_off_until_it_is_turned_on(agent: Agent) -> None:
    first = await agent.call("set_schedule", **MORNING)
    assert (first["schedule"]["is_on"], first["schedule"]["next_at"]) == (False, None)
    assert first["message"] == "morning is off; call again with turn_on=true once the user wants it."

    turned_on = await agent.call("set_schedule", **MORNING, turn_on=True)
    schedule = turned_on["schedule"]
    next_at = datetime.fromisoformat(schedule["next_at"])
    assert next_at > datetime.now(UTC)
    assert next_at.strftime("%H:%M") == "03:15"  # 08:45 in India
    assert schedule["timezone"] == "Asia/Kolkata"
    assert schedule["does"].startswith("Analyses everything held")
    assert turned_on["message"].startswith("morning fires next ")

    listed = await agent.call("list_schedules")
    assert listed["schedules"] == [schedule]
    assert listed["message"].startswith("Next: morning, ")

    await agent.call("set_schedule", **MORNING)
    assert (await agent.call("list_schedules"))["schedules"][0]["next_at"] is None


async def test_a_schedule_says_how_it_reads_its_file_and_what_it_replaces(agent: Agent) -> None:
    sync = {**MORNING, "queue": "portfolio_sync", "path": "/data/x.csv"}
    mapped = await agent.call("set_schedule", **sync, columns={"symbol": "Code", "quantity": "Held"})
    does = "Syncs main from /data/x.csv (symbol from 'Code', quantity from 'Held')."
    assert mapped["schedule"]["does"] == does
    plain = await agent.call("set_schedule", **sync)
    assert plain["message"].endswith(f" It replaces the one that did this: {does}")
    assert "replaces" not in (await agent.call("set_schedule", **sync))["message"]


async def test_a_due_schedule_enqueues_its_work_in_the_process_that_leads(
    desk: Desk, agent: Agent, tmp_path: Path
) -> None:
    file = tmp_path / "holdings.csv"
    file.write_text(csv_of(*many_stocks(3)).replace("Symbol,", "Scrip code,"), "utf-8")
    await agent.call(
        "set_schedule",
        name="sync",
        queue="portfolio_sync",
        cron="45 8 * * *",
        timezone="Asia/Kolkata",
        path=str(file),
        columns={"symbol": "Scrip code", "quantity": "Quantity", "average price": "Average Price"},
        turn_on=True,
    )
    make_due(desk, timedelta(seconds=1))
    schedule = await run_until_fired(desk, agent)
    [firing] = schedule["latest"]
    assert (firing["outcome"], firing["detail"]) == ("fired", "1 task")
    await desk.manager.execute_queues()
    [sync] = desk.database.read_now(lambda tx: tasks_of_run(tx, firing["run_id"]))
    assert sync.state is TaskState.COMPLETED
    assert (await agent.call("get_portfolio"))["total"] == 3


async def test_a_time_that_nobody_met_is_shown_as_missed_with_what_to_do(desk: Desk, agent: Agent) -> None:
    half_a_year_away = (datetime.now(UTC).month + 5) % 12 + 1
    yearly = {"cron": f"45 8 1 {half_a_year_away} *", "timezone": "UTC", "trading_days_of": None}
    await agent.call("set_schedule", **(MORNING | yearly), turn_on=True)
    make_due(desk, timedelta(days=3))
    [missed] = (await run_until_fired(desk, agent))["latest"]
    assert (missed["outcome"], missed["run_id"]) == ("missed", None)
    message = (await agent.call("list_schedules"))["message"]
    assert "morning missed its time" in message
    assert "no process ran the queues; `stockdesk install service` keeps one running." in message


async def test_a_deleted_schedule_is_gone(agent: Agent) -> None:
    await agent.call("set_schedule", **MORNING)
    gone = await agent.call("delete_schedule", name="morning")
    assert gone["message"] == "morning is deleted; what it enqueued stays."
    assert (await agent.call("list_schedules"))["schedules"] == []
    assert "There is no schedule 'morning'; list_schedules" in await agent.refused(
        "delete_schedule", name="morning"
    )


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"cron": "every day at nine"}, "The cron expression 'every day at nine' must have five fields"),
        ({"cron": "* * * * *"}, "comes again after 1 minutes"),
        ({"timezone": "Mumbai"}, "'Mumbai' is no time zone"),
        ({"trading_days_of": "MARS"}, "Exchange 'MARS' is not known"),
        ({"trading_days_of": None}, "Give timezone (like Asia/Kolkata), trading_days_of, or set"),
        (
            {"path": "/data/x.csv"},
            "path, broker, account, exchange, columns and then_review belong to portfolio_sync",
        ),
        (
            {"columns": {"symbol": "Code"}},
            "path, broker, account, exchange, columns and then_review belong to portfolio_sync",
        ),
        (
            {"then_review": True},
            "path, broker, account, exchange, columns and then_review belong to portfolio_sync",
        ),
        ({"account": "second"}, "a schedule of ai_analysis takes everything that is held."),
        ({"columns": {"ticker": "Code"}}, "columns: ticker is not known; use 'symbol', 'isin', "),
        ({"queue": "portfolio_sync"}, "needs either path, the export that it reads each time, or broker."),
        ({"queue": "portfolio_sync", "path": "/x.csv", "broker": "kite"}, "or broker, not both."),
        (
            {"queue": "portfolio_sync", "broker": "kite", "columns": {"symbol": "Code"}},
            "Columns are of a file; a live account has none.",
        ),
        ({"queue": "portfolio_sync", "path": "x.csv"}, "must be absolute or begin with ~"),
        ({"name": "../x"}, "name: String should match pattern"),
        ({"queue": "lunch"}, "queue: Input should be"),
    ],
)
async def test_what_cannot_be_meant_is_refused_and_nothing_stored(
    agent: Agent, change: dict[str, Any], complaint: str
) -> None:
    assert complaint in await agent.refused("set_schedule", **(MORNING | change))
    assert (await agent.call("list_schedules"))["schedules"] == []


async def test_there_is_a_bound_and_all_of_them_fit_a_page(desk: Desk, agent: Agent) -> None:
    names = [f"{number}-{'x' * 38}" for number in range(10)]
    for name in names:
        await agent.call("set_schedule", **(MORNING | {"name": name, "turn_on": True}))
    await agent.call("set_schedule", **(MORNING | {"name": names[0]}))
    assert "There are 10 schedules already" in await agent.refused("set_schedule", **MORNING)

    def miss_many(tx: Transaction) -> None:
        tx.run(
            "INSERT INTO firings SELECT name, value, 'refused', value, NULL, :why FROM schedules"
            " JOIN json_each('[1, 2, 3, 4, 5, 6]')",
            why="The queue may hold 10000 queued tasks, and this request would bring more; wait, or clear it.",
        )

    desk.database.write_now(miss_many)
    listed = await agent.call("list_schedules")
    assert len(listed["schedules"]) == 10
    assert len(json.dumps(listed, indent=2)) <= 20_000
