"""What the tools and the command line say about money."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from mcp import Client

from handlers.spend import budget_for_next_session
from handlers.stocks import Exchange, Stock
from queues.clock import system_clock
from queues.holds import hold_queue
from queues.model import QueueName
from queues.outcome import Snooze
from server.app import build_server
from server.desk import Desk, make_folders, open_database, open_desk
from server.settings import Settings, SettingsError, load_settings
from tests.handlers.test_spend import add_session
from tests.server.desks import Agent, csv_of, sample_settings
from tests.server.test_cli import Typed

KO, XOM = Stock("KO", Exchange.NYSE), Stock("XOM", Exchange.NYSE)
PAIR = '["NYSE:KO","NYSE:XOM"]'


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return sample_settings(
        tmp_path / "home", analyst="claude", timezone="Asia/Kolkata", claude_cli=tmp_path / "none"
    )


def spend(desk: Desk, **chosen: object) -> None:
    now = desk.database.read_now(lambda tx: tx.now)
    add_session(desk.database, now, **{"stocks": PAIR, "turns": 4, **chosen})


async def test_a_request_without_history_names_only_the_limit(agent: Agent) -> None:
    answer = await agent.call("enqueue_ai_analysis", symbols=["KO", "XOM"], exchange="NYSE")
    assert answer["estimate"]["low_usd"] is answer["estimate"]["minutes"] is None
    assert answer["estimate"]["at_most_usd"] == 1.0
    assert "no session like it has run yet; at most 1 x $1.00." in answer["message"]


async def test_a_request_with_history_names_its_cost_and_time(desk: Desk, agent: Agent) -> None:
    spend(desk, billing="subscription")
    answer = await agent.call("enqueue_ai_analysis", symbols=["KO", "XOM"], exchange="NYSE")
    assert "about $0.50 to $0.50 (API equivalent), as 1 like sessions did" in answer["message"]
    assert "about 1 minutes" in answer["message"]


async def test_a_request_says_how_much_of_it_waits_for_tomorrow(desk: Desk, agent: Agent) -> None:
    spend(desk, cost_usd=19.9)
    answer = await agent.call("enqueue_ai_analysis", symbols=["KO", "XOM"], exchange="NYSE")
    assert answer["estimate"]["wait_for_tomorrow"] == 1
    assert "About 1 of 1 sessions will wait for tomorrow: $0.10 of today's $20.00" in answer["message"]


async def test_the_cost_of_a_file_that_is_not_read_yet_is_estimated_later(agent: Agent) -> None:
    answer = await agent.call("enqueue_portfolio_review", csv_text=csv_of(KO, XOM))
    assert answer["estimate"] is None
    assert "estimated then (get_spend): at most $1.00 for each session." in answer["message"]


async def test_rules_are_not_estimated(tmp_path: Path) -> None:
    async with (
        open_desk(sample_settings(tmp_path / "home"), "test") as desk,
        Client(build_server(desk)) as client,
    ):
        answer = await Agent(client).call("enqueue_ai_analysis", symbols=["KO", "XOM"], exchange="NYSE")
    assert answer["estimate"] is None
    assert "$" not in answer["message"]


async def test_the_cost_of_a_session_is_split_evenly_among_its_stocks(desk: Desk, agent: Agent) -> None:
    spend(desk, cost_usd=0.5)
    spend(desk, cost_usd=0.2, stocks='["NYSE:KO"]')
    answer = await agent.call("get_spend", group="stock")
    costs = {group["group"]: group["cost_usd"] for group in answer["groups"]}
    assert costs == {"NYSE:KO": 0.45, "NYSE:XOM": 0.25}
    assert answer["total"]["cost_usd"] == 0.7


async def test_groups_come_page_by_page(desk: Desk, agent: Agent) -> None:
    for number in range(120):
        spend(desk, run_id=f"analysis-{number:030}")
    seen: list[str] = []
    cursor = None
    while True:
        answer = await agent.call("get_spend", group="run", limit=50, cursor=cursor)
        assert len(str(answer)) <= 20_000
        seen += [group["group"] for group in answer["groups"]]
        if (cursor := answer["next_cursor"]) is None:
            break
    assert len(seen) == len(set(seen)) == answer["total_groups"] == 120


async def test_what_is_not_known_is_said(desk: Desk, agent: Agent) -> None:
    spend(desk, cost_usd=None, billing="subscription")
    answer = await agent.call("get_spend")
    assert answer["total"]["unknown_cost_sessions"] == 1
    assert answer["message"].startswith("At least $0.00 for 1 session")
    assert "API equivalent" in answer["message"]
    assert (answer["today"]["spent_usd"], answer["today"]["at_most_usd"]) == (0, 1)


async def test_the_status_says_what_was_spent_and_until_when_a_queue_is_held(
    desk: Desk, agent: Agent
) -> None:
    spend(desk)
    desk.database.write_now(
        lambda tx: hold_queue(
            tx, QueueName.AI_ANALYSIS, "usage_limit", "Used up.", tx.now + timedelta(hours=1)
        )
    )
    status = await agent.call("get_queue_status")
    assert status["today"]["left_usd"] == 19.5
    assert "$0.50 of today's $20.00 spent" in status["message"]
    assert " IST (usage_limit): Used up." in status["message"]


@pytest.mark.parametrize(("each", "started"), [(0.49, 40), (0.6, 32)])
def test_the_default_budget_lets_81_stocks_finish_at_half_of_the_sessions_limit(
    settings: Settings, each: float, started: int
) -> None:
    make_folders(settings)
    database = open_database(settings)
    now = datetime(2026, 6, 1, 6, tzinfo=UTC)
    limits = {"daily_usd": settings.daily_budget_usd, "session_usd": settings.session_budget_usd}
    count = 0
    while count < 40:
        budget = database.read_now(
            lambda tx: budget_for_next_session(tx, now=now, zone=settings.zone, **limits)
        )
        if isinstance(budget, Snooze):
            break
        assert budget >= each
        add_session(database, now, cost_usd=each)
        count += 1
    database.close()
    assert count == started


@pytest.mark.parametrize(
    ("arguments", "shown"), [(["--by", "stock"], "NYSE:KO"), (["--json"], '"cost_usd": 0.5')]
)
def test_the_command_line_shows_it_too(settings: Settings, arguments: list[str], shown: str) -> None:
    make_folders(settings)
    database = open_database(settings)
    add_session(database, system_clock(), stocks=PAIR)
    database.close()
    ended = Typed(settings.home)("spend", *arguments)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert shown in ended.stdout


@pytest.mark.parametrize("name", ["Asia/Nowhere", "America", "/etc/passwd"])
def test_a_zone_that_there_is_not_is_one_sentence(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("STOCKDESK_TIMEZONE", name)
    with pytest.raises(
        SettingsError, match=f"STOCKDESK_TIMEZONE = '{name}' cannot be used: .*IANA time zone"
    ):
        load_settings()


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf"])
def test_a_budget_must_be_more_than_nothing(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("STOCKDESK_DAILY_BUDGET_USD", text)
    with pytest.raises(SettingsError, match="STOCKDESK_DAILY_BUDGET_USD"):
        load_settings()
