"""What find_stocks answers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from server.settings import Settings
from tests.server.desks import Agent, sample_settings
from tests.standins.http_source import HttpSource, always, json_reply


@pytest.fixture
def yahoo() -> Iterator[HttpSource]:
    with HttpSource(always(json_reply({"quotes": []}))) as source:
        yield source


@pytest.fixture
def settings(tmp_path: Path, yahoo: HttpSource, request: pytest.FixtureRequest) -> Settings:
    sources = getattr(request, "param", ("yahoo",))
    return sample_settings(tmp_path / "home", price_sources=sources, yahoo_base_url=yahoo.url)


async def test_a_company_is_found_and_what_is_found_is_what_other_tools_take(agent: Agent) -> None:
    found = await agent.call("find_stocks", query="coca cola co")
    assert found["stocks"][0] == {"stock": "NYSE:KO", "company": "COCA COLA CO"}
    fetch = await agent.call("enqueue_data_fetch", symbols=[found["stocks"][0]["stock"]])
    assert fetch["tasks"] == 1


async def test_a_blank_query_is_refused(agent: Agent) -> None:
    assert (
        await agent.refused("find_stocks", query=" \t")
        == "query is blank; write part of a company's name, a symbol or an ISIN."
    )


async def test_of_many_the_first_ten_are_shown_and_counted(agent: Agent) -> None:
    found = await agent.call("find_stocks", query="bank")
    assert len(found["stocks"]) == 10
    assert found["message"].startswith("The first 10 of ")


async def test_what_nobody_knows_is_said_with_who_was_asked(agent: Agent, yahoo: HttpSource) -> None:
    found = await agent.call("find_stocks", query="xyzzy")
    assert (found["stocks"], len(yahoo.requests)) == ([], 1)
    assert found["message"].endswith("neither the desk's lists nor Yahoo.")


@pytest.mark.parametrize("settings", [("sample",)], indirect=True)
async def test_without_a_source_of_the_network_the_refusal_says_what_to_write(agent: Agent) -> None:
    assert "write the symbol with its exchange, like NSE:INFY." in await agent.refused(
        "find_stocks", query="xyzzy"
    )
    assert "find_stocks finds it" in await agent.refused("enqueue_ai_analysis", symbols=["Coca Cola"])
