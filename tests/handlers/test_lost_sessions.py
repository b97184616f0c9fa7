"""Sessions whose desk died, the holds that a person mends, and credentials in what is stored."""

from datetime import timedelta

from handlers.analyst.costs import (
    Spent,
    close_lost_sessions,
    close_session,
    note_spent,
    open_session,
    sessions_of_task,
)
from handlers.analyst.secrets import redact
from handlers.analyst.standing import release_outdated
from queues.database import Database
from queues.holds import hold_queue
from queues.model import QueueName
from tests.handlers.claude import INFY, payload
from tests.handlers.conftest import TaskRunner

AI = QueueName.AI_ANALYSIS
SEEN = Spent(turns=2, input_tokens=2400, output_tokens=680)


def open_and_note(database: Database, running_task: TaskRunner) -> str:
    ctx = running_task(AI, payload(INFY))
    database.write_now(
        lambda tx: open_session(tx, ctx.task, "s1", model="m", stocks=[INFY], prompt_version="1")
    )
    running_task.clock.now += timedelta(seconds=30)
    database.write_now(lambda tx: note_spent(tx, "s1", SEEN, "api"))
    assert database.write_now(lambda tx: close_lost_sessions(tx, ctx.task)) == 0
    return ctx.task.id


def test_a_lost_session_holds_the_tokens_seen_as_a_lower_bound(
    database: Database, running_task: TaskRunner
) -> None:
    task_id = open_and_note(database, running_task)

    assert database.write_now(close_lost_sessions) == 1

    [session] = database.read_now(lambda tx: sessions_of_task(tx, task_id))
    assert (session.ended_as, session.spent, session.at_least) == ("Killed", SEEN, True)
    assert session.duration == timedelta(seconds=30)


def test_a_desk_that_was_taken_for_dead_has_the_last_word(
    database: Database, running_task: TaskRunner
) -> None:
    task_id = open_and_note(database, running_task)
    database.write_now(close_lost_sessions)

    for cost in (0.5, 0.9):
        spent = Spent(turns=3, input_tokens=1, output_tokens=1, cost_usd=cost)
        database.write_now(
            lambda tx, spent=spent: close_session(
                tx, "s1", ended_as="Finished", detail="", spent=spent, duration=timedelta(0)
            )
        )

    [session] = database.read_now(lambda tx: sessions_of_task(tx, task_id))
    assert (session.ended_as, session.spent.cost_usd, session.at_least) == ("Finished", 0.5, False)


def test_a_changed_setting_ends_the_hold_that_stood_on_it_and_no_other(database: Database) -> None:
    for source in ("model=sonnett", "sign_in=ANTHROPIC_API_KEY", "claude_cli", "user"):
        database.write_now(lambda tx, source=source: hold_queue(tx, AI, source, "Why."))

    current = {"model": "sonnet", "sign_in": "ANTHROPIC_API_KEY", "billing": ""}
    released = database.write_now(lambda tx: release_outdated(tx, current))

    assert {hold.source for hold in released} == {"model=sonnett", "claude_cli"}


def test_credentials_are_hidden_by_their_value_and_by_their_look() -> None:
    environment = {"ANTHROPIC_AUTH_TOKEN": "of-my-gateway", "ANTHROPIC_API_KEY": "dummy"}
    assert redact("of-my-gateway, sk-ant-api03-x_y, dummy", environment) == "[hidden], [hidden], dummy"
