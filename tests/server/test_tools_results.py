from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from handlers.rates import store_rates
from handlers.sources.ecb import DayOfRates
from handlers.stocks import Exchange, Stock
from server.desk import Desk
from server.settings import Settings
from tests.server.desks import Agent, counts, csv_of, kite_csv, sample_settings

AAPL, KO, XOM = Stock("AAPL", Exchange.NASDAQ), Stock("KO", Exchange.NYSE), Stock("XOM", Exchange.NYSE)


async def review(desk: Desk, agent: Agent, *stocks: Stock) -> None:
    await agent.call("enqueue_portfolio_review", csv_text=csv_of(*stocks))
    await desk.manager.execute_queues()


async def test_an_empty_portfolio_says_what_to_do(agent: Agent) -> None:
    portfolio = await agent.call("get_portfolio")
    assert portfolio["holdings"] == portfolio["totals"] == portfolio["accounts"] == []
    assert portfolio["message"] == "Nothing is held; sync a broker's export."


async def test_a_holding_is_valued_by_a_fact_with_its_date(desk: Desk, agent: Agent) -> None:
    await review(desk, agent, AAPL, KO)
    portfolio = await agent.call("get_portfolio")
    holding = portfolio["holdings"][0]
    assert (holding["stock"], holding["currency"], holding["last_close_as_of"]) == (
        str(AAPL),
        "USD",
        "2022-12-28",
    )
    assert holding["value"] == round(holding["quantity"] * holding["last_close"], 2)
    assert holding["last_close_fact"].startswith("f")
    (total,) = portfolio["totals"]
    assert total["value"] == round(sum(each["value"] for each in portfolio["holdings"]), 2)
    assert (total["priced"], total["unpriced"]) == (2, 0)


async def test_a_price_that_is_not_known_is_null_and_counts_nowhere(desk: Desk, agent: Agent) -> None:
    await agent.call("enqueue_portfolio_sync", csv_text=kite_csv("M&M"))
    await desk.manager.execute_queues()
    portfolio = await agent.call("get_portfolio")
    (holding,) = portfolio["holdings"]
    unknown = (
        "last_close",
        "last_close_as_of",
        "last_close_fact",
        "value",
        "gain_percent",
        "weight_percent",
    )
    assert [holding[name] for name in unknown] == [None] * 6
    assert portfolio["totals"] == [
        {"currency": "INR", "cost": 1005.0, "value": None, "gain_percent": None, "priced": 0, "unpriced": 1}
    ]
    assert "1 have no known close; enqueue_data_fetch says whether a source has it." in portfolio["message"]


async def test_the_weight_of_a_stock_is_its_share_of_all_that_is_shown_of_its_currency(
    desk: Desk, agent: Agent
) -> None:
    await agent.call("enqueue_portfolio_sync", csv_text=kite_csv("M&M"), account="india")
    await agent.call("enqueue_portfolio_sync", csv_text=csv_of(AAPL), account="second")
    await review(desk, agent, AAPL, KO)
    holdings = (await agent.call("get_portfolio"))["holdings"]
    values = {each["stock"]: each["last_close"] for each in holdings}
    share = values[str(AAPL)] * 20 / (values[str(AAPL)] * 20 + values[str(KO)] * 10)
    assert [(each["account"], each["weight_percent"]) for each in holdings] == [
        ("india", None),
        ("main", pytest.approx(100 * share, abs=0.005)),
        ("main", pytest.approx(100 * (1 - share), abs=0.005)),
        ("second", pytest.approx(100 * share, abs=0.005)),
    ]
    [alone] = (await agent.call("get_portfolio", account="second"))["holdings"]
    assert alone["weight_percent"] == 100


async def test_one_account_is_shown_by_itself_in_any_case(desk: Desk, agent: Agent) -> None:
    await agent.call("enqueue_portfolio_sync", csv_text=csv_of(AAPL), account="Main")
    await agent.call("enqueue_portfolio_sync", csv_text=csv_of(KO), account="second")
    await desk.manager.execute_queues()
    portfolio = await agent.call("get_portfolio", account="MAIN")
    assert [each["name"] for each in portfolio["accounts"]] == ["main"]
    assert [each["stock"] for each in portfolio["holdings"]] == [str(AAPL)]
    assert (await agent.call("get_portfolio"))["total"] == 2


async def test_an_account_that_there_is_not_is_refused_with_those_there_are(desk: Desk, agent: Agent) -> None:
    assert "sync a broker's export first" in await agent.refused("get_portfolio", account="main")
    await review(desk, agent, AAPL)
    before = counts(desk)
    for tool in ("get_portfolio", "enqueue_portfolio_review"):
        assert "There is no account 'none'; the accounts are main." in await agent.refused(
            tool, account="none"
        )
    assert counts(desk) == before


async def test_holdings_come_in_pages(desk: Desk, agent: Agent) -> None:
    await review(desk, agent, AAPL, KO, XOM)
    first = await agent.call("get_portfolio", limit=2)
    second = await agent.call("get_portfolio", limit=2, cursor=first["next_cursor"])
    assert [each["stock"] for each in first["holdings"] + second["holdings"]] == [
        str(AAPL),
        str(KO),
        str(XOM),
    ]
    assert second["next_cursor"] is None
    assert first["totals"] == second["totals"]


async def test_a_verdict_says_who_judged_from_what_date_and_that_it_is_no_advice(
    desk: Desk, agent: Agent
) -> None:
    await review(desk, agent, AAPL, KO)
    page = await agent.call("get_verdicts")
    assert page["disclaimer"] == "AI-generated, not investment advice"
    for verdict in page["verdicts"]:
        assert verdict["analyst"] == "baseline"
        assert verdict["as_of"] == "2022-12-28"
        assert verdict["detail"] is None


async def test_a_full_verdict_carries_each_number_with_its_fact(desk: Desk, agent: Agent) -> None:
    await review(desk, agent, AAPL)
    (verdict,) = await agent.full_verdicts()
    assert verdict["detail"]["evidence"]
    for evidence in verdict["detail"]["evidence"]:
        assert evidence["fact_id"].startswith("f")
        assert evidence["unit"]
        assert evidence["as_of"] == "2022-12-28"
        assert evidence["source"] == "bundled sample, adjusted closes (skfolio)"
    assert verdict["detail"]["data_quality"] == ["prices: fresh, 0 days old"]


async def test_a_stock_without_data_has_a_verdict_that_says_so_and_its_neighbour_is_judged(
    desk: Desk, agent: Agent
) -> None:
    await agent.call("enqueue_ai_analysis", symbols=[str(AAPL), "NYSE:NOSUCH"])
    await desk.manager.execute_queues()
    judged, missing = (await agent.call("get_verdicts"))["verdicts"]
    assert (judged["stock"], judged["analyst"]) == (str(AAPL), "baseline")
    assert (missing["action"], missing["analyst"], missing["conviction"]) == (
        "INSUFFICIENT_DATA",
        "none",
        0.0,
    )
    assert missing["reason"] == "missing_data"
    assert "does not hold NYSE:NOSUCH" in missing["thesis"]


async def test_verdicts_of_named_stocks_and_the_names_that_have_none(desk: Desk, agent: Agent) -> None:
    await review(desk, agent, AAPL, KO)
    page = await agent.call("get_verdicts", symbols=["KO", "NSE:INFY"])
    assert [verdict["stock"] for verdict in page["verdicts"]] == [str(KO)]
    assert page["unknown"] == ["NSE:INFY"]
    assert page["total"] == 1


async def test_verdicts_come_in_pages_by_symbol(desk: Desk, agent: Agent) -> None:
    await review(desk, agent, XOM, KO, AAPL)
    first = await agent.call("get_verdicts", limit=2)
    second = await agent.call("get_verdicts", limit=2, cursor=first["next_cursor"])
    seen = [verdict["stock"] for page in (first, second) for verdict in page["verdicts"]]
    assert seen == [str(AAPL), str(KO), str(XOM)]
    assert second["next_cursor"] is None
    assert (first["total"], second["total"]) == (3, 3)


async def test_the_newest_verdict_of_a_stock_is_the_one_shown(desk: Desk, agent: Agent) -> None:
    await review(desk, agent, AAPL)
    await review(desk, agent, AAPL)
    (verdict,) = (await agent.call("get_verdicts"))["verdicts"]
    newest = (await agent.call("list_tasks", queue="ai_analysis"))["tasks"][0]["id"]
    assert verdict["task_id"] == newest
    assert counts(desk)["verdicts"] == 2


async def test_every_moment_that_is_shown_is_aware_and_in_utc(desk: Desk, agent: Agent) -> None:
    await review(desk, agent, AAPL)
    task = (await agent.call("list_tasks"))["tasks"][0]
    verdict = (await agent.call("get_verdicts"))["verdicts"][0]
    account = (await agent.call("get_portfolio"))["accounts"][0]
    shown = [task[name] for name in ("enqueued_at", "due_at", "started_at", "finished_at")]
    for moment in [*shown, verdict["created_at"], account["synced_at"]]:
        assert datetime.fromisoformat(moment).utcoffset() == timedelta(), moment
        assert datetime.fromisoformat(moment).tzinfo is UTC


async def test_the_audit_shows_the_weight_that_the_analyst_was_told(desk: Desk, agent: Agent) -> None:
    await review(desk, agent, AAPL, KO)
    [weight, _] = [each["weight_percent"] for each in (await agent.call("get_portfolio"))["holdings"]]
    [verdict] = (await agent.call("get_verdicts", symbols=[str(AAPL)], full=True))["verdicts"]
    assert verdict["detail"]["audit"]["inputs"][0] == f"holding: 10 shares at 100.5 USD, {weight:g} percent"


@pytest.fixture
def settings(tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    return sample_settings(tmp_path / "home", **getattr(request, "param", {}))


@pytest.mark.parametrize("settings", [{"base_currency": "EUR"}], indirect=True)
async def test_in_a_base_currency_there_is_one_total_that_names_its_rate(desk: Desk, agent: Agent) -> None:
    await review(desk, agent, AAPL, KO)
    before = await agent.call("get_portfolio")
    assert before["converted"] is None
    assert "Nothing is converted to EUR: no rate of it is stored yet" in before["message"]

    rates = DayOfRates(date(2022, 12, 27), {"USD": Decimal("1.0640")})
    desk.database.write_now(lambda tx: store_rates(tx, rates))
    portfolio = await agent.call("get_portfolio")
    [dollars] = portfolio["totals"]
    rate = Decimal("0.93984962")
    assert portfolio["converted"] == {
        "currency": "EUR",
        "value": pytest.approx(dollars["value"] * float(rate), abs=0.01),
        "unrealised_gain": pytest.approx(portfolio["spread"][0]["unrealised_gain"] * float(rate), abs=0.01),
        "unrealised_gain_percent": dollars["gain_percent"],
        "as_of": "2022-12-27",
        "of": f"2 of 2 stocks; USD at {rate} EUR of 2022-12-27 (ECB reference rates)",
    }


@pytest.mark.parametrize("settings", [{"base_currency": "USD"}], indirect=True)
async def test_where_all_is_in_the_base_currency_nothing_is_converted(desk: Desk, agent: Agent) -> None:
    await review(desk, agent, AAPL)
    portfolio = await agent.call("get_portfolio")
    assert (portfolio["converted"], portfolio["message"]) == (None, "1 holdings.")
