"""A start never spends money by itself: what was asked for long ago waits until somebody wants it still."""

from collections.abc import Iterator
from datetime import timedelta

import anyio
import anyio.lowlevel
import pytest

from handlers.ai_analysis import analysis_task
from handlers.planning import AnalysisOptions, plan_analysis, sync_task
from handlers.portfolio_sync import SyncPayload
from handlers.stocks import Exchange, Stock
from queues.database import Database, Transaction
from queues.model import NewTask, QueueName, TaskState
from queues.store import enqueue, find_task
from server.desk import Desk
from server.settings import Settings
from tests.server.desks import Agent, counts, csv_of, earlier

KO, XOM = Stock("KO", Exchange.NYSE), Stock("XOM", Exchange.NYSE)
TOO_OLD = timedelta(hours=24, minutes=5)
YOUNG_ENOUGH = timedelta(hours=23, minutes=55)


def states(desk: Desk, *task_ids: str) -> list[TaskState]:
    return [desk.database.read_now(lambda tx, each=each: find_task(tx, each)).state for each in task_ids]


@pytest.fixture
def yesterday(desk: Desk, settings: Settings) -> Iterator[Database]:
    """The home as it was a little more than a day ago."""
    assert desk.database
    database = earlier(settings, TOO_OLD)
    yield database
    database.close()


def ask_for_analysis(database: Database, desk: Desk) -> list[str]:
    def work(tx: Transaction) -> list[str]:
        plan = plan_analysis(tx, [KO, XOM], AnalysisOptions("baseline", 2), now=desk.clock())
        return [answer.task.id for answer in enqueue(tx, plan.tasks)]

    return database.write_now(work)


async def test_analysis_asked_for_over_a_day_ago_waits_for_approval_and_its_fetch_does_not(
    desk: Desk, agent: Agent, yesterday: Database
) -> None:
    fetch, analysis = ask_for_analysis(yesterday, desk)
    await desk.manager.execute_queues()
    assert states(desk, fetch, analysis) == [TaskState.COMPLETED, TaskState.QUEUED]
    waiting = (await agent.call("get_task", task_id=analysis))["task"]["waiting_for"]
    assert waiting["on"] == "approval"
    assert "release_queue(ai_analysis, include_old=true)" in waiting["what"]
    status = await agent.call("get_queue_status")
    assert status["queues"][2]["waiting_for_approval"] == 1
    assert "release_queue(ai_analysis, include_old=true) lets them go" in status["message"]


async def test_a_release_lets_old_analysis_go_only_where_it_says_so(
    desk: Desk, agent: Agent, yesterday: Database
) -> None:
    _, analysis = ask_for_analysis(yesterday, desk)
    plain = await agent.call("release_queue", queue="ai_analysis")
    assert plain["approved_old_tasks"] == 0
    assert "1 asked for over a day ago still needs approval (include_old=true)" in plain["message"]
    await desk.manager.execute_queues()
    assert states(desk, analysis) == [TaskState.QUEUED]
    approved = await agent.call("release_queue", queue="ai_analysis", include_old=True)
    assert approved["approved_old_tasks"] == 1
    await desk.manager.execute_queues()
    assert states(desk, analysis) == [TaskState.COMPLETED]


async def test_analysis_asked_for_within_a_day_goes_on_by_itself(desk: Desk, settings: Settings) -> None:
    database = earlier(settings, YOUNG_ENOUGH)
    fetch, analysis = ask_for_analysis(database, desk)
    database.close()
    await desk.manager.execute_queues()
    assert states(desk, fetch, analysis) == [TaskState.COMPLETED] * 2


async def test_analysis_that_was_to_start_later_is_as_young_as_its_start(
    desk: Desk, yesterday: Database
) -> None:
    soon = analysis_task([KO])
    due = yesterday.clock() + timedelta(hours=5)
    delayed = NewTask(
        queue=soon.queue,
        kind=soon.kind,
        payload=soon.payload,
        due_at=due,
        approval_window=soon.approval_window,
    )
    task = yesterday.write_now(lambda tx: enqueue(tx, [delayed]))[0].task
    await desk.manager.execute_queues()
    assert states(desk, task.id) == [TaskState.COMPLETED]


async def test_the_analysis_that_follows_an_old_sync_is_as_old_as_the_sync(
    desk: Desk, agent: Agent, yesterday: Database
) -> None:
    (desk.uploads / "old.csv").write_text(csv_of(KO, XOM), "utf-8")
    sync = sync_task(SyncPayload(upload="old.csv", then_review=True))
    yesterday.write_now(lambda tx: enqueue(tx, [sync]))
    await desk.manager.execute_queues()
    assert (await agent.call("get_portfolio"))["total"] == 2
    (analysis,) = (await agent.call("list_tasks", queue="ai_analysis"))["tasks"]
    assert (analysis["state"], analysis["waiting_for"]["on"]) == ("queued", "approval")
    assert counts(desk)["verdicts"] == 0


async def test_who_asks_again_for_old_analysis_has_approved_it(
    desk: Desk, agent: Agent, yesterday: Database
) -> None:
    _, analysis = ask_for_analysis(yesterday, desk)
    answer = await agent.call("enqueue_ai_analysis", symbols=[str(XOM)])
    assert answer["already_queued"] == {str(XOM): analysis}
    await desk.manager.execute_queues()
    assert states(desk, analysis) == [TaskState.COMPLETED]


async def test_a_review_of_today_approves_the_old_analysis_of_its_stocks(
    desk: Desk, agent: Agent, yesterday: Database
) -> None:
    _, analysis = ask_for_analysis(yesterday, desk)
    await agent.call("enqueue_portfolio_review", csv_text=csv_of(KO, XOM))
    await desk.manager.execute_queues()
    assert states(desk, analysis) == [TaskState.COMPLETED]
    assert (await agent.call("list_tasks", queue="ai_analysis"))["total"] == 1


async def test_an_old_sync_that_runs_today_approves_nothing(desk: Desk, yesterday: Database) -> None:
    (desk.uploads / "old.csv").write_text(csv_of(KO, XOM), "utf-8")
    _, analysis = ask_for_analysis(yesterday, desk)
    sync = sync_task(SyncPayload(upload="old.csv", then_review=True))
    yesterday.write_now(lambda tx: enqueue(tx, [sync]))
    await desk.manager.execute_queues()
    assert states(desk, analysis) == [TaskState.QUEUED]


async def test_a_retry_is_asked_for_now(desk: Desk, agent: Agent, yesterday: Database) -> None:
    fetch, analysis = ask_for_analysis(yesterday, desk)
    await agent.call("cancel_tasks", task_ids=[fetch])
    assert (await agent.call("retry_task", task_id=fetch))["also_queued"] == [analysis]
    await desk.manager.execute_queues()
    assert states(desk, analysis) == [TaskState.COMPLETED]


async def test_a_start_enqueues_nothing(desk: Desk, agent: Agent) -> None:
    await agent.call("enqueue_portfolio_sync", csv_text=csv_of(KO, XOM))
    await desk.manager.execute_queues()
    before = counts(desk)
    async with anyio.create_task_group() as tasks:
        await tasks.start(desk.manager.run)
        while not desk.manager.is_leader:
            await anyio.lowlevel.checkpoint()
        await desk.database.read(lambda tx: tx.now)
        tasks.cancel_scope.cancel()
    await desk.manager.execute_queues()
    assert counts(desk) == before
    assert (await agent.call("list_tasks", queue=QueueName.AI_ANALYSIS))["total"] == 0
