"""The pictures that a client may show beside the server and its tools, small enough to travel with every list."""

from urllib.parse import quote

from mcp.types import Icon


def _drawn(path: str) -> list[Icon]:
    """Strokes on a field of 16 × 16, in a colour that can be seen on light and on dark."""
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">'
        f'<path d="{path}" fill="none" stroke="#298" stroke-width="2"/></svg>'
    )
    return [
        Icon(src=f"data:image/svg+xml,{quote(svg, safe='/:=')}", mime_type="image/svg+xml", sizes=["any"])
    ]


# Bars of a chart. On 2026-07-28 the SDK repeats it in every answer, so it is the smallest.
DESK = _drawn("M3 14V9M8 14V2M13 14V6")
# A plus: something comes in.
ENQUEUE = _drawn("M8 2v12M2 8h12")
# A magnifying glass.
LOOK = _drawn("M10 10l5 5M11 6A5 5 0 1 1 1 6a5 5 0 0 1 10 0z")
# Two bars: pause.
CONTROL = _drawn("M5 2v12M11 2v12")
# A cross.
CANCEL = _drawn("M3 3l10 10M13 3L3 13")
# A page with lines.
RESULT = _drawn("M3 1h10v14H3zM5 5h6M5 8h6M5 11h4")
# A coin.
SPEND = _drawn("M15 8A7 7 0 1 1 1 8a7 7 0 0 1 14 0zM8 4v8")
