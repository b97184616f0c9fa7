"""Other ways in which the stand-in of the Messages API can behave."""

from dataclasses import replace

from tests.standins.messages_api import (
    Fails,
    Reply,
    Request,
    Says,
    Script,
    grounded_verdict,
    submits_all,
)


def submits_one_per_turn(request: Request) -> Reply:
    left = [entry for entry in request.stocks if entry["stock"] not in request.submitted]
    return Says(submits=(grounded_verdict(left[0]),)) if left else Says("All verdicts are submitted.")


def says_nothing_useful(request: Request) -> Reply:  # noqa: ARG001 (a Script)
    return Says("I would rather not submit anything.")


def never_ends(request: Request) -> Reply:
    """Submits a stock that nobody asked about, on every turn."""
    return Says(submits=({**grounded_verdict(request.stocks[0]), "symbol": "NSE:NOTASKED"},))


def always(reply: Reply) -> Script:
    def script(_: Request) -> Reply:
        return reply

    return script


def usage_limit(resets_at: int, window: str = "five_hour") -> Script:
    """Refuses as the API does when a subscription's window is used up; `resets_at` is a Unix time."""
    headers = {
        "anthropic-ratelimit-unified-status": "rejected",
        "anthropic-ratelimit-unified-reset": str(resets_at),
        "anthropic-ratelimit-unified-representative-claim": window,
    }
    return always(Fails(429, "rate_limit_error", "usage limit reached", headers))


def nearly_used_up(utilization: float, resets_at: int) -> Script:
    """Answers as the API does while nine tenths and more of a subscription's five-hour window are used."""
    headers = {
        "anthropic-ratelimit-unified-status": "allowed_warning",
        "anthropic-ratelimit-unified-reset": str(resets_at),
        "anthropic-ratelimit-unified-representative-claim": "five_hour",
        "anthropic-ratelimit-unified-5h-status": "allowed_warning",
        "anthropic-ratelimit-unified-5h-reset": str(resets_at),
        "anthropic-ratelimit-unified-5h-utilization": str(utilization),
        "anthropic-ratelimit-unified-5h-surpassed-threshold": "0.9",
    }

    def script(request: Request) -> Reply:
        reply = submits_all(request)
        assert isinstance(reply, Says)
        return replace(reply, headers=headers)

    return script
