"""A desk with a base currency brings its rates with the prices, and converts by them."""

from functools import partial
from pathlib import Path

import pytest
from mcp import Client

from handlers.sources import ecb
from handlers.stocks import Exchange, Stock
from server.app import build_server
from server.desk import open_desk
from tests.server.desks import NOTHING_BESIDE_PRICES, Agent, csv_of, sample_settings
from tests.standins.http_source import HttpSource, Reply, Request, chart

RATES = (
    b"<r><Cube time='2022-12-28'><Cube currency='USD' rate='1.0640'/>"
    b"<Cube currency='INR' rate='88.1455'/></Cube></r>"
)


def sources(request: Request) -> Reply:
    return Reply(200, RATES) if request.path.startswith("/stats") else chart(request)


@pytest.mark.parametrize(("prices", "converts"), [("yahoo", True), ("sample", False)])
async def test_a_fetch_brings_the_rates_unless_only_the_sample_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prices: str, *, converts: bool
) -> None:
    with HttpSource(sources) as server:
        monkeypatch.setattr(ecb, "open_ecb", partial(ecb.open_ecb, url=server.url))
        settings = sample_settings(
            tmp_path / "home",
            price_sources=(prices,),
            yahoo_base_url=server.url,
            base_currency="INR",
            requests_per_second=100,
            **NOTHING_BESIDE_PRICES,
        )
        async with open_desk(settings, "test") as desk, Client(build_server(desk)) as client:
            agent = Agent(client)
            await agent.call("enqueue_portfolio_sync", csv_text=csv_of(Stock("AAPL", Exchange.NASDAQ)))
            await desk.manager.execute_queues()
            fetch = await agent.call("enqueue_data_fetch")
            await desk.manager.execute_queues()
            result = (await agent.call("get_task", task_id=fetch["run_id"]))["task"]["result"]
            portfolio = await agent.call("get_portfolio")
            assert (await agent.call("get_task", task_id=fetch["run_id"]))["run"]["stocks_done"] == 1
    assert result.get("rates") == ("ECB reference rates of 2022-12-28" if converts else None)
    [holding] = portfolio["holdings"]
    if converts:
        assert portfolio["converted"]["value"] == pytest.approx(holding["value"] * 82.843515, abs=0.01)
    else:
        assert portfolio["converted"] is None
