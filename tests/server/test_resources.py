"""The desk as a client reads it without calling a tool."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp.types import TextResourceContents

from handlers.ai_analysis import analysis_task
from handlers.audit import store_inputs
from handlers.facts import current_facts
from handlers.stocks import Exchange, Stock
from handlers.verdict import Analyst
from handlers.verdicts import store_verdict
from queues.database import Transaction
from queues.store import enqueue
from server.app import build_server
from server.desk import Desk, open_database, open_desk
from tests.server.desks import Agent, counts, csv_of, sample_settings
from tests.server.seeding import LONG, hold_all, judge_all, know_all, many_stocks, wordy

LONGEST = 20_000
M_AND_M = Stock("M&M", Exchange.NSE)
KO = Stock("KO", Exchange.NYSE)
PAGE = "ui://stockdesk/dashboard"
ALWAYS = [
    PAGE,
    "stockdesk://status",
    "stockdesk://portfolio",
    "stockdesk://queues/portfolio_sync",
    "stockdesk://queues/data_fetcher",
    "stockdesk://queues/ai_analysis",
]
NOTHING = {
    "stockdesk://tasks/sync-99": "There is no task 'sync-99'; list_tasks shows the ids.",
    "stockdesk://tasks/x' OR 1=1 --": "is no id of a task; list_tasks shows the ids.",
    "stockdesk://tasks/%s%n{0}": "is no id of a task; list_tasks shows the ids.",
    "stockdesk://tasks/%ED%A0%80-1": "is no id of a task; list_tasks shows the ids.",
    "stockdesk://tasks/%00": "There is no resource",
    "stockdesk://queues/imports": "there are portfolio_sync, data_fetcher, ai_analysis.",
    "stockdesk://verdicts/NSE:INFY": "NSE:INFY has no verdict yet; enqueue_ai_analysis asks for one.",
    "stockdesk://verdicts/INFY": "The exchange of INFY is not known; write NSE:INFY",
    "stockdesk://verdicts/LSE:VOD": "Exchange 'LSE' is not known; use one of NSE",
    "stockdesk://verdicts/..%2F..%2Fetc%2Fpasswd": "There is no resource",
    "stockdesk://portfolio/main": "resources/list and resources/templates/list show what there is.",
    "file:///etc/passwd": "There is no resource 'file:///etc/passwd'",
    "stockdesk://tasks/" + "9" * 100_000: "There is no resource",
    "": "There is no resource ''",
}


@pytest.fixture(params=["auto", "legacy"])
async def client(desk: Desk, request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    async with Client(build_server(desk), mode=request.param) as opened:
        yield opened


async def text_at(client: Client, uri: str) -> str:
    (only,) = (await client.read_resource(uri)).contents
    assert isinstance(only, TextResourceContents)
    assert (only.uri, only.mime_type) == (uri, "application/json")
    return only.text


async def shown_at(client: Client, uri: str) -> Any:
    return json.loads(await text_at(client, uri))


async def refusal_of(client: Client, uri: str) -> MCPError:
    with pytest.raises(MCPError) as caught:
        await client.read_resource(uri)
    return caught.value


async def listed(client: Client, cursor: str | None = None) -> list[str]:
    """The addresses of all pages from this one on."""
    page = await client.list_resources(cursor=cursor)
    uris = [resource.uri for resource in page.resources]
    return uris if page.next_cursor is None else [*uris, *await listed(client, page.next_cursor)]


async def test_each_resource_shows_what_its_tool_answers(desk: Desk, client: Client) -> None:
    agent = Agent(client)
    run_id = (await agent.call("enqueue_portfolio_review", csv_text=csv_of(KO)))["run_id"]
    await desk.manager.execute_queues()
    status = await agent.call("get_queue_status")
    assert await shown_at(client, "stockdesk://status") == status
    assert await shown_at(client, "stockdesk://portfolio") == await agent.call("get_portfolio")
    assert await shown_at(client, "stockdesk://queues/ai_analysis") == status["queues"][2]
    task = await agent.call("get_task", task_id=run_id)
    assert await shown_at(client, f"stockdesk://tasks/{run_id}") == task
    verdict = await agent.call("get_verdicts", symbols=["NYSE:KO"], full=True)
    assert verdict["verdicts"][0]["detail"]["evidence"]
    assert await shown_at(client, "stockdesk://verdicts/NYSE:KO") == verdict
    assert await shown_at(client, "stockdesk://verdicts/ko") == verdict  # held on one exchange only


async def test_the_list_has_what_exists_and_all_of_it_can_be_read(desk: Desk, client: Client) -> None:
    assert await listed(client) == ALWAYS
    await Agent(client).call("enqueue_portfolio_review", csv_text=csv_of(KO))
    await desk.manager.execute_queues()
    desk.database.write_now(lambda tx: (know_all(tx, [M_AND_M]), judge_all(tx, [M_AND_M])))
    uris = await listed(client)
    tasks = [f"stockdesk://tasks/{each}" for each in ("analysis-4", "analysis-3", "fetch-2", "sync-1")]
    assert uris == [*ALWAYS, *tasks, "stockdesk://verdicts/NYSE:KO", "stockdesk://verdicts/NSE:M%26M"]
    for uri in uris[1:]:
        assert await shown_at(client, uri)
    assert (await shown_at(client, uris[-1]))["verdicts"][0]["stock"] == "NSE:M&M"


async def test_what_is_listed_says_what_it_is(client: Client) -> None:
    templates = (await client.list_resource_templates()).resource_templates
    assert [(each.uri_template, each.name) for each in templates] == [
        ("stockdesk://queues/{queue}", "queue"),
        ("stockdesk://tasks/{id}", "task"),
        ("stockdesk://verdicts/{symbol}", "verdict"),
    ]
    page, *resources = (await client.list_resources()).resources
    assert page.uri == PAGE
    assert all(each.description and each.icons for each in (*templates, *resources[:2]))
    for each in (*templates, *resources):
        assert (each.mime_type, each.title != each.name) == ("application/json", True)
        assert each.annotations is not None
        assert each.annotations.audience == ["user", "assistant"]


async def test_a_listed_verdict_says_when_it_was_made(desk: Desk, client: Client) -> None:
    desk.database.write_now(lambda tx: (know_all(tx, [KO]), judge_all(tx, [KO])))
    resource = (await client.list_resources()).resources[-1]
    (verdict,) = (await shown_at(client, resource.uri))["verdicts"]
    assert resource.annotations is not None
    assert str(resource.annotations.last_modified).replace("+00:00", "Z") == verdict["created_at"]


async def test_an_address_that_shows_nothing_is_refused_with_the_next_step(
    desk: Desk, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    before = counts(desk)
    for uri, sentence in NOTHING.items():
        refusal = await refusal_of(client, uri)
        assert refusal.code == (-32602 if client.protocol_version == "2026-07-28" else -32002)
        assert sentence in refusal.message
        assert len(refusal.message) < 250
        assert refusal.data == {"uri": uri[:200]}
    assert counts(desk) == before
    assert not any(len(record.getMessage()) > 400 or record.exc_info for record in caplog.records)


async def test_a_cursor_that_no_page_gave_is_refused(client: Client) -> None:
    with pytest.raises(MCPError, match="The cursor 'x y' is not one that a page gave") as caught:
        await client.list_resources(cursor="x y")
    assert caught.value.code == -32602


async def test_only_what_lasts_may_be_kept_by_a_client(desk: Desk) -> None:
    async with Client(build_server(desk)) as client:
        lasting = [
            await client.list_tools(),
            await client.list_prompts(),
            await client.list_resource_templates(),
        ]
        stale = [await client.list_resources(), await client.read_resource("stockdesk://status")]
    assert {(each.ttl_ms, each.cache_scope) for each in lasting} == {(3_600_000, "private")}
    assert {(each.ttl_ms, each.cache_scope) for each in stale} == {(0, "private")}


async def test_what_the_analyst_was_given_is_cut_where_it_is_too_much(desk: Desk) -> None:
    def seed(tx: Transaction) -> None:
        know_all(tx, [KO])
        facts = current_facts(tx, KO)
        texts = [
            {
                "id": f"t{n}",
                "kind": "news",
                "date": "2022-12-01",
                "source": "x",
                "title": "x",
                "text": LONG * 9,
            }
            for n in range(8)
        ]
        [task] = [each.task for each in enqueue(tx, [analysis_task([KO])])]
        digest = store_inputs(tx, "0" * 64, {"texts": texts})
        submission = wordy(KO, facts)
        store_verdict(tx, task, KO, submission, facts, analyst=Analyst.BASELINE, inputs=digest)

    desk.database.write_now(seed)
    async with Client(build_server(desk)) as client:
        text = await text_at(client, "stockdesk://verdicts/NYSE:KO")
    assert LONGEST - 1_000 < len(text) <= LONGEST
    inputs = json.loads(text)["verdicts"][0]["detail"]["audit"]["inputs"]
    assert inputs[0].startswith("t0 news")
    assert inputs[-1] == f"… {9 - len(inputs)} more; get_verdicts with full=true shows them all"


async def test_with_500_stocks_and_10_000_tasks_all_is_listed_once_and_nothing_is_long(
    tmp_path: Path,
) -> None:
    stocks = many_stocks(500)

    def seed(tx: Transaction) -> None:
        hold_all(tx, stocks)
        know_all(tx, stocks)
        judge_all(tx, stocks)
        enqueue(tx, [analysis_task([stock]) for stock in many_stocks(10_000)])

    settings = sample_settings(tmp_path, queue_limit=20_000)
    database = open_database(settings)
    database.write_now(seed)
    database.close()
    async with open_desk(settings, "test") as desk, Client(build_server(desk)) as client:
        uris: list[str] = []
        cursor = None
        while cursor is not None or not uris:
            page = await client.list_resources(cursor=cursor)
            assert len(page.model_dump_json(by_alias=True, exclude_none=True)) <= LONGEST
            uris += [resource.uri for resource in page.resources]
            cursor = page.next_cursor
        assert len(uris) == len(set(uris)) == len(ALWAYS) + 20 + 500
        for uri in (*uris[1:7], uris[-1]):
            assert len(await text_at(client, uri)) <= LONGEST
