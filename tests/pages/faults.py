"""What is wrong with a page for those who see it and for those who have it read to them: sentences, best none."""

from pathlib import Path

from playwright.sync_api import Page

LAYOUT = Path(__file__).with_name("layout.js").read_text("utf-8")
AXE_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def found_by_axe(page: Page) -> list[str]:
    """Of a page that was opened with the fixture `axe` as its `first`."""
    rules = page.evaluate("rules => axe.run({runOnly: rules})", AXE_RULES)["violations"]
    return [
        f"{rule['id']} at {node['target']}: {node['failureSummary']}"
        for rule in rules
        for node in rule["nodes"]
    ]


def found_in_layout(page: Page) -> list[str]:
    """What is cut off, overlaps, or is broken within a word, in the open dialog or else on the page."""
    return page.evaluate(LAYOUT)
