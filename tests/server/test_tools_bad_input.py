"""Whatever a model sends: the answer is a sentence that names the next step, and nothing is stored."""

from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from server.app import build_server
from server.desk import Desk
from server.syncs import MAX_CSV_BYTES
from tests.server.desks import TABLES, Agent, counts, csv_of
from tests.server.test_tools_enqueue import AAPL

NOTHING = dict.fromkeys([*TABLES, "uploads"], 0)

BAIT = [
    "'; DROP TABLE tasks; --",
    '" OR 1=1 --',
    "%s%n%x",
    "{0.__class__}",
    "${STOCKDESK_HOME}",
    "../../etc/passwd",
    "NSE:",
    ":INFY",
    "NSE:NSE:INFY",
    "\x00",
    "INFY\n\x1b[31m",
    "\u202eYFNI",
    "",
    " ",
]

WRONG_TYPES_AND_BOUNDS: list[tuple[str, dict[str, Any]]] = [
    ("enqueue_portfolio_review", {"path": 7}),
    ("enqueue_portfolio_review", {"account": "x" * 41}),
    ("enqueue_portfolio_sync", {"path": "/" + "x" * 1000}),
    ("enqueue_portfolio_sync", {"csv_text": 12.5}),
    ("enqueue_data_fetch", {"symbols": "INFY"}),
    ("enqueue_data_fetch", {"symbols": [7]}),
    ("enqueue_data_fetch", {"symbols": ["INFY"] * 1001}),
    ("enqueue_data_fetch", {"symbol": "INFY"}),
    ("enqueue_data_fetch", {"force": "perhaps"}),
    ("enqueue_ai_analysis", {}),
    ("enqueue_ai_analysis", {"symbols": []}),
    ("enqueue_ai_analysis", {"symbols": ["NSE:INFY"], "priority": 101}),
    ("enqueue_ai_analysis", {"symbols": ["NSE:INFY"], "priority": 10**30}),
    ("enqueue_ai_analysis", {"symbols": ["NSE:INFY"], "priority": 0.5}),
    ("enqueue_ai_analysis", {"symbols": ["X" * 41]}),
    ("get_queue_status", {"queue": "ai_analysis"}),
    ("list_tasks", {"queue": "everything"}),
    ("list_tasks", {"state": ["broken"]}),
    ("list_tasks", {"limit": 0}),
    ("list_tasks", {"limit": 51}),
    ("get_task", {}),
    ("get_task", {"task_id": ""}),
    ("get_task", {"task_id": "x" * 10_000}),
    ("get_task", {"task_id": "sync-1", "wait_seconds": 51}),
    ("get_task", {"task_id": "sync-1", "wait_seconds": -1}),
    ("get_task", {"task_id": "sync-1", "wait_for": "ever"}),
    ("cancel_tasks", {"task_ids": "sync-1"}),
    ("cancel_tasks", {"run_id": "x" * 41}),
    ("cancel_tasks", {"task_ids": ["sync-1"], "reason": "x" * 201}),
    ("retry_task", {"task_id": ["fetch-1"]}),
    ("hold_queue", {"queue": "ai_analysis"}),
    ("hold_queue", {"queue": "ai_analysis", "reason": ""}),
    ("hold_queue", {"queue": "ai_analysis", "reason": "x", "minutes": 0}),
    ("hold_queue", {"queue": "ai_analysis", "reason": "x", "minutes": 43_201}),
    ("release_queue", {"queue": "all"}),
    ("release_queue", {"queue": "ai_analysis", "include_old": "maybe"}),
    ("clear_queue", {}),
    ("clear_queue", {"queue": None}),
    ("find_stocks", {"query": ""}),
    ("find_stocks", {"query": "x" * 81}),
    ("remove_account", {"account": ["main"], "confirm": True}),
    ("get_portfolio", {"limit": 51}),
    ("get_portfolio", {"cursor": "x" * 61}),
    ("get_verdicts", {"symbols": ["INFY"] * 1001}),
    ("get_verdicts", {"full": "very"}),
]

NOT_POSSIBLE: list[tuple[str, dict[str, Any], str]] = [
    ("get_task", {"task_id": "nope"}, "list_tasks shows the ids"),
    ("retry_task", {"task_id": "sync-9"}, "list_tasks shows the ids"),
    ("cancel_tasks", {"task_ids": ["sync-9"]}, "list_tasks shows the ids"),
    ("cancel_tasks", {"run_id": "sync-9"}, "list_tasks shows the run"),
    ("list_tasks", {"cursor": "-1"}, "leave it out to start anew"),
    ("list_tasks", {"cursor": "9" * 19}, "leave it out to start anew"),
    ("get_portfolio", {"cursor": "1; SELECT 1"}, "leave it out to start anew"),
    ("get_verdicts", {"cursor": "'--"}, "leave it out to start anew"),
    ("get_verdicts", {"cursor": "INFY"}, "leave it out to start anew"),
    ("get_verdicts", {"symbols": ["INFY"]}, "write NSE:INFY"),
    ("get_verdicts", {"symbols": ["INFY"], "exchange": "LSE"}, "use one of NSE, BSE"),
    ("enqueue_ai_analysis", {"symbols": ["INFY"]}, "pass exchange, or set STOCKDESK_DEFAULT_EXCHANGE"),
    ("enqueue_ai_analysis", {"symbols": ["NSE:INFY", "TCS"]}, "write NSE:TCS"),
    ("enqueue_data_fetch", {"symbols": ["INFY"], "exchange": "Bombay"}, "use one of NSE, BSE"),
    ("enqueue_portfolio_review", {}, "pass path or csv_text"),
    ("enqueue_portfolio_sync", {}, "exactly one of path"),
    ("enqueue_portfolio_sync", {"path": "/a", "csv_text": "b"}, "exactly one of path"),
    ("enqueue_portfolio_sync", {"csv_text": " \n "}, "pass the content"),
    ("enqueue_portfolio_sync", {"csv_text": "x" * (MAX_CSV_BYTES + 1)}, "pass the file's path"),
    ("enqueue_portfolio_sync", {"csv_text": "Symbol\ud800"}, "half a character ('\\ud800' at position 6)"),
    ("enqueue_portfolio_review", {"csv_text": "\udfff"}, "pass the file's path"),
    ("enqueue_portfolio_sync", {"path": "/tmp/\ud800.csv"}, "path: "),
    ("enqueue_portfolio_sync", {"csv_text": "x", "account": "../../etc"}, "account: "),
    ("enqueue_portfolio_sync", {"csv_text": "x", "account": ""}, "account: "),
    ("enqueue_portfolio_sync", {"csv_text": "x", "exchange": "LSE"}, "use one of NSE, BSE"),
    ("enqueue_portfolio_sync", {"path": "holdings.csv"}, "must be absolute or begin with ~"),
    ("enqueue_portfolio_sync", {"path": "../holdings.csv"}, "must be absolute or begin with ~"),
    ("enqueue_portfolio_sync", {"path": "/no/such.csv"}, "check the path, or pass csv_text"),
    ("enqueue_portfolio_sync", {"path": "/"}, "check the path, or pass csv_text"),
    ("enqueue_portfolio_sync", {"path": "/dev/zero"}, "check the path, or pass csv_text"),
    ("enqueue_portfolio_sync", {"path": "/tmp/\x00.csv"}, "check the path, or pass csv_text"),
    ("enqueue_portfolio_sync", {"path": "/" + "x" * 900}, "cannot be used"),
    ("enqueue_portfolio_sync", {"path": "~no-such-user/a.csv"}, "cannot be used"),
]


async def test_arguments_of_a_wrong_type_or_out_of_bounds_are_refused(desk: Desk, agent: Agent) -> None:
    for tool, arguments in WRONG_TYPES_AND_BOUNDS:
        text = await agent.refused(tool, **arguments)
        assert any(name in text for name in arguments) or "is missing" in text, (tool, text)
        assert "pydantic" not in text
        assert len(text) < 300
        assert counts(desk) == NOTHING, (tool, arguments)


async def test_what_is_not_possible_is_one_short_sentence_that_says_what_is(desk: Desk, agent: Agent) -> None:
    for tool, arguments, next_step in NOT_POSSIBLE:
        text = await agent.refused(tool, **arguments)
        assert next_step in text
        assert "Traceback" not in text
        assert len(text) < 400
        assert counts(desk) == NOTHING, (tool, arguments)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_errors_reach_clients_of_both_eras(desk: Desk, mode: Any) -> None:
    async with Client(build_server(desk), mode=mode) as client:
        agent = Agent(client)
        assert "no task 'nope'" in await agent.refused("get_task", task_id="nope")
        assert (await agent.call("enqueue_ai_analysis", symbols=["NYSE:KO"]))["tasks"] == 2


async def test_bait_is_never_a_symbol(desk: Desk, agent: Agent) -> None:
    for bait in BAIT:
        for tool in ("enqueue_ai_analysis", "enqueue_data_fetch", "get_verdicts"):
            assert await agent.refused(tool, symbols=["NSE:INFY", bait])
    assert counts(desk) == NOTHING


async def test_bait_that_is_only_text_is_stored_and_shown_as_it_is(agent: Agent) -> None:
    for bait in (each for each in BAIT if each.strip()):
        await agent.call("hold_queue", queue="data_fetcher", reason=bait)
        fetch = (await agent.call("enqueue_data_fetch", symbols=["NYSE:KO"]))["run_id"]
        await agent.call("cancel_tasks", task_ids=[fetch], reason=bait)
        status = await agent.call("get_queue_status")
        assert status["queues"][1]["holds"][0]["reason"] == bait
        error = (await agent.call("get_task", task_id=fetch))["task"]["error"]
        assert error == f"Cancelled on request: {bait}"
        assert (await agent.call("list_tasks", run_id=bait[:40]))["total"] == 0


async def test_a_file_that_is_no_export_fails_without_showing_what_is_in_it(
    desk: Desk, agent: Agent, tmp_path: Path
) -> None:
    secret = tmp_path / "id_rsa"
    secret.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n", "utf-8")
    answer = await agent.call("enqueue_portfolio_sync", path=str(secret))
    await desk.manager.execute_queues()
    task = (await agent.call("get_task", task_id=answer["run_id"]))["task"]
    assert task["state"] == "failed"
    assert "hunter2" not in str(task)


@pytest.mark.parametrize(
    "text", ["\x00" * 100, "=cmd|'/c calc'!A1", '"' * 999, "a,b,c\n" * 5000, "[1, 2", "\ufeff"]
)
async def test_a_text_that_is_no_export_is_a_failed_task_or_refused(
    desk: Desk, agent: Agent, text: str
) -> None:
    result = await agent.client.call_tool("enqueue_portfolio_sync", {"csv_text": text})
    if not result.is_error:
        await desk.manager.execute_queues()
        task = (await agent.call("get_task", task_id="sync-1"))["task"]
        assert task["state"] == "failed"
        assert len(task["error"]) < 500
    assert counts(desk)["snapshots"] == 0


async def test_the_server_goes_on_after_every_kind_of_bad_input(desk: Desk, agent: Agent) -> None:
    for tool, arguments in WRONG_TYPES_AND_BOUNDS:
        await agent.refused(tool, **arguments)
    assert (await agent.call("enqueue_portfolio_sync", csv_text=csv_of(AAPL)))["tasks"] == 1
    await desk.manager.execute_queues()
    assert (await agent.call("get_portfolio"))["total"] == 1


async def test_a_database_that_cannot_be_written_is_told_in_one_sentence(desk: Desk, agent: Agent) -> None:
    # The limit of pages is SQLite's own way to a full disk.
    desk.database.write_now(lambda tx: tx.run("PRAGMA max_page_count = 1"))
    text = await agent.refused("enqueue_ai_analysis", symbols=[f"NSE:S{number}" for number in range(1000)])
    assert "database or disk is full" in text
    assert "nothing was changed" in text
    assert "Check disk space" in text
    assert counts(desk)["tasks"] == 0
