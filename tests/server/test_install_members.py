"""One member of a JSON text is set or removed, and nobody else's character is touched."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.install.members import remove_member, set_member

PATH = ("mcpServers", "stockdesk")
ENTRY = {"command": "/opt/stockdesk", "args": ["serve"]}

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=6,
)
documents = st.dictionaries(st.text(max_size=4), values, max_size=3).flatmap(
    lambda others: st.sampled_from(
        [others, {**others, "mcpServers": {}}, {"mcpServers": {**others}, **others}]
    )
)
layouts = st.sampled_from([None, 0, 2, 4, "\t"])


@given(documents, layouts, st.booleans(), st.booleans())
def test_what_is_set_and_removed_again_leaves_the_text_as_it_was(
    document: dict[str, Any], layout: Any, ascii_only: bool, windows: bool
) -> None:
    text = json.dumps(document, indent=layout, ensure_ascii=ascii_only)
    text = text.replace("\n", "\r\n") if windows else text
    changed = set_member(text, PATH, ENTRY)
    servers = document.get("mcpServers", {})
    assert json.loads(changed) == {**document, "mcpServers": {**servers, "stockdesk": ENTRY}}
    assert ("\r\n" in changed) == ("\r\n" in text) or "\n" not in text
    removed = remove_member(changed, PATH)
    assert removed == text if servers else json.loads(removed) == {**document, "mcpServers": {}}


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        (
            '{\n    "mcpServers": {\n        "a": ["\\u00e9", 1e5]\n    },\n    "b": 2\n}\n',
            '{\n    "mcpServers": {\n        "a": ["\\u00e9", 1e5],\n        "stockdesk": 1\n    },\n    "b": 2\n}\n',
        ),
        ('{"a":1}', '{"a":1,"mcpServers": {"stockdesk": 1}}'),
        ('{\r\n\t"a": 1\r\n}', '{\r\n\t"a": 1,\r\n\t"mcpServers": {\r\n\t\t"stockdesk": 1\r\n\t}\r\n}'),
        (
            '{"mcpServers": {"stockdesk": 0}, "mcpServers": {"b": 0, "stockdesk": 0, "c": 0}}',  # the last counts
            '{"mcpServers": {"stockdesk": 0}, "mcpServers": {"b": 0, "stockdesk": 1, "c": 0}}',
        ),
    ],
    ids=["four blanks, escapes, a number's spelling", "one line", "tabs and CRLF", "a name twice"],
)
def test_the_layout_is_that_of_the_text(text: str, changed: str) -> None:
    assert set_member(text, PATH, 1) == changed


def test_a_member_that_stands_twice_is_removed_wholly() -> None:
    text = '{"mcpServers": {"stockdesk": 0, "b": 0, "stockdesk": 1}}'
    assert remove_member(text, PATH) == '{"mcpServers": {"b": 0}}'
