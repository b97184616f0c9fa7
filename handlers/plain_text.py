"""What a person would see of a text from the web: no markup, nothing invisible, no tricks of Unicode."""

import re
import unicodedata
from collections.abc import Iterator
from html import unescape

MAX_RAW = 200_000  # characters looked at; markup around a text that is cut far below that
CUT = " […]"

# Each takes time in proportion to the text, whatever is in it: html.parser takes half a minute for 200 kB of "<a",
# and a real parser of HTML would be a dependency whose tree nobody needs. What nothing closes goes to the end.
_CDATA = re.compile(r"<!\[CDATA\[|\]\]>")
_COMMENT = re.compile(r"<!--.*?(?:--!?>|\Z)|<[!?][^>]*(?:>|\Z)", re.DOTALL)
_UNSEEN_ELEMENT = re.compile(
    r"<(script|style|template|noscript|head|title|iframe|object|svg|math|canvas|audio|video|select|textarea)\b"
    r"[^<>]*>.*?(?:</\1\s*>|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9:-]*)\b([^<>]*)>")
_ATTRIBUTE = re.compile(r"""([\w-]+)(?:\s*=\s*("[^"]*"|'[^']*'|[^\s"']+))?""")
_VOID = re.compile(r"area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr", re.IGNORECASE)
_INLINE = re.compile(r"a|abbr|b|bdi|bdo|cite|code|em|font|i|mark|q|s|small|span|strong|u|wbr", re.IGNORECASE)
_UNSEEN_STYLE = re.compile(
    r"display:none|visibility:(?:hidden|collapse)|(?:font-size|opacity):0(?![\d.]*[1-9])"
)

# What looks like a tag in the end was an entity, or hidden in other characters; it gets another bracket.
_TAG_OPENING = re.compile(r"<(?=[a-zA-Z/!?|])")
# To an analyst an address says nothing, and in a verdict it could be an image that reports who reads it.
_ADDRESS = re.compile(r"\b[a-z][a-z0-9+.-]{1,15}://\S*|\b(?:javascript:|data:[a-z]+/)\S+", re.IGNORECASE)

# Control, format (zero width, bidi, tags, soft hyphen), surrogate, private use, unassigned.
_UNSEEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
# Letters, marks and symbols without a glyph: fillers, joiners, selectors, the empty Braille cell.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def plain_text(raw: str) -> str:
    """One line of visible text. Entities are decoded once, and what they spell does not become markup again.

    Compatibility forms become what they look like (NFKC): fullwidth digits, "mathematical" letters, ligatures.
    """
    marked_up = _UNSEEN_ELEMENT.sub(" ", _COMMENT.sub("", _CDATA.sub("", raw[:MAX_RAW])))
    text = _UNSEEN.sub("", unescape("".join(_outside_of_tags(marked_up))))
    text = unicodedata.normalize("NFKC", "".join(filter(_is_visible, text)))
    return _TAG_OPENING.sub("\u2039", _ADDRESS.sub("[link]", " ".join(text.split())))


def cut(text: str, most: int) -> str:
    """`text`; where it has more than `most` characters, its beginning with a mark that says so."""
    return text if len(text) <= most else (text[: max(most - len(CUT), 0)].rstrip() + CUT)[:most]


def _is_visible(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) not in _UNSEEN_CATEGORIES


def _outside_of_tags(marked_up: str) -> Iterator[str]:
    """The text around tags, without the content of hidden elements, and a space where a block begins or ends."""
    hidden, depth, end = "", 0, 0
    for tag in _TAG.finditer(marked_up):
        closing, name, attributes = tag.groups()
        if depth:
            depth += (-1 if closing else 1) * (name.lower() == hidden)
        else:
            yield marked_up[end : tag.start()]
            yield "" if _INLINE.fullmatch(name) else " "
            if not closing and not _VOID.fullmatch(name) and _hides(attributes):
                hidden, depth = name.lower(), 1
        end = tag.end()
    if not depth:
        yield marked_up[end:]


def _hides(attributes: str) -> bool:
    """Whether a browser would not show an element with these attributes, as far as they alone tell."""
    values = {name.lower(): value.strip("\"'") for name, value in _ATTRIBUTE.findall(unescape(attributes))}
    style = "".join(values.get("style", "").lower().split())
    return (
        "hidden" in values
        or values.get("aria-hidden", "").lower() == "true"
        or _UNSEEN_STYLE.search(style) is not None
    )
