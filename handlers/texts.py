"""The store of texts: news and filings, which somebody else wrote. They are read as data, and never hold a fact.

A text is cleaned before it is stored (`plain_text`), and never changes after.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from handlers.plain_text import cut, plain_text
from handlers.stocks import Stock
from queues.database import Transaction
from queues.moments import from_micros, to_micros

TextKind: TypeAlias = Literal["news", "filing"]

MAX_TITLE = 200
MAX_BODY = 4_000  # 600 words: a news item whole, of a filing what it begins with
MAX_SOURCE = 60
MAX_URL = 500
# In a prompt, a stock's texts take no more room than its facts (40 of 150 characters): some 1,500 tokens in English.
MOST_TEXTS = 8
MOST_CHARACTERS = 6_000
# A quarter: what is older has been followed by results.
MAX_AGE = timedelta(days=92)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewText:
    """As a source gave it; title and body may be HTML."""

    kind: TextKind
    title: str
    body: str
    source: str
    url: str | None = None
    published_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanText(NewText):
    """A text as it is stored: only `clean_texts` makes one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredText:
    """A cleaned text. `id` (`t` and a number) stays valid for good. `url` is http or https, and in no prompt."""

    id: str
    kind: TextKind
    title: str
    body: str
    source: str
    url: str | None
    published_at: datetime


def clean_texts(stock: Stock, texts: Sequence[NewText]) -> tuple[list[CleanText], list[str]]:
    """What can be stored, and a sentence for each text that cannot. A long one takes a tenth of a second."""
    kept, refused = list[CleanText](), list[str]()
    for text in texts:
        title, source = cut(plain_text(text.title), MAX_TITLE), cut(plain_text(text.source), MAX_SOURCE)
        if title and source:
            kept.append(
                CleanText(
                    kind=text.kind,
                    title=title,
                    body=cut(plain_text(text.body), MAX_BODY),
                    source=source,
                    url=_web_address(text.url),
                    published_at=text.published_at,
                )
            )
        else:
            lacks = "source" if title else "title"
            refused.append(
                f"A {text.kind} text on {stock} of {text.published_at:%Y-%m-%d} has no readable {lacks}; it is not"
                " stored."
            )
    return kept, refused


def store_texts(tx: Transaction, stock: Stock, texts: Sequence[CleanText]) -> None:
    """Store what is not known yet."""
    for text in texts:
        tx.run(
            "INSERT INTO texts (symbol, exchange, kind, title, body, source, url, published_at, fetched_at)"
            " VALUES (:symbol, :exchange, :kind, :title, :body, :source, :url, :published_at, :now)"
            " ON CONFLICT (symbol, exchange, kind, source, title, published_at) DO NOTHING",
            symbol=stock.symbol,
            exchange=stock.exchange.value,
            kind=text.kind,
            title=text.title,
            body=text.body,
            source=text.source,
            url=text.url,
            published_at=to_micros(text.published_at),
            now=tx.micros,
        )


def recent_texts(tx: Transaction, stock: Stock, now: datetime) -> list[StoredText]:
    """The newest texts as of `now`, newest first, within the limits above; the last one may be cut.

    One that is dated after `now` is left out: else a forged date would stay on top.
    """
    rows = tx.rows(
        "SELECT seq, kind, title, body, source, url, published_at FROM texts"
        " WHERE symbol = :symbol AND exchange = :exchange AND published_at BETWEEN :since AND :now"
        " ORDER BY published_at DESC, seq DESC LIMIT :most",
        symbol=stock.symbol,
        exchange=stock.exchange.value,
        since=to_micros(now - MAX_AGE),
        now=to_micros(now),
        most=MOST_TEXTS,
    )
    found: list[StoredText] = []
    room = MOST_CHARACTERS
    for text in map(_text, rows):
        room -= len(text.title)
        if room < 0:
            break
        found.append(replace(text, body=cut(text.body, room)))
        room -= len(found[-1].body)
    return found


def _text(row: tuple[object, ...]) -> StoredText:
    seq, kind, title, body, source, url, published_at = row
    assert isinstance(published_at, int)
    return StoredText(
        id=f"t{seq}",
        kind="news" if kind == "news" else "filing",
        title=str(title),
        body=str(body),
        source=str(source),
        url=None if url is None else str(url),
        published_at=from_micros(published_at),
    )


def _web_address(url: str | None) -> str | None:
    """The address if it is one of the web, of sensible length, without a login in it."""
    if url is None or len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
        return None
    try:
        parts = urlsplit(url)
    except ValueError:  # such as a broken IPv6 host
        return None
    return url if parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc else None
