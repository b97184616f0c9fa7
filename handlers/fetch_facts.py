"""What is made of that which a fetch brought of one stock; all of it before the write that stores it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from handlers.facts import NewFact
from handlers.fetch_extras import Brought
from handlers.fetch_findings import Extra
from handlers.fundamentals import fundamental_facts
from handlers.indicators import benchmark_facts, price_facts
from handlers.sources.base import Bar
from handlers.sources.soundness import missing_sessions
from handlers.stocks import Stock
from handlers.texts import CleanText, clean_texts


@dataclass(frozen=True, slots=True)
class Market:
    """What a stock is compared with, and its stored prices."""

    benchmark: Stock
    bars: Sequence[Bar]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """`told` says of each extra also what could not be made of it."""

    facts: Sequence[NewFact]
    texts: Sequence[CleanText]
    told: tuple[Extra, ...]
    missing_sessions: int


def made_of(
    stock: Stock, bars: Sequence[Bar], citation: str, market: Market | None, brought: Brought
) -> Made:
    """Takes milliseconds. `citation` is by which words facts name the source of the bars."""
    currency = stock.exchange.currency
    facts = price_facts(bars, currency, citation)
    reported = fundamental_facts(brought.figures, bars, currency)
    facts += reported.facts
    if market is not None and market.benchmark != stock:  # a stock beside itself says nothing
        facts += benchmark_facts(bars, market.benchmark, market.bars, citation)
    news, bad_news = clean_texts(stock, brought.news)
    filings, bad_filings = clean_texts(stock, brought.filings)
    notes = {"fundamentals": reported.left_out, "news": bad_news, "filings": bad_filings}
    return Made(
        facts=facts,
        texts=[*news, *filings],
        told=tuple(replace(extra, note=" ".join(notes[extra.kind])) for extra in brought.told),
        missing_sessions=missing_sessions(bars, stock.exchange),
    )
