"""The portfolio's numbers, against cases computed by hand, an independent library, and what must always hold."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.analytics import PortfolioFact, Rate, portfolio_facts, read_betas
from handlers.brokers.holding import Holding
from handlers.facts import Fact, NewFact, store_facts
from handlers.portfolio import AccountHolding, store_snapshot
from handlers.stocks import Exchange, Stock
from handlers.valuation import ValuedHolding, value_holdings
from queues.database import Database
from tests.oracles import require_oracle

NOW = datetime(2024, 8, 2, 12, tzinfo=UTC)
DAY = date(2024, 8, 1)
AAPL, MSFT, XOM = (Stock(symbol, Exchange.NASDAQ) for symbol in ("AAPL", "MSFT", "XOM"))
INFY = Stock("INFY", Exchange.NSE)
DOLLARS = Rate(currency="USD", base="INR", rate=Decimal("83.5"), day=date(2024, 7, 31), source="a bank")


def a_fact(number: int, stock: Stock, name: str, value: float, unit: str, as_of: date = DAY) -> Fact:
    return Fact(
        id=f"f{number}", stock=stock, name=name, value=value, unit=unit, as_of=as_of, source="s", inputs="",
        fetched_at=NOW,
    )  # fmt: skip


def held(
    stock: Stock,
    quantity: str,
    paid: str,
    close: float | None,
    *,
    number: int = 1,
    sector: str | None = None,
    account: str = "main",
    as_of: date = DAY,
    paid_in: str | None = None,
) -> ValuedHolding:
    currency = stock.exchange.currency
    holding = Holding(
        stock=stock,
        quantity=Decimal(quantity),
        average_price=Decimal(paid),
        currency=paid_in or currency,
        sector=sector,
    )
    fact = None if close is None else a_fact(number, stock, "last_close", close, currency, as_of)
    return ValuedHolding(held=AccountHolding(account=account, holding=holding, taken_at=NOW), last_close=fact)


# AAPL 1000 in two accounts, MSFT 600, XOM 400: 50, 30 and 20 percent of 2000.
THREE = [
    held(AAPL, "6", "50", 100, number=1, sector="Technology"),
    held(MSFT, "2", "250", 300, number=2, sector="Technology", as_of=date(2024, 7, 30)),
    held(XOM, "4", "150", 100, number=3),
    held(AAPL, "4", "75", 100, number=1, sector="Technology", account="other"),
]
BETAS = {
    stock: a_fact(number, stock, "beta_1y", value, "ratio")
    for number, stock, value in ((11, AAPL, 1.2), (12, MSFT, 1.0), (13, XOM, 0.5))
}


def by_name(facts: Sequence[PortfolioFact]) -> dict[tuple[str, str, str], Decimal]:
    return {(fact.name, fact.of, fact.currency): fact.value for fact in facts}


def test_a_portfolio_of_three_stocks_in_two_accounts_gives_what_was_computed_by_hand() -> None:
    facts = portfolio_facts(THREE, BETAS)
    assert {(fact.name, fact.of): (fact.value, fact.unit) for fact in facts} == {
        ("weight", "NASDAQ:AAPL"): (50, "percent"),
        ("weight", "NASDAQ:MSFT"): (30, "percent"),
        ("weight", "NASDAQ:XOM"): (20, "percent"),
        ("sector_weight", "Technology"): (80, "percent"),
        ("sector_weight", "not stated"): (20, "percent"),
        ("hhi", ""): (Decimal("0.38"), "ratio"),
        ("effective_number", ""): (1 / Decimal("0.38"), "stocks"),
        ("top_5_share", ""): (100, "percent"),
        ("value", ""): (2000, "USD"),
        ("unrealised_gain", ""): (2000 - 1700, "USD"),
        ("unrealised_gain_percent", ""): (100 * (Decimal(2000) / 1700 - 1), "percent"),
        ("beta_1y", ""): (Decimal("1.0"), "ratio"),
    }


def test_each_names_the_facts_it_was_made_of_and_is_as_old_as_the_oldest() -> None:
    facts = {fact.name: fact for fact in portfolio_facts(THREE, BETAS)}
    assert facts["hhi"].facts == ("f1", "f2", "f3")
    assert facts["beta_1y"].facts == ("f1", "f2", "f3", "f11", "f12", "f13")
    assert {fact.as_of for fact in facts.values()} == {date(2024, 7, 30)}
    assert facts["hhi"].inputs == "3 of 3 stocks"


def test_a_stock_without_a_price_has_no_weight_and_is_named() -> None:
    facts = portfolio_facts([*THREE, held(Stock("NEW", Exchange.NYSE), "5", "10", None)], BETAS)
    assert by_name(facts) == by_name(portfolio_facts(THREE, BETAS))
    assert {fact.inputs for fact in facts} == {"3 of 4 stocks; no price of NYSE:NEW"}
    assert portfolio_facts([held(AAPL, "1", "1", None)], {}) == []


def test_one_missing_beta_leaves_out_that_of_the_portfolio() -> None:
    facts = portfolio_facts(THREE, {stock: fact for stock, fact in BETAS.items() if stock != XOM})
    assert "beta_1y" not in {fact.name for fact in facts}


def test_currencies_stay_apart_without_a_rate() -> None:
    both = [*THREE, held(INFY, "10", "1400", 1670, number=4)]
    assert by_name(portfolio_facts(both, BETAS)).items() >= by_name(portfolio_facts(THREE, BETAS)).items()
    assert by_name(portfolio_facts(both, BETAS, base="INR")) == by_name(portfolio_facts(both, BETAS))
    assert by_name(portfolio_facts(both, BETAS))["weight", "NSE:INFY", "INR"] == 100


def test_with_a_rate_the_newest_converts_and_is_named() -> None:
    older = Rate(currency="USD", base="INR", rate=Decimal(70), day=date(2024, 1, 1), source="a bank")
    euros = Rate(currency="USD", base="EUR", rate=Decimal("0.9"), day=DAY, source="a bank")
    both = [*THREE, held(INFY, "20", "1400", 1670, number=4)]
    facts = portfolio_facts(both, BETAS, [DOLLARS, older, euros], "INR")
    found = by_name(facts)
    assert found["weight", "NSE:INFY", "INR"] == Decimal(100) * 33400 / (33400 + 167000)
    assert found["unrealised_gain", "", "INR"] == 300 * Decimal("83.5") + 20 * 270
    assert {currency for *_, currency in found} == {"INR"}
    assert {fact.inputs for fact in facts} == {"4 of 4 stocks; USD at 83.5 INR of 2024-07-31 (a bank)"}
    # Betas against two markets have no common meaning.
    assert "beta_1y" not in {fact.name for fact in facts}


def test_what_was_paid_in_another_currency_than_its_price_is_counted_only_with_rates_of_both() -> None:
    euros = Rate(currency="EUR", base="INR", rate=Decimal(90), day=DAY, source="a bank")
    apples = held(AAPL, "10", "80", 100, paid_in="EUR")
    found = by_name(portfolio_facts([apples], {}, [DOLLARS, euros], "INR"))
    assert found["value", "", "INR"] == 10 * 100 * Decimal("83.5")
    assert found["unrealised_gain", "", "INR"] == 10 * (100 * Decimal("83.5") - 80 * 90)
    in_dollars = [Rate(currency="EUR", base="USD", rate=Decimal("1.08"), day=DAY, source="a bank")]
    assert by_name(portfolio_facts([apples], {}, in_dollars, "USD"))["unrealised_gain", "", "USD"] == 136
    assert portfolio_facts([apples], {}, [euros], "INR") == portfolio_facts([apples], {}) == []


def test_shares_that_cost_nothing_have_a_gain_but_no_percentage_of_it() -> None:
    found = by_name(portfolio_facts([held(AAPL, "1", "0", 5)], {}))
    assert found["unrealised_gain", "", "USD"] == 5
    assert ("unrealised_gain_percent", "", "USD") not in found


def test_the_betas_read_are_those_of_the_current_facts(database: Database) -> None:
    holding = THREE[0].held.holding
    known = [NewFact(name=name, value=1.2, unit="ratio", as_of=DAY, source="s") for name in ("beta_1y", "pb")]
    database.write_now(lambda tx: store_snapshot(tx, "main", [holding], "test", "sync-1"))
    database.write_now(lambda tx: store_facts(tx, AAPL, known))
    betas = database.read_now(lambda tx: read_betas(tx, value_holdings(tx)))
    assert {stock: fact.name for stock, fact in betas.items()} == {AAPL: "beta_1y"}


lots = st.dictionaries(
    st.integers(0, 30),
    st.tuples(st.integers(1, 10**6), st.floats(0.01, 1e5), st.floats(0.01, 1e5), st.sampled_from("XYZ")),
    min_size=1,
    max_size=30,
)


@given(lots)
def test_weights_add_up_and_concentration_stays_within_its_bounds(
    portfolio: Mapping[int, tuple[int, float, float, str]],
) -> None:
    holdings = _holdings(portfolio)
    found = by_name(portfolio_facts(holdings, {}))
    weights = [value for (name, *_), value in found.items() if name == "weight"]
    sectors = [value for (name, *_), value in found.items() if name == "sector_weight"]
    assert float(sum(weights)) == pytest.approx(100)
    assert float(sum(sectors)) == pytest.approx(100)
    assert weights == sorted(weights, reverse=True)
    assert 1 - 1e-9 <= found["effective_number", "", "USD"] <= len(weights) + 1e-9
    assert portfolio_facts(holdings[::-1], {}) == portfolio_facts(holdings, {})


@settings(max_examples=25)  # the library takes its time
@given(lots)
def test_the_measures_are_those_of_an_independent_library(
    portfolio: Mapping[int, tuple[int, float, float, str]],
) -> None:
    pandas = require_oracle("pandas")
    table = pandas.DataFrame(portfolio.values(), columns=["quantity", "paid", "close", "sector"])
    table["value"] = table["quantity"] * table["close"]
    weights = table["value"] / table["value"].sum()
    theirs = {
        "hhi": (weights**2).sum(),
        "top_5_share": 100 * weights.nlargest(5).sum(),
        **(100 * weights.groupby(table["sector"]).sum()).to_dict(),
    }
    found = {fact.of or fact.name: float(fact.value) for fact in portfolio_facts(_holdings(portfolio), {})}
    assert {name: found[name] for name in theirs} == pytest.approx(theirs, rel=1e-9)
    gain = (table["quantity"] * (table["close"] - table["paid"])).sum()
    assert found["unrealised_gain"] == pytest.approx(gain, abs=1e-9 * table["value"].sum())


def _holdings(portfolio: Mapping[int, tuple[int, float, float, str]]) -> list[ValuedHolding]:
    return [
        held(Stock(f"S{n}", Exchange.NYSE), str(quantity), str(paid), close, number=n, sector=sector)
        for n, (quantity, paid, close, sector) in portfolio.items()
    ]
