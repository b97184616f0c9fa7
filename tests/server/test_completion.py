"""What a client may suggest while somebody types, in both protocol eras."""

from collections.abc import AsyncIterator, Sequence
from typing import TypeAlias

import pytest
from mcp import Client, MCPError
from mcp.types import INVALID_PARAMS, Completion, PromptReference, ResourceTemplateReference

from handlers.stocks import Exchange, Stock
from queues.database import Transaction
from queues.store import enqueue
from server.app import build_server
from server.desk import Desk
from tests.server.seeding import fetches, hold_all, judge_all, know_all, many_stocks, syncs

Argument: TypeAlias = tuple[PromptReference | ResourceTemplateReference, str]

JUDGED = [Stock("INFY", Exchange.NSE), Stock("WIPRO", Exchange.NSE)]
HELD = [Stock("HINDINF", Exchange.BSE), Stock("INFY", Exchange.NSE), Stock("M&M", Exchange.NSE)]
ACCOUNT: Argument = PromptReference(name="review_portfolio"), "account"
SYMBOL: Argument = PromptReference(name="explain_verdict"), "symbol"
TASK: Argument = PromptReference(name="why_stuck"), "task_id"


def template(uri: str) -> Argument:
    """The template and its one argument."""
    return ResourceTemplateReference(uri=uri), uri.partition("{")[2].rstrip("}")


@pytest.fixture(params=["auto", "legacy"])
async def client(desk: Desk, request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    async with Client(build_server(desk), mode=request.param) as client:
        yield client


@pytest.fixture
async def _a_desk_with_something(desk: Desk) -> None:
    def seed(tx: Transaction) -> None:
        hold_all(tx, HELD, account="main")
        hold_all(tx, HELD, account="retirement")
        know_all(tx, JUDGED)
        judge_all(tx, JUDGED)
        enqueue(tx, [*syncs(2), *fetches(JUDGED)])

    await desk.database.write(seed)


async def completed(client: Client, of: Argument, typed: str) -> Completion:
    ref, argument = of
    return (await client.complete(ref, {"name": argument, "value": typed})).completion


COMPLETED: Sequence[tuple[Argument, str, list[str]]] = [
    (ACCOUNT, "", ["main", "retirement"]),
    (ACCOUNT, "MA", ["main"]),
    (ACCOUNT, "ire", ["retirement"]),
    (SYMBOL, "", ["NSE:INFY", "NSE:WIPRO", "BSE:HINDINF", "NSE:M&M"]),
    (SYMBOL, "inf", ["NSE:INFY", "BSE:HINDINF"]),
    (SYMBOL, "nse:", ["NSE:INFY", "NSE:WIPRO", "NSE:M&M"]),
    (TASK, "", ["fetch-4", "sync-3", "sync-2", "analysis-1"]),
    (TASK, "S", ["sync-3", "sync-2", "analysis-1"]),
    (TASK, "-3", ["sync-3"]),
    (template("stockdesk://queues/{queue}"), "a", ["ai_analysis", "data_fetcher"]),
    (template("stockdesk://tasks/{id}"), "fetch", ["fetch-4"]),
    (template("stockdesk://verdicts/{symbol}"), "m&", ["NSE:M&M"]),
    ((PromptReference(name="what_changed"), "since"), "", []),
]


@pytest.mark.usefixtures("_a_desk_with_something")
async def test_what_begins_so_comes_before_what_holds_it_and_case_does_not_count(client: Client) -> None:
    for of, typed, values in COMPLETED:
        found = await completed(client, of, typed)
        assert found == Completion(values=values, total=len(values), has_more=False), typed


async def test_of_many_a_hundred_are_named_and_all_are_counted(client: Client, desk: Desk) -> None:
    def seed(tx: Transaction) -> None:
        hold_all(tx, many_stocks(250))
        enqueue(tx, syncs(250))

    await desk.database.write(seed)
    for of in (SYMBOL, TASK):
        found = await completed(client, of, "")
        assert (len(found.values), found.total, found.has_more) == (100, 250, True)


@pytest.mark.usefixtures("_a_desk_with_something")
async def test_nothing_that_is_typed_does_harm(client: Client) -> None:
    for of in (ACCOUNT, SYMBOL, TASK, template("stockdesk://queues/{queue}")):
        for typed in ("' OR 1=1 --", "%", "_nse", "{}", "x" * 1_000_000, "\0", "../..", "Ⅻ"):
            found = await completed(client, of, typed)
            assert found == Completion(values=[], total=0, has_more=False), typed


async def test_what_there_is_not_cannot_be_completed(client: Client) -> None:
    for ref, sentence in (
        (PromptReference(name="none"), "There is no prompt 'none'; there are review_portfolio, "),
        (ResourceTemplateReference(uri="stockdesk://none/{id}"), "There is no resource template 'stock"),
    ):
        with pytest.raises(MCPError) as refused:
            await completed(client, (ref, "id"), "")
        assert refused.value.code == INVALID_PARAMS
        assert sentence in refused.value.message
