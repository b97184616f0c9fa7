"""What `stockdesk status`, `tasks`, `task`, `verdicts` and `portfolio` print into a pipe."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any, get_args

import anyio.to_thread
import pytest
from mcp import Client
from typer.testing import CliRunner

from handlers.ai_analysis import analysis_task
from handlers.stocks import Exchange, Stock
from handlers.verdict import Action
from queues.database import Transaction
from queues.holds import hold_queue
from queues.model import QueueName
from queues.store import enqueue
from server.app import build_server
from server.cli import app
from server.cli.looking import ActionName
from server.desk import Desk, make_folders, open_database, open_desk
from server.rendering.commands import in_commands
from tests.server.desks import Agent, sample_settings
from tests.server.seeding import fetches, hold_all, judge_all, know_all, many_stocks, run_tasks, syncs

# 20 characters are as long as symbols get.
STOCKS = [Stock("INFY", Exchange.NSE), *many_stocks(2)]
BAIT = "\x1b[2J\x1b]0;title\x07\x9b1m\u202e[bold red]:smile:"
COMMANDS = (
    "status",
    "tasks",
    "task sync-3",
    "task analysis-5",
    "portfolio",
    "verdicts",
    "verdicts NSE:INFY",
    "spend",
)
CLOCK = ("oldest_wait_seconds", "estimated_finish")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Long names everywhere, and one text that tries to take the terminal over."""
    settings = sample_settings(tmp_path_factory.mktemp("looking") / "home")
    make_folders(settings)
    with closing(open_database(settings)) as database:
        database.write_now(_fill)
    return settings.home


def _fill(tx: Transaction) -> None:
    hold_all(tx, STOCKS)
    know_all(tx, STOCKS)
    judge_all(tx, STOCKS)
    run_tasks(tx, QueueName.PORTFOLIO_SYNC, syncs(3), [BAIT])
    enqueue(tx, [analysis_task(STOCKS[1:]), *fetches(STOCKS)])
    hold_queue(tx, QueueName.AI_ANALYSIS, "user", BAIT)


@pytest.fixture(autouse=True)
def _at_that_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction] (autouse)
    monkeypatch.setenv("STOCKDESK_HOME", str(home))
    monkeypatch.setenv("STOCKDESK_ANALYST", "baseline")


def typed(line: str) -> tuple[int, str, str]:
    ended = CliRunner().invoke(app, line.split())
    assert ended.exception is None or isinstance(ended.exception, SystemExit), ended.exception
    return ended.exit_code, ended.stdout, ended.stderr


def printed(line: str) -> str:
    code, stdout, stderr = typed(line)
    assert (code, stderr) == (0, "")
    return stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_no_line_is_longer_than_80_columns_and_no_terminal_obeys_what_is_in_it(command: str) -> None:
    for text in (printed(command), printed(f"{command} --json")):
        assert text.replace("\n", "").isprintable()
    assert max(map(len, printed(command).splitlines())) <= 80


@pytest.mark.parametrize("command", ["status", "tasks", "portfolio", "verdicts"])
def test_no_stock_and_no_id_is_cut(command: str) -> None:
    words = printed(command).replace(",", " ").split()
    assert {str(stock) for stock in STOCKS} <= set(words)
    if command in ("status", "tasks"):
        assert {"fetch-6", "analysis-5"} <= set(words)


def test_what_a_terminal_would_obey_is_shown_as_text_and_is_whole_in_json() -> None:
    shown = "".join(printed("status").split())
    assert r"\u001b[2J\u001b]0;title\u0007\u009b1m\u202e[boldred]:smile:" in shown
    (hold,) = json.loads(printed("status --json"))["queues"][2]["holds"]
    assert hold["reason"] == BAIT


async def test_json_is_what_the_tools_answer(home: Path) -> None:
    tools: dict[str, tuple[str, dict[str, Any]]] = {
        "status": ("get_queue_status", {}),
        "tasks --limit 2 --state completed --state failed": (
            "list_tasks",
            {"limit": 2, "state": ["completed", "failed"]},
        ),
        "task sync-3": ("get_task", {"task_id": "sync-3"}),
        "portfolio": ("get_portfolio", {}),
        "verdicts": ("get_verdicts", {}),
        "verdicts NSE:INFY NSE:NEVER": ("get_verdicts", {"symbols": ["NSE:INFY", "NSE:NEVER"], "full": True}),
    }
    async with open_desk(sample_settings(home), "test") as desk, Client(build_server(desk)) as client:
        for command, (tool, arguments) in tools.items():
            told = await anyio.to_thread.run_sync(printed, f"{command} --json")
            answered = await Agent(client).call(tool, **arguments)
            assert _lasting(json.loads(told)) == _lasting(answered), command


def _lasting(value: Any) -> Any:
    return json.loads(
        json.dumps(value), object_hook=lambda found: {k: v for k, v in found.items() if k not in CLOCK}
    )


async def test_each_tool_is_a_command_that_there_is_or_claude_s(desk: Desk) -> None:
    async with Client(build_server(desk)) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
    told = [in_commands(name) for name in names]
    assert not set(told) & set(names)
    commands = [each.strip("`").removeprefix("stockdesk ") for each in told if each.startswith("`")]
    assert len(set(commands)) == 11
    for command in commands:
        assert "Usage" in await anyio.to_thread.run_sync(printed, f"{command} --help")


def test_tasks_are_listed_page_by_page_and_each_once() -> None:
    seen, cursor = list[str](), ""
    while cursor is not None:
        page = json.loads(printed(f"tasks --limit 4 --json {cursor and f'--cursor {cursor}'}"))
        seen += [task["id"] for task in page["tasks"]]
        cursor = page["next_cursor"]
    assert seen == ["fetch-6", "analysis-5", "sync-4", "sync-3", "sync-2", "analysis-1"]
    assert "4 of 6 tasks; --cursor 3 shows older ones." in printed("tasks --limit 4")
    assert "fetch-6" not in printed("tasks --queue ai_analysis --run analysis-5")


def test_a_named_stock_is_shown_with_its_evidence_the_fact_and_its_source() -> None:
    shown = " ".join(printed("verdicts NSE:INFY NSE:NEVER").split())
    assert "NSE:INFY HOLD conviction 0.50, 12 months; baseline, " in shown
    assert "last_close = 1,503.25 INR, 2022-12-28, from test: This is a long" in shown
    assert "No verdict yet: NSE:NEVER." in shown
    assert "from test" not in printed("verdicts NSE:INFY --short")
    elsewhere = printed("verdicts NYSE:INFY").strip()
    assert elsewhere == "No verdict yet: NYSE:INFY. But there is one of NSE:INFY."


def test_verdicts_can_be_chosen_by_action() -> None:
    assert json.loads(printed("verdicts --action hold --json"))["total"] == len(STOCKS)
    assert printed("verdicts --action EXIT").startswith("There is no such verdict yet")
    assert get_args(ActionName) == tuple(Action)


def test_a_mistyped_home_is_named_and_no_desk_begins_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mistyped = tmp_path / "mistyped"
    monkeypatch.setenv("STOCKDESK_HOME", str(mistyped))
    for command in (*COMMANDS, "status --watch", "tasks --json", "hold ai_analysis", "takeover"):
        assert typed(command) == (
            1,
            "",
            f"There is no desk in {mistyped}: check STOCKDESK_HOME; a client, or `stockdesk worker`, begins one.\n",
        )
    assert not mistyped.exists()


def test_an_empty_desk_says_that_there_is_nothing_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_folders(sample_settings(tmp_path))
    open_database(sample_settings(tmp_path)).close()
    monkeypatch.setenv("STOCKDESK_HOME", str(tmp_path))
    assert printed("tasks").startswith("There are no tasks yet; ")
    assert printed("tasks --state failed").strip() == "There is no such task."
    assert printed("verdicts").startswith("There are no verdicts yet; ")


def test_a_report_is_a_file_that_is_not_replaced_unasked_or_goes_to_the_pipe(tmp_path: Path) -> None:
    command = f"report --format csv --out {tmp_path / 'desk.csv'}"
    assert printed(command).startswith(f"Wrote {len(STOCKS)} stocks to {tmp_path / 'desk.csv'} ")
    assert typed(command)[0] == 1
    assert printed(f"{command} --force").startswith("Wrote ")
    code, stdout, stderr = typed("report --format csv --out -")
    assert (code, stderr.startswith("Wrote ")) == (0, True)
    assert stdout.splitlines() == (tmp_path / "desk.csv").read_text("utf-8").splitlines()


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("task analysis-99", "There is no task 'analysis-99'"),
        ("tasks --cursor x\x1b[2J", "The cursor 'x\\x1b[2J' is not one that a page gave"),
        ("verdicts NO!SYMBOL", "NO!SYMBOL"),
        ("portfolio --account other", "There is no account 'other'"),
        ("cancel sync-4 analysis-99", "There is no task 'analysis-99'"),
        ("retry --run sync-99", "There is no run 'sync-99'"),
        ("retry", "Give either task_id or run_id"),
        ("retry analysis-5", "analysis-5"),
    ],
)
def test_what_there_is_not_ends_a_command_with_one_sentence(command: str, sentence: str) -> None:
    code, stdout, stderr = typed(command)
    assert (code, stdout) == (1, "")
    assert sentence in stderr
    assert stderr.count("\n") == 1


@pytest.mark.parametrize(
    "command", ["tasks --state lost", "tasks --limit 0", "verdicts --action BUY", "hold nothing"]
)
def test_what_no_command_takes_is_a_usage_error(command: str) -> None:
    assert typed(command)[0] == 2
