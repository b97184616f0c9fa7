"""A client that declares the Tasks extension, and shows what comes over the wire."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

import anyio
import pytest
from anyio.streams.memory import MemoryObjectReceiveStream
from mcp import Client, MCPError
from mcp.client.extension import ClaimContext, ClientExtension, NotificationBinding, ResultClaim
from mcp.types import CallToolResult, Request, Result, SubscriptionsAcknowledgedNotification
from pydantic import ConfigDict, RootModel

from handlers.stocks import Exchange, Stock
from server.app import build_server
from server.desk import Desk
from server.mcp_tasks import TASKS
from tests.hosts.serve import PATIENCE_SECONDS

AAPL, MSFT, JPM, KO = (
    Stock("AAPL", Exchange.NASDAQ),
    Stock("MSFT", Exchange.NASDAQ),
    Stock("JPM", Exchange.NYSE),
    Stock("KO", Exchange.NYSE),
)


class Handle(Result):
    model_config = ConfigDict(extra="allow")

    result_type: Literal["task"]


class TaskRequest(Request[dict[str, Any], str]):
    name_param = "taskId"


class Raw(RootModel[dict[str, Any]]):
    """JSON as it came."""


class DeclaresTasks(ClientExtension):
    identifier = TASKS

    def __init__(self, hear: Callable[[Raw], Awaitable[None]] | None = None) -> None:
        self._hear = hear

    def notifications(self) -> Sequence[NotificationBinding[Any]]:
        if self._hear is None:
            return ()
        return [NotificationBinding(method="notifications/tasks", params_type=Raw, handler=self._hear)]

    def claims(self) -> Sequence[ResultClaim[Any]]:
        return [ResultClaim(result_type="task", model=Handle, resolve=_unresolved)]


async def _unresolved(handle: Handle, context: ClaimContext) -> CallToolResult:
    raise NotImplementedError  # these tests want the handle


@dataclass(frozen=True, slots=True)
class TaskAgent:
    client: Client

    async def handle(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The handle with which the tool answered."""
        result = await self.client.session.call_tool(tool, arguments, allow_claimed=True)
        assert isinstance(result, Handle), result
        assert result.model_extra is not None
        return result.model_extra

    async def ask(self, method: str, task_id: str, **params: Any) -> dict[str, Any]:
        request = TaskRequest(method=method, params={"taskId": task_id, **params})
        answer = (await self.client.session.send_request(request, Raw)).root
        assert answer["resultType"] == "complete"
        return {key: value for key, value in answer.items() if key not in ("resultType", "_meta")}

    async def get(self, task_id: str) -> dict[str, Any]:
        return await self.ask("tasks/get", task_id)

    async def refused(self, method: str, task_id: str) -> MCPError:
        with pytest.raises(MCPError) as refusal:
            await self.ask(method, task_id)
        return refusal.value


def task_client(desk: Desk) -> Client:
    return Client(build_server(desk), extensions=[DeclaresTasks()])


def listen_request(task_ids: object) -> Request[dict[str, Any], str]:
    filters = {"notifications": {"taskIds": task_ids}}
    return Request[dict[str, Any], str](method="subscriptions/listen", params=filters)


@asynccontextmanager
async def listening(desk: Desk, *task_ids: str) -> AsyncGenerator[MemoryObjectReceiveStream[dict[str, Any]]]:
    """What a client hears that listens for these: first the acknowledged filter, then the notifications."""
    send, receive = anyio.create_memory_object_stream[dict[str, Any]](100)

    async def acknowledged(message: object) -> None:
        if isinstance(message, SubscriptionsAcknowledgedNotification):
            await send.send(message.params.notifications.model_dump(by_alias=True, exclude_none=True))

    async def told(params: Raw) -> None:
        params.root.pop("_meta")
        await send.send(params.root)

    client = Client(build_server(desk), extensions=[DeclaresTasks(told)], message_handler=acknowledged)
    async with client, send, receive, anyio.create_task_group() as group:
        await group.start(desk.manager.bell.run)
        group.start_soon(client.session.send_request, listen_request(task_ids), Raw)
        with anyio.fail_after(PATIENCE_SECONDS):
            yield receive
        group.cancel_scope.cancel()


async def analyse(host: TaskAgent, *stocks: Stock) -> str:
    handle = await host.handle("enqueue_ai_analysis", symbols=[str(stock) for stock in stocks])
    return handle["taskId"]
