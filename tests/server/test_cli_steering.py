"""`stockdesk hold`, `cancel` and `retry`, as a person types them."""

import json

import pytest
from typer.testing import CliRunner

from handlers.planning import fetch_task
from handlers.stocks import Exchange, Stock
from queues.database import Transaction
from queues.inspection import TaskFilter, list_tasks
from queues.store import enqueue
from server.cli import app
from server.desk import make_folders, open_database
from server.settings import Settings


@pytest.fixture(autouse=True)
def _two_tasks_are_queued(settings: Settings) -> None:  # pyright: ignore[reportUnusedFunction] (autouse)
    def put(tx: Transaction) -> None:
        enqueue(tx, [fetch_task([Stock(symbol, Exchange.NYSE)]) for symbol in ("KO", "PEP")])

    make_folders(settings)
    database = open_database(settings)
    database.write_now(put)
    database.close()


def states(settings: Settings) -> dict[str, str]:
    database = open_database(settings)
    tasks, _ = database.read_now(lambda tx: list_tasks(tx, TaskFilter(), limit=9))
    database.close()
    return {task.id: task.state for task in tasks}


def typed(*arguments: str) -> tuple[int, str]:
    ended = CliRunner().invoke(app, arguments)
    return ended.exit_code, ended.output


def test_a_hold_has_a_reason_and_an_end(settings: Settings) -> None:
    code, said = typed("hold", "data_fetcher", "the source is slow", "--minutes", "5")
    assert (code, said.startswith("data_fetcher starts nothing more until ")) == (0, True)
    (hold,) = json.loads(typed("status", "--json")[1])["queues"][1]["holds"]
    assert (hold["source"], hold["reason"]) == ("user", "the source is slow")
    assert hold["until"] is not None
    assert typed("hold", "ai_analysis")[1].startswith(
        "ai_analysis starts nothing more until `stockdesk release"
    )
    assert settings.home.exists()


def test_a_reason_too_long_for_a_status_is_refused() -> None:
    assert typed("hold", "data_fetcher", "x" * 201) == (
        1,
        "A reason has 1 to 200 characters, this one 201; shorten it.\n",
    )


def test_tasks_are_cancelled_all_or_none_and_brought_back_one_or_all_of_a_run(settings: Settings) -> None:
    assert typed("cancel", "fetch-1", "fetch-99")[0] == 1
    assert states(settings) == {"fetch-1": "queued", "fetch-2": "queued"}
    code, said = typed("cancel", "fetch-1", "fetch-2", "--reason", "not today")
    assert (code, said.startswith("2 cancelled, ")) == (0, True)
    assert typed("task", "fetch-2")[1].count("not today") == 1
    assert typed("retry", "fetch-2")[1].startswith("1 queued anew, ")
    assert states(settings) == {"fetch-1": "cancelled", "fetch-2": "queued"}
    assert typed("retry", "--run", "fetch-1")[1].startswith("1 queued anew, ")
    assert states(settings) == {"fetch-1": "queued", "fetch-2": "queued"}
