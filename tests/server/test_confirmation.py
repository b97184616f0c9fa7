"""Much is cancelled only after a person said so: asked by the client in both eras, or by the model where it cannot."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from mcp import Client
from mcp.types import ElicitRequestFormParams, ElicitResult, InputRequiredResult

from queues.inspection import tasks_of_run
from server.app import build_server
from server.desk import Desk
from tests.server.desks import Agent
from tests.server.test_tools_control import ANALYSIS, FETCH, start, state, two_sessions

ERAS = pytest.mark.parametrize("era", ["auto", "legacy"])
YES = ElicitResult(action="accept", content={"go_ahead": True})


async def _nothing() -> None:
    pass


@dataclass
class Person:
    """Answers what is asked, after what happens `meanwhile`."""

    answer: ElicitResult = field(default_factory=lambda: YES)
    meanwhile: Callable[[], Awaitable[object]] = _nothing
    asked: list[str] = field(default_factory=list[str])

    async def __call__(self, context: object, params: object) -> ElicitResult:  # noqa: ARG002 (the SDK's names)
        assert isinstance(params, ElicitRequestFormParams)
        self.asked.append(params.message)
        await self.meanwhile()
        return self.answer


@asynccontextmanager
async def agent_of(
    desk: Desk, era: Literal["auto", "legacy"], person: Person | None
) -> AsyncGenerator[Agent]:
    async with Client(build_server(desk), mode=era, elicitation_callback=person) as client:
        yield Agent(client)


def states(desk: Desk) -> set[str]:
    return {task.state for task in desk.database.read_now(lambda tx: tasks_of_run(tx, "fetch-1"))}


@ERAS
async def test_the_clearing_of_a_queue_asks_the_person_in_numbers(desk: Desk, era: Any) -> None:
    person = Person()
    async with agent_of(desk, era, person) as agent:
        await two_sessions(agent)
        running = start(desk, FETCH)
        answer = await agent.call("clear_queue", queue="data_fetcher")
    assert person.asked == [
        f"Cancel 1 queued task of data_fetcher, and 1 that waits for it? {running}, which runs, goes on."
    ]
    assert (answer["cancelled"], answer["still_running"]) == (["fetch-3"], running)
    assert state(desk, "analysis-4") == "cancelled"


@ERAS
async def test_the_cancelling_of_a_run_asks_the_person_in_numbers(desk: Desk, era: Any) -> None:
    person = Person()
    async with agent_of(desk, era, person) as agent:
        await two_sessions(agent)
        start(desk, FETCH)
        answer = await agent.call("cancel_tasks", run_id="fetch-1")
        await agent.call("enqueue_data_fetch", symbols=["NYSE:JNJ"])
        await agent.call("enqueue_ai_analysis", symbols=["NYSE:JNJ"])  # a run of its own, after that fetch
        await agent.call("cancel_tasks", run_id="fetch-5")
    assert person.asked == [
        "Cancel 3 queued tasks and 1 running task of the run fetch-1?",
        "Cancel 1 queued task of the run fetch-5, and 1 that waits for it?",
    ]
    assert (answer["cancelled"], answer["stopping"]) == (["analysis-2", "fetch-3", "analysis-4"], ["fetch-1"])


NO = [
    (ElicitResult(action="decline"), "said no"),
    (ElicitResult(action="cancel"), "did not answer"),
    (ElicitResult(action="accept", content={"go_ahead": False}), "did not tick the box"),
    (ElicitResult(action="accept"), "did not tick the box"),
]


@ERAS
async def test_without_a_yes_nothing_changes_whatever_the_model_passed(desk: Desk, era: Any) -> None:
    person = Person()
    async with agent_of(desk, era, person) as agent:
        await two_sessions(agent)
        for person.answer, said in NO:
            text = await agent.refused("clear_queue", queue="ai_analysis", confirm=True)
            assert text.startswith(
                f"Nothing was cancelled: asked “Cancel 2 queued tasks of ai_analysis?”, the user {said};"
            )
            assert said in await agent.refused("cancel_tasks", run_id="fetch-1", confirm=True)
    assert len(person.asked) == 2 * len(NO)
    assert states(desk) == {"queued"}


@ERAS
async def test_a_client_that_cannot_ask_needs_an_argument_and_is_told_what_it_would_do(
    desk: Desk, era: Any
) -> None:
    async with agent_of(desk, era, None) as agent:
        await two_sessions(agent)
        for tool, arguments, lost in (
            ("clear_queue", {"queue": "ai_analysis"}, "Cancel 2 queued tasks of ai_analysis?"),
            ("cancel_tasks", {"run_id": "fetch-1"}, "Cancel 4 queued tasks of the run fetch-1?"),
        ):
            assert await agent.refused(tool, **arguments) == (
                f"Nothing was cancelled: first ask the user “{lost}”, and if they agree, call again with confirm=true."
            )
        assert states(desk) == {"queued"}
        await agent.call("clear_queue", queue="ai_analysis", confirm=True)
        await agent.call("cancel_tasks", run_id="fetch-1", confirm=True)
    assert states(desk) == {"cancelled"}


@ERAS
async def test_where_nothing_would_be_lost_nobody_is_asked(desk: Desk, era: Any) -> None:
    person = Person()
    async with agent_of(desk, era, person) as agent:
        assert (await agent.call("clear_queue", queue="ai_analysis"))["cancelled_tasks"] == 0
        await two_sessions(agent)
        await desk.manager.execute_queues()
        assert len((await agent.call("cancel_tasks", run_id="fetch-1"))["already_finished"]) == 4
        assert "no run 'sync-9'" in await agent.refused("cancel_tasks", run_id="sync-9")
    assert person.asked == []


@ERAS
async def test_single_tasks_and_stocks_are_cancelled_without_a_question(desk: Desk, era: Any) -> None:
    person = Person()
    async with agent_of(desk, era, person) as agent:
        await two_sessions(agent)
        await agent.call("cancel_tasks", symbols=["NYSE:KO"], run_id="fetch-1")
        await agent.call("cancel_tasks", task_ids=["analysis-4"])
    assert person.asked == []
    assert state(desk, "analysis-4") == "cancelled"


@ERAS
async def test_what_is_enqueued_while_the_question_stands_stays_and_what_starts_meanwhile_goes_on(
    desk: Desk, era: Any
) -> None:
    async with agent_of(desk, era, None) as other:

        async def go_on() -> None:
            assert start(desk, FETCH) == "fetch-1"
            await other.call("enqueue_data_fetch", symbols=["NYSE:JNJ"])

        person = Person(meanwhile=go_on)
        async with agent_of(desk, era, person) as agent:
            await two_sessions(agent)
            answer = await agent.call("clear_queue", queue="data_fetcher")
    assert person.asked == ["Cancel 2 queued tasks of data_fetcher, and 2 that wait for them?"]
    assert (answer["cancelled"], answer["still_running"]) == (["fetch-3"], "fetch-1")
    assert state(desk, "fetch-5") == "queued"


async def test_an_answer_to_the_question_of_one_call_does_not_serve_another(desk: Desk) -> None:
    """A client could send what it holds again, with other arguments."""
    async with agent_of(desk, "auto", Person()) as agent:
        await two_sessions(agent)
        first = await agent.client.session.call_tool(
            "clear_queue", {"queue": "data_fetcher"}, allow_input_required=True
        )
        assert isinstance(first, InputRequiredResult)
        with pytest.raises(Exception, match="Invalid or expired requestState"):
            await agent.client.session.call_tool(
                "clear_queue",
                {"queue": ANALYSIS.value},
                input_responses={"confirmation": YES},
                request_state=first.request_state,
            )
    assert states(desk) == {"queued"}
