"""What a report shows, the same for every format."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal

from handlers.analyst.briefs import StockBrief
from handlers.analytics import PortfolioFact
from handlers.audit import Audit
from handlers.changes import Rejudged, Review
from handlers.facts import Fact
from handlers.portfolio import QuantityChange
from handlers.sources.base import Bar
from handlers.stocks import Stock
from handlers.verdict import Action, Verdict
from server.portfolio_views import AccountView, HoldingView, SpreadView, TotalView
from server.track_record_views import TrackRecordView

YEAR = timedelta(days=365)
HEADLINE = (
    "last_close",
    "return_1m",
    "return_1y",
    "distance_to_sma_200",
    "rsi_14",
    "volatility_1y",
    "beta_1y",
    "pe_ttm",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StockReport:
    """One stock that is held or judged. `brief` holds its current facts, how fresh they are, position and texts.

    `cited` are facts that the verdict rests on and that are not current any more, `closes` those of the last year.
    `value` is that of all accounts that hold it in the currency of `weight`; None where it is not known. `missing` says
    why there are no facts.
    """

    stock: Stock
    brief: StockBrief
    holdings: tuple[HoldingView, ...]
    value: Decimal | None
    gain_percent: Decimal | None
    weight: PortfolioFact | None
    verdict: Verdict | None
    audit: Audit | None
    cited: tuple[Fact, ...]
    closes: Sequence[Bar]
    missing: str | None

    @property
    def name(self) -> str | None:
        return next((each.name for each in self.holdings if each.name), None)

    @property
    def sector(self) -> str | None:
        return next((each.sector for each in self.holdings if each.sector), None)

    @property
    def last_close(self) -> Fact | None:
        return next((fact for fact in self.brief.facts if fact.name == "last_close"), None)

    @property
    def headline(self) -> Sequence[Fact]:
        """The facts that stand beside the chart."""
        facts = {fact.name: fact for fact in self.brief.facts}
        return [facts[name] for name in HEADLINE if name in facts]

    @property
    def before(self) -> Verdict | None:
        return None if self.audit is None else self.audit.previous

    @property
    def was(self) -> Verdict | None:
        """The verdict before, where it said something else."""
        before, now = self.before, self.verdict
        if (
            before is None
            or now is None
            or (before.action, before.conviction) == (now.action, now.conviction)
        ):
            return None
        return before

    @property
    def given_texts(self) -> frozenset[str]:
        """The ids of the texts that the analyst was given."""
        inputs = None if self.audit is None else self.audit.inputs
        return frozenset(text["id"] for text in (inputs or {}).get("texts", ()))


@dataclass(frozen=True, slots=True)
class Pool:
    """What is held in one currency; `spread` is None where nothing has a price. Weights are not rounded."""

    total: TotalView
    spread: SpreadView | None
    weights: Sequence[PortfolioFact]
    sectors: Sequence[PortfolioFact]


@dataclass(frozen=True, slots=True)
class Changes:
    """What is other than it was when `since` began. `new` are first views, `views` are others now."""

    since: Review
    judged: int
    new: Sequence[Rejudged]
    views: Sequence[Rejudged]
    holdings: Sequence[tuple[str, QuantityChange]]


@dataclass(frozen=True, slots=True)
class Source:
    """Whose facts are in the report: how many, and the day of the newest."""

    name: str
    facts: int
    newest: date


@dataclass(frozen=True, slots=True)
class Making:
    """How the verdicts were made. `cost_usd` leaves out the sessions of `unknown_cost`; None without any session."""

    version: str
    analysts: Mapping[str, int]
    models: Sequence[str]
    prompts: Sequence[str]
    sessions: int
    cost_usd: float | None
    unknown_cost: int
    at_least: bool
    billing: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """`day` is the desk's, which stands still with the sample; `made_at` is the real moment."""

    made_at: datetime
    day: date
    zone: tzinfo | None
    accounts: Sequence[AccountView]
    pools: Sequence[Pool]
    stocks: Sequence[StockReport]
    changes: Changes | None
    track_record: Sequence[TrackRecordView]
    benchmarks: Mapping[str, Sequence[Bar]]
    sources: Sequence[Source]
    making: Making

    @property
    def since(self) -> date:
        """The first day of the charts."""
        return self.day - YEAR

    @property
    def actions(self) -> Mapping[Action, int]:
        """How many stocks have each verdict, in the order of the actions."""
        counts = Counter(each.verdict.action for each in self.stocks if each.verdict)
        return {action: counts[action] for action in Action if counts[action]}

    @property
    def freshness(self) -> Mapping[str, int]:
        """How many stocks have fresh, stale and no prices."""
        counts = Counter(quality.state for each in self.stocks for quality in each.brief.quality)
        return {state: counts[state] for state in ("fresh", "stale", "missing") if counts[state]}
