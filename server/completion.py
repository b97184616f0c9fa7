"""What a client may suggest while somebody types an argument of a prompt or a resource: what the desk really has."""

from collections.abc import Callable, Iterable
from typing import TypeAlias

from mcp import MCPError
from mcp.server.mcpserver import MCPServer
from mcp.types import (
    INVALID_PARAMS,
    Completion,
    CompletionArgument,
    CompletionContext,
    PromptReference,
    ResourceTemplateReference,
)

from handlers.portfolio import accounts
from handlers.resolve import held_stocks
from handlers.verdicts import judged_stocks
from queues.database import Transaction
from queues.matching import ids_with
from queues.model import QueueName
from server.desk import Desk

MOST_VALUES = 100  # the protocol's own limit
# Longer than anything that could be completed.
MOST_CHARACTERS = 80

Source: TypeAlias = Callable[[Transaction, str], Completion]
"""Given what is typed so far, in lower case: what it may become, the likeliest first."""


def add_completion(mcp: MCPServer, desk: Desk) -> None:
    @mcp.completion()
    async def complete(
        ref: PromptReference | ResourceTemplateReference,
        argument: CompletionArgument,
        context: CompletionContext | None,  # noqa: ARG001 (the SDK passes it; no argument here depends on another)
    ) -> Completion:
        where = ref.name if isinstance(ref, PromptReference) else ref.uri
        source = _SOURCES.get((where, argument.name))
        if source is None:
            await _require(mcp, ref)
            return _found([])
        typed = argument.value.strip().lower()
        if len(typed) > MOST_CHARACTERS or not typed.isprintable():
            return _found([])
        return await desk.database.read(lambda tx: source(tx, typed))


async def _require(mcp: MCPServer, ref: PromptReference | ResourceTemplateReference) -> None:
    """Hold a reference against the lists.

    Raises:
        MCPError: there is no such prompt or template; its message names those there are.
    """
    if isinstance(ref, PromptReference):
        what, given, known = "prompt", ref.name, [each.name for each in await mcp.list_prompts()]
    else:
        templates = await mcp.list_resource_templates()
        what, given, known = "resource template", ref.uri, [each.uri_template for each in templates]
    if given not in known:
        raise MCPError(INVALID_PARAMS, f"There is no {what} {given[:80]!r}; there are {', '.join(known)}.")


def _queues(_: Transaction, typed: str) -> Completion:
    return _matching(QueueName, typed)


def _accounts(tx: Transaction, typed: str) -> Completion:
    return _matching((each.name for each in accounts(tx)), typed)


def _symbols(tx: Transaction, typed: str) -> Completion:
    """Judged stocks before those that are only held, each with its exchange, which need not be typed."""
    judged, held = judged_stocks(tx), set(held_stocks(tx))
    return _matching(map(str, [*sorted(judged), *sorted(held - judged)]), typed)


def _tasks(tx: Transaction, typed: str) -> Completion:
    ids, total = ids_with(tx, typed, limit=MOST_VALUES)
    return Completion(values=ids, total=total, has_more=total > len(ids))


def _matching(values: Iterable[str], typed: str) -> Completion:
    """In their order: those that begin with it, with or without the exchange before it; then those that hold it."""
    found = [value for value in values if typed in value.lower()]
    return _found(sorted(found, key=lambda value: not _begins(value.lower(), typed)))


def _begins(value: str, typed: str) -> bool:
    return value.startswith(typed) or value.partition(":")[2].startswith(typed)


def _found(values: list[str]) -> Completion:
    return Completion(values=values[:MOST_VALUES], total=len(values), has_more=len(values) > MOST_VALUES)


_SOURCES: dict[tuple[str, str], Source] = {
    ("review_portfolio", "account"): _accounts,
    ("explain_verdict", "symbol"): _symbols,
    ("why_stuck", "task_id"): _tasks,
    ("stockdesk://queues/{queue}", "queue"): _queues,
    ("stockdesk://tasks/{id}", "id"): _tasks,
    ("stockdesk://verdicts/{symbol}", "symbol"): _symbols,
}
