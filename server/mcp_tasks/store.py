"""The rows of MCP tasks: which answer each stands for, and how it ended."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict

from queues.database import Transaction
from queues.moments import from_micros, span_to_micros
from server.change_views import EnqueueView

# 192 bits.
ID_BYTES = 24


class UnknownMcpTaskError(Exception):
    """No MCP task has this id, or its time is over; the message says what to do."""


class Ending(BaseModel):
    """How an MCP task ended; it never changes."""

    model_config = ConfigDict(frozen=True)

    status: Literal["completed", "cancelled"]
    message: str
    is_error: bool
    ended_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class McpTask:
    """`ending` is None as long as nobody has seen its end."""

    id: str
    answer: EnqueueView
    created_at: datetime
    expires_at: datetime
    ending: Ending | None = None


def create_mcp_task(tx: Transaction, answer: EnqueueView, ttl: timedelta) -> McpTask:
    """A new one; those whose time is over are forgotten with the same commit, their work is not."""
    tx.run("DELETE FROM mcp_tasks WHERE expires_at <= :now", now=tx.micros)
    task_id = secrets.token_urlsafe(ID_BYTES)
    tx.run(
        "INSERT INTO mcp_tasks (id, answer, created_at, expires_at) VALUES (:id, :answer, :now, :end)",
        id=task_id,
        answer=answer.model_dump_json(),
        now=tx.micros,
        end=tx.micros + span_to_micros(ttl),
    )
    return McpTask(id=task_id, answer=answer, created_at=tx.now, expires_at=tx.now + ttl)


def find_mcp_task(tx: Transaction, task_id: str) -> McpTask:
    """The MCP task of this id.

    Raises:
        UnknownMcpTaskError: there is none, or its time is over.
    """
    row = tx.row(
        "SELECT answer, created_at, expires_at, ending FROM mcp_tasks WHERE id = :id AND expires_at > :now",
        id=task_id,
        now=tx.micros,
    )
    if row is None:
        raise UnknownMcpTaskError(
            "There is no MCP task of this id, or its time is over; list_tasks shows what was enqueued."
        )
    answer, created_at, expires_at, ending = row
    return McpTask(
        id=task_id,
        answer=EnqueueView.model_validate_json(answer),
        created_at=from_micros(created_at),
        expires_at=from_micros(expires_at),
        ending=None if ending is None else Ending.model_validate_json(ending),
    )


def keep_ending(tx: Transaction, task_id: str, ending: Ending) -> None:
    """Remember how it ended, unless that is known already, and tell who listens."""
    kept = tx.run(
        "UPDATE mcp_tasks SET ending = :ending WHERE id = :id AND ending IS NULL",
        ending=ending.model_dump_json(),
        id=task_id,
    )
    if kept:
        tx.touch()
