"""What is printed cannot command a terminal, and says the same."""

import json

from server.rendering.console import escaped

TRICKS = "\x1b[2J\x9b\u202e\t\u2028\U000e0041"
SPACES = "1\u202f000\u00a0€,\u3000न\u200dम"


def test_json_that_is_printed_is_the_same_json_and_its_lines_stay() -> None:
    value = {"reason": TRICKS, "thesis": SPACES}
    printed = escaped(json.dumps(value, ensure_ascii=False, indent=2))
    assert json.loads(printed) == value
    assert len(printed.splitlines()) == 4


def test_what_a_terminal_would_obey_or_not_show_is_its_code_and_spaces_of_a_language_stay() -> None:
    codes = r"\u001b[2J\u009b\u202e\t\u2028\udb40\udc41"
    assert escaped(f"{TRICKS}\n{SPACES}") == f"{codes}\n{SPACES}"
