"""What US companies file with the SEC (EDGAR): figures of their reports, and the list of their filings. No key.

The SEC wants a User-Agent with a contact, and at most 10 requests a second (sec.gov/os/accessing-edgar-data).
`www.sec.gov/files/company_tickers.json` is `{"0": {"cik_str", "ticker", "title"}, …}`;
`data.sec.gov/api/xbrl/companyfacts/CIK##########.json` is
`{"facts": {"us-gaap": {CONCEPT: {"units": {UNIT: [{"start", "end", "val", "accn", "form", "filed"}]}}}, "dei": {…}}}`;
`data.sec.gov/submissions/CIK##########.json` is `{"filings": {"recent": {"form": […], "filingDate": […], …}}}`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from http import HTTPStatus
from itertools import islice
from typing import Self, TypeVar

from pydantic import BaseModel, Field, RootModel, model_validator

from handlers.computing import compute
from handlers.sources.base import NotCoveredError, SourceError
from handlers.sources.figures import INSTANTS, Concept, FundamentalFigure
from handlers.sources.http import Host, parse
from handlers.stocks import Stock
from handlers.texts import NewText

CITATION = "SEC companyfacts"
# The first that a company uses goes before the others; which one is its own choice, and changes over the years.
_TAGS: Mapping[Concept, Sequence[str]] = {
    Concept.REVENUE: [
        "RevenueFromContractWithCustomerExcludingAssessedTax",
        "Revenues",
        "SalesRevenueNet",
    ],
    Concept.GROSS_PROFIT: ["GrossProfit"],
    Concept.OPERATING_INCOME: ["OperatingIncomeLoss"],
    Concept.NET_INCOME: ["NetIncomeLoss"],
    Concept.DILUTED_EPS: ["EarningsPerShareDiluted"],
    Concept.OPERATING_CASH_FLOW: ["NetCashProvidedByUsedInOperatingActivities"],
    Concept.CAPEX: ["PaymentsToAcquirePropertyPlantAndEquipment", "PaymentsToAcquireProductiveAssets"],
    Concept.EQUITY: ["StockholdersEquity"],
    Concept.DEBT: ["DebtLongtermAndShorttermCombinedAmount", "LongTermDebt"],
    Concept.SHARES: ["EntityCommonStockSharesOutstanding"],
}
_REPORTS = frozenset({"10-K", "10-Q", "10-K/A", "10-Q/A", "20-F", "40-F"})
_FILINGS = frozenset({*_REPORTS, "8-K", "8-K/A", "6-K"})
# Of what an 8-K tells; the names are those of the form itself (sec.gov/files/form8-k.pdf).
_ITEMS = {
    "1.01": "material agreement",
    "1.03": "bankruptcy or receivership",
    "2.01": "completed acquisition or disposal",
    "2.02": "results of operations (earnings release)",
    "3.01": "notice of delisting",
    "4.02": "earlier statements not to be relied on",
    "5.02": "change of directors or officers",
}
_TICKERS_KEPT = timedelta(weeks=1)
_KEEP = timedelta(hours=12)
# Four years of reports and their comparatives.
_SINCE = timedelta(days=5 * 366)
_MOST_FILINGS = 20


class _Ticker(BaseModel):
    cik_str: int
    ticker: str
    title: str


class _Fact(BaseModel):
    start: date | None = None
    end: date
    val: float
    accn: str
    form: str
    filed: date


class _Units(BaseModel):
    units: dict[str, list[_Fact]]


class _Reported(BaseModel):
    """Of a company's hundreds of tags those above; to read the others would take most of the time."""

    RevenueFromContractWithCustomerExcludingAssessedTax: _Units | None = None
    Revenues: _Units | None = None
    SalesRevenueNet: _Units | None = None
    GrossProfit: _Units | None = None
    OperatingIncomeLoss: _Units | None = None
    NetIncomeLoss: _Units | None = None
    EarningsPerShareDiluted: _Units | None = None
    NetCashProvidedByUsedInOperatingActivities: _Units | None = None
    PaymentsToAcquirePropertyPlantAndEquipment: _Units | None = None
    PaymentsToAcquireProductiveAssets: _Units | None = None
    StockholdersEquity: _Units | None = None
    DebtLongtermAndShorttermCombinedAmount: _Units | None = None
    LongTermDebt: _Units | None = None
    EntityCommonStockSharesOutstanding: _Units | None = None


class _Taxonomies(BaseModel):
    us_gaap: _Reported | None = Field(None, alias="us-gaap")
    dei: _Reported | None = None


class _Companyfacts(BaseModel):
    facts: _Taxonomies


class _Recent(BaseModel):
    accessionNumber: list[str]  # noqa: N815 (the SEC's name)
    filingDate: list[date]  # noqa: N815
    form: list[str]
    items: list[str]
    primaryDocument: list[str]  # noqa: N815

    @model_validator(mode="after")
    def _columns_of_one_length(self) -> Self:
        columns = (self.accessionNumber, self.filingDate, self.form, self.items, self.primaryDocument)
        if len({len(column) for column in columns}) > 1:
            raise ValueError("its columns have different lengths")
        return self


class _Filings(BaseModel):
    recent: _Recent


class _Submissions(BaseModel):
    filings: _Filings


class _Tickers(RootModel[dict[str, _Ticker]]):
    pass


_Shape = TypeVar("_Shape", bound=BaseModel)
_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """`cik` is its number at the SEC, `symbols` those of its shares, as the SEC writes them (`BRK-B`)."""

    cik: int
    name: str
    symbols: tuple[str, ...]


class Sec:
    """`files` and `data` are the SEC's two hosts, which share a pace; None without a contact to give."""

    name = "sec"

    def __init__(self, hosts: tuple[Host, Host] | None) -> None:
        self._hosts = hosts
        self._companies: tuple[datetime, Mapping[str, Company]] | None = None

    def covers(self, stock: Stock) -> bool:
        return stock.exchange.currency == "USD"

    async def figures(self, stock: Stock) -> Sequence[FundamentalFigure]:
        """As `FundamentalsSource`: each number as each report had it, with the report's form and accession."""
        _, data = self._require_hosts()
        company = await self._company(stock)
        path = f"/api/xbrl/companyfacts/CIK{company.cik:010}.json"
        since = data.now().date() - _SINCE
        figures = await _ask(
            data,
            path,
            f"the reports of {stock}",
            _KEEP,
            _Companyfacts,
            lambda facts: list(_figures(facts, since)),
        )
        if not figures:
            raise NotCoveredError(f"The SEC has no figures of {stock} in the last years.")
        return figures

    async def texts(self, stock: Stock, company: str | None) -> Sequence[NewText]:  # noqa: ARG002 (the protocol's)
        """As `TextSource`: the newest reports and 8-Ks, by form, what an 8-K is on, and date; not what they say."""
        _, data = self._require_hosts()
        cik = (await self._company(stock)).cik
        filings = await _ask(
            data,
            f"/submissions/CIK{cik:010}.json",
            f"the filings of {stock}",
            _KEEP,
            _Submissions,
            lambda answer: list(islice(_filings(answer.filings.recent, cik), _MOST_FILINGS)),
        )
        if not filings:
            raise NotCoveredError(f"The SEC has no filings of {stock}.")
        return filings

    async def companies(self) -> Sequence[Company]:
        """All that the SEC knows by symbol."""
        return list(dict.fromkeys((await self._by_symbol()).values()))

    async def _by_symbol(self) -> Mapping[str, Company]:
        files, _ = self._require_hosts()
        if self._companies is None or files.now() - self._companies[0] > _TICKERS_KEPT:
            path = "/files/company_tickers.json"
            known = await _ask(files, path, "its list of tickers", _TICKERS_KEPT, _Tickers, _companies)
            self._companies = files.now(), known
        return self._companies[1]

    async def _company(self, stock: Stock) -> Company:
        company = (await self._by_symbol()).get(stock.symbol.replace(".", "-"))
        if company is not None:
            return company
        raise NotCoveredError(f"The SEC's list of tickers does not have {stock}.")

    def _require_hosts(self) -> tuple[Host, Host]:
        if self._hosts is None:
            raise SourceError(
                "The SEC wants to know whom to contact, and was not asked; set STOCKDESK_SEC_CONTACT to your e-mail"
                " address."
            )
        return self._hosts


async def _ask(
    host: Host, path: str, subject: str, keep: timedelta, shape: type[_Shape], read: Callable[[_Shape], _Read]
) -> _Read:
    """What `read` makes of the answer, which may have 10 MB."""
    answer = await host.get(path, subject, keep=keep)
    if answer.status == HTTPStatus.NOT_FOUND:
        raise NotCoveredError(f"The SEC has not got {subject}.")
    if not answer.is_success:
        raise SourceError(f"The SEC answered {answer.status} for {subject}.")
    return await compute(lambda: read(parse(shape, answer, host, subject)))


def _companies(listed: _Tickers) -> Mapping[str, Company]:
    by_number: dict[int, list[_Ticker]] = {}
    for ticker in listed.root.values():
        by_number.setdefault(ticker.cik_str, []).append(ticker)
    companies = [
        Company(cik=cik, name=tickers[0].title, symbols=tuple(ticker.ticker for ticker in tickers))
        for cik, tickers in by_number.items()
    ]
    return {symbol: company for company in companies for symbol in company.symbols}


def _figures(facts: _Companyfacts, since: date) -> Iterator[FundamentalFigure]:
    for concept, tags in _TAGS.items():
        seen: set[tuple[date | None, date]] = set()
        for tag in tags:
            taxonomies = filter(None, (facts.facts.us_gaap, facts.facts.dei))
            reported: list[_Units | None] = [getattr(taxonomy, tag) for taxonomy in taxonomies]
            found = [
                (unit, fact)
                for units in filter(None, reported)
                for unit, listed in units.units.items()
                for fact in listed
                if fact.form in _REPORTS and fact.end >= since and (fact.start, fact.end) not in seen
            ]
            yield from (_figure(concept, unit, fact) for unit, fact in found)
            seen |= {(fact.start, fact.end) for _, fact in found}


def _figure(concept: Concept, unit: str, fact: _Fact) -> FundamentalFigure:
    return FundamentalFigure(
        concept=concept,
        period_start=None if concept in INSTANTS else fact.start,
        period_end=fact.end,
        filed=fact.filed,
        value=fact.val,
        unit=unit.removesuffix("/shares"),
        form=f"{fact.form} {fact.accn}",
        source=CITATION,
    )


def _filings(recent: _Recent, cik: int) -> Iterator[NewText]:
    columns = (recent.accessionNumber, recent.filingDate, recent.form, recent.items, recent.primaryDocument)
    for accession, filed, form, items, document in zip(*columns, strict=True):
        if form in _FILINGS:
            what = ", ".join(_ITEMS[item] for item in items.split(",") if item in _ITEMS)
            yield NewText(
                kind="filing",
                title=f"{form} filed {filed}" + (f": {what}" if what else ""),
                body="",
                source="SEC EDGAR",
                url=f"https://www.sec.gov/Archives/edgar/data/{cik}/{accession.replace('-', '')}/{document}",
                published_at=datetime.combine(filed, time(), UTC),
            )
