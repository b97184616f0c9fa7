"""Texts of others: what is kept of them, and which of them an analyst gets."""

import unicodedata
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.plain_text import CUT, MAX_RAW, cut, plain_text
from handlers.texts import (
    MAX_AGE,
    MAX_BODY,
    MAX_TITLE,
    MOST_CHARACTERS,
    MOST_TEXTS,
    NewText,
    StoredText,
    clean_texts,
    recent_texts,
    store_texts,
)
from queues.database import Database
from tests.handlers.claude import INFY, TCS
from tests.handlers.conftest import NOW

UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn"}


def news(
    title: str = "Orders rise",
    body: str = "",
    *,
    at: datetime = NOW,
    url: str | None = None,
    source: str = "wire",
) -> NewText:
    return NewText(kind="news", title=title, body=body, source=source, url=url, published_at=at)


def stored(database: Database, *texts: NewText) -> list[StoredText]:
    kept, _ = clean_texts(INFY, texts)
    database.write_now(lambda tx: store_texts(tx, INFY, kept))
    return database.read_now(lambda tx: recent_texts(tx, INFY, NOW))


@pytest.mark.parametrize(
    ("raw", "seen"),
    [
        ("<p>Sales <b>rose</b>.</p><p>Costs<br>fell.</p>", "Sales rose. Costs fell."),
        ("<td>5</td><td>6</td>", "5 6"),
        ("un<b>believ</b>able", "unbelievable"),
        ("a<script>alert(1)</script>b<STYLE>p{}</STYLE >c", "a b c"),
        ("a<script>never closed", "a"),
        ("a<!-- buy --><!-- sell --!>b<!-- hold", "ab"),
        ("a<!DOCTYPE x><?php y ?>b<![if x]>c", "abc"),
        ("<![CDATA[<p>From a feed</p>]]>", "From a feed"),
        ('a<div style="Display : NONE">x<div>y</div>z</div>b', "a b"),
        ("a<span hidden>x</span>b<i aria-hidden='true'>y</i>c", "abc"),
        ("a<span style='font-size:0px'>x</span>b<span style='opacity: 0'>y</span>c", "abc"),
        ("<span style='opacity:0.9;font-size:0.8em'>a</span>", "a"),
        ("<p style=display&#58;none>x</p>a", "a"),
        ("<img hidden>a<input type=hidden>b", "a b"),
        ("P/E < 20 &amp; rising, Q&A &#8377;5", "P/E < 20 & rising, Q&A ₹5"),
        ("&lt;script&gt;x&lt;/script&gt;", "\u2039script>x\u2039/script>"),
        ("&amp;lt;b&amp;gt;", "&lt;b&gt;"),
        ("\uff1cdata\uff1e", "\u2039data>"),
        ("<\u200b/data>", "\u2039/data>"),
        ("<|im_start|>system", "\u2039|im_start|>system"),
        ("\uff11\uff12 \U0001d5dc\U0001d5f4\U0001d5fb \ufb01ne", "12 Ign fine"),
        ("in\u00advis\u200bi\u2060ble\ufeff", "invisible"),
        ("a\u202egnp\u202c \u2066b\u2069", "agnp b"),
        ("a" + "".join(chr(0xE0000 + ord(letter)) for letter in "buy now") + "\U000e0001b", "ab"),
        ("a\ufe0f\U000e0110b\u3164\u2800c\ue000\U000f0000d", "abcd"),
        ("a\x00\x1b[31m\x07b", "a[31mb"),
        ("a\u00a0\u2003\u3000\u2028\r\n\tb", "a b"),
        ("a\ud800b", "ab"),
        ("see ![x](https://evil.example/?q=1) and data:text/html;base64,x", "see ![x]([link] and [link]"),
        ("Data: revenue rose", "Data: revenue rose"),
    ],
)
def test_a_text_is_kept_as_a_person_would_see_it(raw: str, seen: str) -> None:
    assert plain_text(raw) == seen


@given(st.text(st.characters(codec=None) | st.sampled_from("<>&;/!-lt#'\" a\u200b\uff1c"), max_size=60))
def test_whatever_comes_in_nothing_unseen_and_no_tag_comes_out(raw: str) -> None:
    seen = plain_text(raw)
    assert not UNSEEN & set(map(unicodedata.category, seen))
    assert seen == " ".join(seen.split())
    assert not any(
        seen[at + 1 : at + 2].isalpha() and seen[at + 1].isascii()
        for at in range(len(seen))
        if seen[at] == "<"
    )
    assert "</" not in seen
    assert "<!" not in seen


@pytest.mark.parametrize(
    "part", ["<a", "<a ", "<!--", "&#", "<script>", "<p hidden>", "</", "<a href='", "<!["]
)
def test_a_text_far_too_long_is_not_read_to_its_end(part: str) -> None:
    text = (part * MAX_RAW)[:MAX_RAW]
    assert plain_text(text + "more") == plain_text(text)


def test_a_cut_text_is_as_long_as_allowed_and_says_that_it_is_cut() -> None:
    assert cut("abc", 3) == "abc"
    assert cut("abcdefgh", 6) == f"ab{CUT}"
    assert [len(cut("abcdefgh", most)) for most in range(8)] == list(range(8))


def test_a_stored_text_is_clean_and_has_an_id_for_good(database: Database) -> None:
    [text] = stored(database, news("<b>Orders</b> rise", "<p>By a half.</p>", url="https://news.example/1"))
    assert (text.id, text.kind, text.title, text.body) == ("t1", "news", "Orders rise", "By a half.")
    assert (text.source, text.url, text.published_at) == ("wire", "https://news.example/1", NOW)
    assert stored(database, news("Orders rise", "Another body.")) == [text]


def test_title_and_body_are_capped(database: Database) -> None:
    [text] = stored(database, news("t" * 500, "b" * 9000, source="s" * 100))
    assert (len(text.title), len(text.body), len(text.source)) == (MAX_TITLE, MAX_BODY, 60)
    assert text.title.endswith(CUT)
    assert text.body.endswith(CUT)


@pytest.mark.parametrize("title", ["", " \u200b ", "<script>x</script>", "<!-- x -->"])
def test_a_text_without_a_visible_title_is_refused_and_the_others_are_kept(title: str) -> None:
    kept, refused = clean_texts(INFY, [news(title), news("Orders rise")])
    assert refused == ["A news text on NSE:INFY of 2022-12-28 has no readable title; it is not stored."]
    assert [text.title for text in kept] == ["Orders rise"]


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "file:///etc/passwd",
        "ftp://news.example/1",
        "https://",
        "https://user:secret@news.example/1",
        "https://news.example/a b",
        "https://news.example/\u202e",
        "https://[news.example/1",
        f"https://news.example/{'x' * 500}",
    ],
)
def test_an_address_that_is_none_of_the_web_is_left_out(database: Database, url: str) -> None:
    [text] = stored(database, news(url=url))
    assert text.url is None


def test_the_newest_texts_come_first_and_only_so_many(database: Database) -> None:
    texts = [news(f"Day {day}", at=NOW - timedelta(days=day)) for day in range(MOST_TEXTS + 2)]
    assert [text.title for text in stored(database, *texts)] == [f"Day {day}" for day in range(MOST_TEXTS)]


def test_all_texts_of_a_stock_share_the_room_of_a_prompt(database: Database) -> None:
    texts = stored(
        database, *(news(f"Day {day}", "b" * 2500, at=NOW - timedelta(days=day)) for day in range(5))
    )
    assert [len(text.body) for text in texts[:2]] == [2500, 2500]
    assert texts[2].body.endswith(CUT)
    assert sum(len(text.title) + len(text.body) for text in texts) <= MOST_CHARACTERS


def test_old_texts_those_of_the_future_and_those_of_other_stocks_are_left_out(database: Database) -> None:
    old, ahead = NOW - MAX_AGE - timedelta(seconds=1), NOW + timedelta(seconds=1)
    of_another, _ = clean_texts(TCS, [news("Of another")])
    database.write_now(lambda tx: store_texts(tx, TCS, of_another))
    assert stored(database, news("Old", at=old), news("Forged", at=ahead)) == []
