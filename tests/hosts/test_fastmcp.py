"""FastMCP's client, which makes types of our output schemas: in both protocol eras, over stdio and over HTTP."""

import json
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Literal, TypeAlias

import pytest
from fastmcp.client import Client
from fastmcp.client.elicitation import ElicitResult
from fastmcp.client.transports import ClientTransport, StdioTransport, StreamableHttpTransport
from fastmcp.exceptions import ToolError

from tests.hosts.serve import STOCKDESK, desk_environment
from tests.hosts.serve_http import HttpServe

Server: TypeAlias = Callable[[Path], AbstractContextManager[ClientTransport]]
Answer: TypeAlias = ElicitResult[dict[str, Any]]


@contextmanager
def over_stdio(folder: Path) -> Generator[ClientTransport]:
    settings = desk_environment(folder)
    yield StdioTransport(str(STOCKDESK), ["serve"], env=settings, cwd="/", keep_alive=False)
    [log] = (folder / "desk" / "logs").iterdir()
    assert "Leaving on end of input; interrupted: nothing" in log.read_text("utf-8")


@contextmanager
def over_http(folder: Path) -> Generator[ClientTransport]:
    with HttpServe(desk_environment(folder)) as server:
        yield StreamableHttpTransport(server.url, auth=server.token)
        assert server.process.poll() is None


@pytest.mark.parametrize(
    ("mode", "server"), [("2026-07-28", over_stdio), ("legacy", over_http)], ids=["stdio", "http"]
)
async def test_fastmcp_sees_types_and_progress_and_its_person_is_asked(
    tmp_path: Path, mode: Literal["2026-07-28", "legacy"], server: Server
) -> None:
    steps: list[float] = []
    questions: list[str] = []

    async def step(progress: float, total: float | None, message: str | None) -> None:
        assert total == 2, message
        steps.append(progress)

    async def decline(message: str, *_: object) -> Answer:
        questions.append(message)
        return Answer(action="decline")

    with server(tmp_path) as transport:
        async with Client(transport, mode=mode, elicitation_handler=decline) as client:
            assert "get_task" in [tool.name for tool in await client.list_tools()]
            assert "why_stuck" in [prompt.name for prompt in await client.list_prompts()]
            asked = {"symbols": ["AAPL", "MSFT"], "exchange": "NASDAQ"}
            enqueued = (await client.call_tool("enqueue_ai_analysis", asked)).data
            wait = {"task_id": enqueued.run_id, "wait_seconds": 25, "wait_for": "run"}
            waited = (await client.call_tool("get_task", wait, progress_handler=step)).data
            assert waited.run.stocks_done == 2
            assert steps == sorted(set(steps)) != []

            one = {"symbols": ["NASDAQ:AAPL"]}
            [verdict] = (await client.call_tool("get_verdicts", one)).data.verdicts
            [content] = await client.read_resource("stockdesk://verdicts/NASDAQ:AAPL")
            [read] = json.loads(content.model_dump()["text"])["verdicts"]
            assert (read["analyst"], read["thesis"]) == ("baseline", verdict.thesis)

            await client.call_tool("hold_queue", {"queue": "data_fetcher", "reason": "so that it stays"})
            await client.call_tool("enqueue_data_fetch", one | {"force": True})
            with pytest.raises(ToolError, match="the user said no"):
                await client.call_tool("clear_queue", {"queue": "data_fetcher", "confirm": True})
            assert questions == ["Cancel 1 queued task of data_fetcher?"]
