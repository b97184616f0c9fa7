"""The sample as it is bundled, the pace of requests, and how sources are opened."""

from datetime import date

import pytest

from handlers.sources.base import NotCoveredError, SourceError
from handlers.sources.opening import SourceSettings, open_sources
from handlers.sources.pace import Pace
from handlers.sources.sample import SampleSource, sample_last_day, sample_stocks
from handlers.stocks import Exchange, Stock
from tests.standins.http_source import HttpSource

INFY = Stock("INFY", Exchange.NSE)
AAPL = Stock("AAPL", Exchange.NASDAQ)
MONDAY, TUESDAY, WEDNESDAY = date(2022, 12, 26), date(2022, 12, 27), date(2022, 12, 28)


async def test_requests_to_one_host_keep_their_distance() -> None:
    now, slept = 100.0, list[float]()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    pace = Pace(4, monotonic=lambda: now, sleep=sleep)
    for _ in range(3):
        await pace.turn()
    now = 110.0
    await pace.turn()
    assert slept == [0, 0.25, 0.5, 0]


@pytest.mark.parametrize("per_second", [0, -1, float("nan")])
def test_a_pace_of_nothing_is_refused(per_second: float) -> None:
    with pytest.raises(ValueError, match="more than 0"):
        Pace(per_second)


async def test_the_sample_holds_real_closes_of_20_stocks() -> None:
    assert len(sample_stocks()) == 20
    assert sample_last_day() == WEDNESDAY
    bars = await SampleSource().daily_prices(AAPL, date(2000, 1, 1), date(2030, 1, 1))
    assert (len(bars), bars[0].day, bars[-1].day) == (754, date(2020, 1, 2), WEDNESDAY)
    assert (bars[-1].close, bars[-1].adj_close) == (125.674, 125.674)


async def test_the_sample_gives_only_the_period_that_was_asked_for() -> None:
    bars = await SampleSource().daily_prices(AAPL, MONDAY, TUESDAY)
    assert [bar.day for bar in bars] == [TUESDAY]  # Monday was a holiday


async def test_the_sample_does_not_cover_other_stocks_or_days() -> None:
    with pytest.raises(NotCoveredError, match="does not hold NSE:INFY"):
        await SampleSource().daily_prices(INFY, MONDAY, WEDNESDAY)
    with pytest.raises(NotCoveredError, match="from 2020-01-02 to 2022-12-28, none from 2026-01-01"):
        await SampleSource().daily_prices(AAPL, date(2026, 1, 1), date(2026, 2, 1))


def prices_of(*names: str, url: str = "http://127.0.0.1:1") -> SourceSettings:
    return SourceSettings(prices=names, yahoo_url=url, requests_per_second=100)


async def test_sources_open_in_the_order_of_the_settings(server: HttpSource) -> None:
    async with open_sources(prices_of("sample", "yahoo", url=server.url)) as sources:
        sample, yahoo = sources.prices
        assert (sample.name, yahoo.name) == ("sample", "yahoo")
        await yahoo.daily_prices(AAPL, MONDAY, WEDNESDAY)
    assert "Stockdesk" in server.requests[0].headers["User-Agent"]


async def test_a_source_that_does_not_exist_is_named() -> None:
    with pytest.raises(ValueError, match="There is no source 'stooq'; use one of yahoo, sample"):
        async with open_sources(prices_of("stooq")):
            pytest.fail("it opened")


async def test_certificates_that_cannot_be_read_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
    with pytest.raises(
        SourceError, match=r"^The certificates .* cannot be read .*; correct or unset SSL_CERT_FILE"
    ):
        async with open_sources(prices_of("yahoo")):
            pytest.fail("it opened")
