"""A desk with Kite among its price sources asks it with the session that its accounts have."""

from pathlib import Path

import keyring
import pytest
from mcp import Client

from handlers.stocks import Exchange, Stock
from server.app import build_server
from server.desk import open_desk
from tests.handlers.live import NoRing
from tests.server.desks import NOTHING_BESIDE_PRICES, Agent, csv_of, sample_settings
from tests.standins.http_source import HttpSource


async def test_before_anyone_has_logged_in_to_kite_its_prices_come_from_the_next_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KITE_API_KEY", raising=False)
    monkeypatch.setattr(keyring, "get_keyring", NoRing)  # that of whoever runs the tests may hold a session
    with HttpSource() as server:
        settings = sample_settings(
            tmp_path / "home",
            price_sources=("kite", "yahoo"),
            yahoo_base_url=server.url,
            requests_per_second=100,
            **NOTHING_BESIDE_PRICES,
        )
        async with open_desk(settings, "test") as desk, Client(build_server(desk)) as client:
            agent = Agent(client)
            await agent.call("enqueue_portfolio_sync", csv_text=csv_of(Stock("INFY", Exchange.NSE)))
            await desk.manager.execute_queues()
            fetch = await agent.call("enqueue_data_fetch")
            await desk.manager.execute_queues()
            result = (await agent.call("get_task", task_id=fetch["run_id"]))["task"]["result"]
    assert result["stocks"][0]["source"] == "yahoo"
    [told] = result["stocks"][0]["passed_over"]
    assert told.startswith("Nobody has logged in to Kite for main: run `stockdesk login kite")
